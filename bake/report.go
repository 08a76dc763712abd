// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A Report says what was baked and what it took.
type Report struct {
	Image     string            `json:"image"` // the first location, by digest
	Digest    v1.Hash           `json:"digest"`
	MediaType types.MediaType   `json:"mediaType"`
	Size      int64             `json:"size"` // of the manifest or index, in bytes
	Tags      []string          `json:"tags"`
	Base      ReportBase        `json:"base"`
	Platforms []ReportPlatform  `json:"platforms"`
	Layers    []ReportLayer     `json:"layers"`
	Env       map[string]string `json:"env"`
	Transfer  Transfer          `json:"transfer"`
	Findings  []engine.Finding  `json:"findings"`
	Notes     []string          `json:"notes,omitempty"`
	Assets    []ReportAsset     `json:"assets,omitempty"`    // of Rebind
	Referrers []Referrer        `json:"referrers,omitempty"` // that were asked for, attached now or before
	// AlreadyThere is set where a Fleet found the image at every destination.
	AlreadyThere bool `json:"alreadyThere,omitempty"`

	// Published is every image that was published, by digest but in an archive
	// of docker save, in the order of
	// the tags.
	Published []string `json:"-"`
}

// ReportBase names the base of a bake.
type ReportBase struct {
	Name   string  `json:"name"`
	Digest v1.Hash `json:"digest"`
}

// ReportPlatform is the image of one platform.
type ReportPlatform struct {
	Platform     string  `json:"platform"`
	Digest       v1.Hash `json:"digest"`
	BaseDigest   v1.Hash `json:"baseDigest"`
	ConfigDigest v1.Hash `json:"configDigest"`
}

// ReportLayer is a layer that the bake added.
type ReportLayer struct {
	Class     string          `json:"class"`
	Digest    v1.Hash         `json:"digest"`
	DiffID    v1.Hash         `json:"diffID"`
	Size      int64           `json:"size"`
	MediaType types.MediaType `json:"mediaType"`
}

func newReport(img *Image, a *assembled, pub *publisher) *Report {
	r := describeImage(img, a)
	r.Referrers = a.referrers()
	r.Transfer = pub.transfer
	r.Transfer.Requests = pub.requests.Load()
	for _, t := range pub.targets {
		for _, loc := range t.locations() {
			r.publishedAt(loc)
		}
	}
	r.Image = r.Published[0]
	return r
}

// publishedAt notes that the image is at loc.
func (r *Report) publishedAt(loc Location) {
	r.Tags = append(r.Tags, loc.String())
	// Two tags of a repository are one image there.
	if at := loc.withDigest(r.Digest.String()); !slices.Contains(r.Published, at) {
		r.Published = append(r.Published, at)
	}
}

// describeImage is the report of an image that was not published.
func describeImage(img *Image, a *assembled) *Report {
	r := &Report{
		Digest:    a.desc.Digest,
		MediaType: a.desc.MediaType,
		Size:      a.desc.Size,
		Tags:      []string{},
		Base:      ReportBase{Name: img.base.name, Digest: img.base.desc.Digest},
		Layers:    []ReportLayer{},
		Findings:  img.Findings(),
		Notes:     slices.Clone(img.base.Notes()),
	}
	if img.toOCI(img.base.desc.MediaType) {
		r.Notes = append(r.Notes, "the base has Docker's media types, the result OCI's: "+img.changes.needsOCI())
	}
	if r.Base.Name == "" {
		r.Base.Name = img.base.location.String()
	}
	if r.Findings == nil {
		r.Findings = []engine.Finding{}
	}
	for _, one := range a.images {
		r.Platforms = append(r.Platforms, ReportPlatform{
			Platform:     one.base.platform.String(),
			Digest:       one.desc.Digest,
			BaseDigest:   one.base.desc.Digest,
			ConfigDigest: one.manifest.Config.Digest,
		})
	}
	first := a.images[0]
	own := first.manifest.Layers[len(first.base.manifest.Layers):]
	for i, l := range first.patch.layers {
		diffID, _ := l.DiffID() // the layer is resolved, or there would be no manifest
		r.Layers = append(r.Layers, ReportLayer{Class: l.class, Digest: own[i].Digest, DiffID: diffID, Size: own[i].Size, MediaType: own[i].MediaType})
	}
	prefix, _ := value(first.base.config.env, "CONNECT_PREFIX")
	r.Env = envMap(first.patch.envOn(prefix))
	return r
}
