// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// engineImage is a base of as many layers as o says; the last one has the
// stand-in engine as /engine.
func engineImage(t testing.TB, o registrytest.ImageOptions) v1.Image {
	t.Helper()
	program, err := os.ReadFile(engine)
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: "engine", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	mediaType := types.OCILayer
	if o.Docker {
		mediaType = types.DockerLayer
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain.Bytes())), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(mediaType))
	if err != nil {
		t.Fatal(err)
	}
	o.Layers--
	img, err := mutate.AppendLayers(registrytest.BaseImage(t, o), layer)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// parse reads the name of an image in a registry on loopback.
func parse(t testing.TB, ref string) name.Reference {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// push stores an image or an index, with go-containerregistry's own client.
func push(t testing.TB, ref string, img remote.Taggable) {
	t.Helper()
	if err := remote.Push(parse(t, ref), img, remote.WithContext(t.Context())); err != nil {
		t.Fatalf("pushing %s: %v", ref, err)
	}
}

// writeLayout adds an image or an index to a layout directory under a tag.
func writeLayout(t testing.TB, dir, tag string, img mutate.Appendable) {
	t.Helper()
	path, err := layout.FromPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		path, err = layout.Write(dir, empty.Index)
	}
	if err != nil {
		t.Fatal(err)
	}
	annotation := layout.WithAnnotations(map[string]string{refName: tag})
	if index, ok := img.(v1.ImageIndex); ok {
		err = path.AppendIndex(index, annotation)
	} else {
		err = path.AppendImage(img.(v1.Image), annotation)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// refName is the annotation of a layout's entry that holds its tag.
const refName = "org.opencontainers.image.ref.name"

// fromLayout is what a layout directory holds under a tag.
func fromLayout(t testing.TB, dir, tag string) stored {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, desc := range manifest.Manifests {
		if desc.Annotations[refName] != tag {
			continue
		}
		s := stored{digest: desc.Digest}
		if desc.MediaType.IsIndex() {
			s.index, err = index.ImageIndex(desc.Digest)
		} else {
			s.image, err = index.Image(desc.Digest)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Fatalf("%s holds no %q", dir, tag)
	return stored{}
}

// fromRegistry is what a registry holds under a name.
func fromRegistry(t testing.TB, ref string, options ...remote.Option) stored {
	t.Helper()
	got, err := remote.Get(parse(t, ref), append(options, remote.WithContext(t.Context()))...)
	if err != nil {
		t.Fatal(err)
	}
	s := stored{digest: got.Digest}
	if got.MediaType.IsIndex() {
		s.index, err = got.ImageIndex()
	} else {
		s.image, err = got.Image()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A stored image is one, or an index of some, that was read back.
type stored struct {
	digest v1.Hash
	image  v1.Image      // nil for an index
	index  v1.ImageIndex // nil for an image
}

// validate checks every byte against its digest, and configs against layers.
func (s stored) validate(t testing.TB) {
	t.Helper()
	var err error
	if s.index != nil {
		err = validate.Index(s.index)
	} else {
		err = validate.Image(s.image)
	}
	if err != nil {
		t.Errorf("%s is not a valid image: %v", s.digest, err)
	}
}
