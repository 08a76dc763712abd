// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/ctxio"
	"github.com/crane-bake/crane-bake/internal/layer"
	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// registrySource reads an image in a registry.
type registrySource struct{ repo *registry.Repository }

func (s registrySource) manifest(ctx context.Context, ref string) (v1.Descriptor, []byte, error) {
	return s.repo.Manifest(ctx, ref)
}

func (s registrySource) blob(ctx context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	return s.repo.Blob(ctx, desc)
}

func (s registrySource) repository() *registry.Repository { return s.repo }
func (s registrySource) Close() error                     { return nil }

// layoutSource reads an OCI image layout in a directory or a tar.
type layoutSource struct {
	fsys fs.FS
	io.Closer
}

func openLayout(loc Location) (imageSource, error) {
	if loc.transport == transportOCIArchive {
		t, err := layout.OpenTar(loc.path)
		if err != nil {
			return nil, err
		}
		return layoutSource{t, t}, nil
	}
	fsys, closer, err := layout.OpenDir(loc.path)
	if err != nil {
		return nil, err
	}
	return layoutSource{fsys, closer}, nil
}

func (s layoutSource) manifest(ctx context.Context, ref string) (v1.Descriptor, []byte, error) {
	var desc v1.Descriptor
	if h, err := v1.NewHash(ref); err == nil {
		desc.Digest = h
	} else if desc, err = layout.Find(s.fsys, ref); err != nil {
		return desc, nil, err
	}
	f, err := layout.Blob(s.fsys, desc.Digest)
	if err != nil {
		return desc, nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, registry.MaxManifest+1))
	if err != nil {
		return desc, nil, err
	}
	if len(raw) > registry.MaxManifest {
		return desc, nil, fmt.Errorf("manifest %s is larger than %d bytes", desc.Digest, registry.MaxManifest)
	}
	h, err := v1.Hasher(desc.Digest.Algorithm)
	if err != nil {
		return desc, nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	h.Write(raw)
	if got := hex.EncodeToString(h.Sum(nil)); got != desc.Digest.Hex {
		err = fmt.Errorf("manifest %s: %w: got %s", desc.Digest, ErrIntegrity, got)
	}
	var stated struct {
		MediaType types.MediaType `json:"mediaType"`
	}
	_ = json.Unmarshal(raw, &stated) // what is wrong with it is said by its reader
	entry := desc
	desc.Size = int64(len(raw))
	if stated.MediaType != "" {
		desc.MediaType = stated.MediaType
	}
	if err == nil && entry.MediaType != "" { // of index.json
		err = agrees(entry, desc)
	}
	return desc, raw, err
}

func (s layoutSource) blob(_ context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	f, err := layout.Blob(s.fsys, desc.Digest)
	if err != nil {
		return nil, err
	}
	return registry.Verify(f, desc)
}

func (s layoutSource) repository() *registry.Repository { return nil }

// dockerSource reads a docker-archive. It has no manifest of its own kind, so
// one is made: the config as it is, and the layers as they are or, where they
// are plain tars, compressed as a bake's own layers are.
type dockerSource struct {
	tar   *layout.TarFS
	desc  v1.Descriptor
	raw   []byte
	blobs map[v1.Hash]func(ctx context.Context) (io.ReadCloser, error)
}

func openDockerArchive(ctx context.Context, loc Location) (imageSource, error) {
	t, err := layout.OpenTar(loc.path)
	if err != nil {
		return nil, err
	}
	s := &dockerSource{tar: t, blobs: map[v1.Hash]func(context.Context) (io.ReadCloser, error){}}
	if err := s.read(ctx, loc.tag); err != nil {
		t.Close()
		return nil, err
	}
	return s, nil
}

