// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// attach puts an artifact of a type into the repository of an image in a
// registry, as a referrer of the image or, with TAG, as an image of its own.
func attach(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && (len(args) == 2 || len(args) == 3), "attach IMAGE TYPE [TAG]")
	f, err := find(ts, args[0])
	ts.Check(err)
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(args[1]))
	img, err = mutate.AppendLayers(img, static.NewLayer([]byte(args[1]), types.MediaType(args[1])))
	ts.Check(err)
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	repo := ref.Context().RepositoryStr()
	if len(args) == 3 {
		theWorld(ts).registry(ts, ref.Context().RegistryStr()).Push(theWorld(ts).t, repo+":"+args[2], img)
		return
	}
	subject := v1.Descriptor{MediaType: types.OCIManifestSchema1, Size: int64(len(f.raw)), Digest: f.digest}
	if f.index != nil {
		subject.MediaType = types.OCIImageIndex
	}
	img = mutate.Subject(img, subject).(v1.Image)
	digest, err := partial.Digest(img)
	ts.Check(err)
	theWorld(ts).registry(ts, ref.Context().RegistryStr()).Push(theWorld(ts).t, repo+"@"+digest.String(), img)
}

// referrersAre wants an image in a registry to have referrers of these types
// and no others.
func referrersAre(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) > 0, "referrers IMAGE [TYPE...]")
	f, err := find(ts, args[0])
	ts.Check(err)
	ref, err := name.ParseReference(args[0])
	ts.Check(err)
	opts := theWorld(ts).registry(ts, ref.Context().RegistryStr()).way()
	index, err := remote.Referrers(ref.Context().Digest(f.digest.String()), opts...)
	ts.Check(err)
	m, err := index.IndexManifest()
	ts.Check(err)
	var got []string
	for _, d := range m.Manifests {
		got = append(got, d.ArtifactType)
		if _, err := remote.Get(ref.Context().Digest(d.Digest.String()), opts...); err != nil {
			ts.Fatalf("referrer %s: %v", d.Digest, err)
		}
	}
	slices.Sort(got)
	wanted := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(got, wanted) {
		ts.Fatalf("%s has referrers of the types %s, want %s", args[0], strings.Join(got, ", "), strings.Join(wanted, ", "))
	}
}
