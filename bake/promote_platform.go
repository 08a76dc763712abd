// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// choose returns the one image for a platform of the index at the top.
func (c *collector) choose(ctx context.Context, platform string) (*manifest, error) {
	want, err := v1.ParsePlatform(platform)
	if err != nil {
		return nil, usagef("platform %q: want OS/ARCH[/VARIANT]", platform)
	}
	if !c.top.desc.MediaType.IsIndex() {
		return c.top, c.madeFor(ctx, *want)
	}
	var fit []v1.Descriptor
	for _, d := range c.top.body.Manifests {
		if d.Platform == nil || isAttestation(d) || !satisfies(*d.Platform, *want) {
			continue
		}
		if d.Platform.Equals(*want) {
			fit = []v1.Descriptor{d}
			break
		}
		fit = append(fit, d)
	}
	there := listPlatforms(v1.IndexManifest{Manifests: c.top.body.Manifests})
	switch len(fit) {
	case 0:
		return nil, fmt.Errorf("no image for platform %s: %w; it has %s", want, ErrNotFound, there)
	case 1:
		all, err := c.readAll(ctx, fit, func(d v1.Descriptor) string {
			return fmt.Sprintf("manifest %s of index %s", d.Digest, c.top.desc.Digest)
		})
		c.noteAttestations(*want, fit[0].Digest)
		return all[0], err
	}
	return nil, usagef("platform %s means %d images of %s; name one more exactly", want, len(fit), there)
}

// noteAttestations says what an index lists about one of its images. BuildKit
// puts SBOMs and provenance there, and no subject into them: without the index
// nothing leads from the image to them.
func (c *collector) noteAttestations(platform v1.Platform, image v1.Hash) {
	n := 0
	for _, d := range c.top.body.Manifests {
		if isAttestation(d) && d.Annotations["vnd.docker.reference.digest"] == image.String() {
			n++
		}
	}
	manifests := "an attestation manifest"
	if n > 1 {
		manifests = fmt.Sprintf("%d attestation manifests", n)
	}
	if n > 0 {
		c.notes = append(c.notes, fmt.Sprintf("the index %s lists %s of BuildKit about the image for %s, which stays behind: only the index leads to it; promote the index to keep it",
			c.top.desc.Digest, manifests, platform))
	}
}

// madeFor wants the single image at the top to be for a platform.
func (c *collector) madeFor(ctx context.Context, want v1.Platform) error {
	if c.top.body.Config == nil || c.top.body.Config.Size > maxConfig {
		return fmt.Errorf("it is no image, and so for no platform: %w", ErrNotFound)
	}
	rc, err := c.source.blob(ctx, *c.top.body.Config)
	if err != nil {
		return fmt.Errorf("reading the config: %w", err)
	}
	raw, err := io.ReadAll(rc)
	if err = errors.Join(err, rc.Close()); err != nil {
		return fmt.Errorf("reading the config: %w", err)
	}
	var got v1.Platform
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&got); err != nil {
		return fmt.Errorf("reading the config: %w", err)
	}
	if !satisfies(got, want) {
		return fmt.Errorf("no image for platform %s: %w; it has %s", want, ErrNotFound, got)
	}
	return nil
}