func (s *dockerSource) read(ctx context.Context, tag string) error {
	entry, err := s.find(tag)
	if err != nil {
		return err
	}
	config, err := s.describe(ctx, path.Clean(entry.Config), types.DockerConfigJSON)
	if err != nil {
		return err
	}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.DockerManifestSchema2, Config: config}
	for _, name := range entry.Layers {
		l, err := s.layer(ctx, path.Clean(name))
		if err != nil {
			return fmt.Errorf("layer %s: %w", name, err)
		}
		m.Layers = append(m.Layers, l)
	}
	if s.raw, err = marshal(m); err != nil {
		return err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(s.raw))
	s.desc = v1.Descriptor{MediaType: m.MediaType, Digest: digest, Size: size}
	return err
}

// find returns the image that tag names in manifest.json.
func (s *dockerSource) find(tag string) (layout.DockerImage, error) {
	f, err := s.tar.Open("manifest.json")
	if err != nil {
		return layout.DockerImage{}, fmt.Errorf("not a docker-archive: %w", err)
	}
	defer f.Close() // was opened for reading only
	raw, err := io.ReadAll(io.LimitReader(f, registry.MaxManifest+1))
	if err != nil {
		return layout.DockerImage{}, fmt.Errorf("reading manifest.json: %w", err)
	}
	if len(raw) > registry.MaxManifest {
		return layout.DockerImage{}, fmt.Errorf("manifest.json is larger than %d bytes", registry.MaxManifest)
	}
	var images []layout.DockerImage
	if err := json.Unmarshal(raw, &images); err != nil {
		return layout.DockerImage{}, fmt.Errorf("reading manifest.json: %w", err)
	}
	var tags []string
	for _, i := range images {
		for _, t := range i.RepoTags {
			if tag != "" && (t == tag || "docker.io/"+t == tag || "docker.io/library/"+t == tag) {
				return i, nil
			}
		}
		tags = append(tags, i.RepoTags...)
	}
	switch {
	case tag == "" && len(images) == 1:
		return images[0], nil
	case tag != "":
		return layout.DockerImage{}, fmt.Errorf("image %q: %w: the archive holds %s", tag, ErrNotFound, strings.Join(tags, ", "))
	}
	return layout.DockerImage{}, fmt.Errorf("the archive holds %d images; name one of %s", len(images), strings.Join(tags, ", "))
}

// describe makes the descriptor of a member that is a blob as it is.
func (s *dockerSource) describe(ctx context.Context, name string, mediaType types.MediaType) (v1.Descriptor, error) {
	f, err := s.tar.Open(name)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer f.Close()
	digest, size, err := v1.SHA256(ctxio.Reader(ctx, f))
	s.blobs[digest] = func(context.Context) (io.ReadCloser, error) { return s.tar.Open(name) }
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, err
}

var gzipMagic = []byte{0x1f, 0x8b}

func (s *dockerSource) layer(ctx context.Context, name string) (v1.Descriptor, error) {
	f, err := s.tar.Open(name)
	if err != nil {
		return v1.Descriptor{}, err
	}
	magic := make([]byte, 2)
	_, err = io.ReadFull(f, magic)
	f.Close()
	if err != nil {
		return v1.Descriptor{}, errors.New("it is empty")
	}
	if slices.Equal(magic, gzipMagic) {
		return s.describe(ctx, name, types.DockerLayer)
	}
	l, err := layer.FromTar(func() (io.ReadCloser, error) { return s.tar.Open(name) }, layer.Options{})
	if err != nil {
		return v1.Descriptor{}, err
	}
	if err := l.Resolve(ctx); err != nil {
		return v1.Descriptor{}, err
	}
	digest, err := l.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := l.Size()
	s.blobs[digest] = l.Open
	return v1.Descriptor{MediaType: types.DockerLayer, Digest: digest, Size: size}, err
}

func (s *dockerSource) manifest(context.Context, string) (v1.Descriptor, []byte, error) {
	return s.desc, s.raw, nil
}

func (s *dockerSource) blob(ctx context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	open, ok := s.blobs[desc.Digest]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", desc.Digest, ErrNotFound)
	}
	rc, err := open(ctx)
	if err != nil {
		return nil, err
	}
	return registry.Verify(rc, desc)
}

func (s *dockerSource) repository() *registry.Repository { return nil }
func (s *dockerSource) Close() error                     { return s.tar.Close() }
