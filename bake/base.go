// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// A Base is an image that was found and whose manifests and configs were read:
// a few kilobytes. Its layers stay where they are.
type Base struct {
	side        string // for errors: "base docker.io/fastscore/engine:latest"
	name        string // fully qualified; empty for a file
	location    Location
	desc        v1.Descriptor     // of what the location names
	index       []byte            // raw, of a multi-platform base; else nil
	of          *v1.Descriptor    // the index that the images are of; nil without
	annotations map[string]string // of that index
	images      []*baseImage
	notes       []string
	source      imageSource

	// spare hears of an image of the index that cannot be read, from several
	// goroutines; what it returns ends the reading. Nil spares none.
	spare func(entry v1.Descriptor, err error) error
}

// baseImage is one platform of a Base.
type baseImage struct {
	desc     v1.Descriptor // as the index has it, or of the image itself
	entry    object        // of the index; nil where there is none
	platform v1.Platform
	raw      []byte
	manifest *v1.Manifest
	config   *baseConfig
}

// imageSource is where an image's manifests and blobs are read.
type imageSource interface {
	// manifest reads the manifest that ref, a tag or digest, names.
	manifest(ctx context.Context, ref string) (v1.Descriptor, []byte, error)
	// blob opens a blob; what it yields is verified against desc.
	blob(ctx context.Context, desc v1.Descriptor) (io.ReadCloser, error)
	// repository is the registry repository that the blobs can be mounted
	// from; nil for files.
	repository() *registry.Repository
	io.Closer
}

// Open finds the image at ref and reads its manifests and configs. Of a
// multi-platform image it reads the platforms that satisfy one of platforms,
// or all without any. Everything read is verified against its digest.
func Open(ctx context.Context, ref string, remote *Remote, platforms ...v1.Platform) (*Base, error) {
	return openBase(ctx, "base", ref, remote.orDefault(), platforms, func(int) {})
}

// open is Open for an image that is called what in errors. It tells expect how
// many images will be read, as soon as that is known.
func open(ctx context.Context, what, ref string, remote *Remote, platforms []v1.Platform, expect func(images int)) (*Base, error) {
	b, err := openUnread(ctx, what, ref, remote)
	if err != nil {
		return nil, err
	}
	return b.readOrClose(ctx, remote, platforms, expect)
}

func (b *Base) readOrClose(ctx context.Context, remote *Remote, platforms []v1.Platform, expect func(images int)) (*Base, error) {
	if err := b.read(ctx, platforms, cap(remote.moving), expect); err != nil {
		b.source.Close()
		return nil, &sideError{b.side, err}
	}
	return b, nil
}

// openUnread is open without reading anything of the image.
func openUnread(ctx context.Context, what, ref string, remote *Remote) (*Base, error) {
	loc, err := ParseLocation(ref, remote.insecure)
	if err != nil {
		return nil, err
	}
	b := &Base{side: what + " " + loc.String(), location: loc}
	if b.source, err = openSource(ctx, loc, remote); err != nil {
		return nil, &sideError{b.side, err}
	}
	return b, nil
}

// Close releases the files of a base that is in files. A base that was built
// on must stay open until the result is published.
func (b *Base) Close() error { return b.source.Close() }

// Name is the base's fully qualified name; empty for a base in a file.
func (b *Base) Name() string { return b.name }

// Descriptor describes the manifest or index that the base's name stands for.
func (b *Base) Descriptor() v1.Descriptor { return b.desc }

// Platforms lists the platforms that were read.
func (b *Base) Platforms() []v1.Platform {
	platforms := make([]v1.Platform, len(b.images))
	for i, img := range b.images {
		platforms[i] = img.platform
	}
	return platforms
}

// Notes says what was left out of the base, and why.
func (b *Base) Notes() []string { return b.notes }

func openSource(ctx context.Context, loc Location, remote *Remote) (imageSource, error) {
	switch loc.transport {
	case transportOCI, transportOCIArchive:
		return openLayout(loc)
	case transportDockerArchive:
		return openDockerArchive(ctx, loc)
	}
	return registrySource{remote.client.Repository(loc.ref.Context())}, nil
}

func (b *Base) read(ctx context.Context, platforms []v1.Platform, jobs int, expect func(images int)) error {
	raw, err := b.readTop(ctx)
	if err != nil {
		return err
	}
	return b.readBelow(ctx, raw, platforms, jobs, expect)
}

// readTop reads the manifest or index that the location names.
func (b *Base) readTop(ctx context.Context) (raw []byte, err error) {
	ref := b.location.tag
	if b.location.registry() {
		b.name = b.location.name()
		ref = b.location.ref.Identifier()
	}
	b.desc, raw, err = b.source.manifest(ctx, ref)
	return raw, err
}

// readBelow reads what the manifest or index raw speaks of.
func (b *Base) readBelow(ctx context.Context, raw []byte, platforms []v1.Platform, jobs int, expect func(images int)) error {
	desc := b.desc
	switch {
	case desc.MediaType.IsIndex():
		b.index, b.of = raw, &desc
		return b.readIndex(ctx, raw, platforms, jobs, expect)
	case desc.MediaType.IsImage():
		expect(1)
		img, err := b.readImage(ctx, desc, raw)
		if err != nil {
			return err
		}
		b.images = []*baseImage{img}
		if err := b.keepOnly(platforms); err != nil {
			return fmt.Errorf("%w; it has %s", err, cmp.Or(img.platform.String(), "none that is named"))
		}
		return nil
	case desc.MediaType.IsSchema1():
		return errors.New("it is a Docker schema 1 image, a format without digests of its layers' content; push it again with a current tool")
	}
	return fmt.Errorf("it is no container image: media type %q", desc.MediaType)
}

func (b *Base) readIndex(ctx context.Context, raw []byte, platforms []v1.Platform, jobs int, expect func(images int)) error {
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return fmt.Errorf("reading its index: %w", err)
	}
	b.annotations = index.Annotations
	var raws struct {
		Manifests []object `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &raws); err != nil {
		return fmt.Errorf("reading its index: %w", err)
	}
	// Index entries by their place; those that are left out stay nil.
	chosen := make([]*v1.Descriptor, len(index.Manifests))
	n := 0
	for i, desc := range index.Manifests {
		switch {
		case isAttestation(desc):
			b.notes = append(b.notes, fmt.Sprintf("left out %s: it attests the base image, not the bake", desc.Digest))
			continue
		case desc.MediaType.IsIndex():
			return fmt.Errorf("%s: an index within an index is not supported; name the inner one by its digest", desc.Digest)
		case !desc.MediaType.IsImage():
			b.notes = append(b.notes, fmt.Sprintf("left out %s: media type %q is no image", desc.Digest, desc.MediaType))
			continue
		case desc.Platform != nil && !wanted(*desc.Platform, platforms):
			continue
		}
		chosen[i] = &desc
		n++
	}
	expect(n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	images := make([]*baseImage, len(index.Manifests))
	for i, desc := range chosen {
		if desc == nil {
			continue
		}
		g.Go(func() error {
			img, err := b.readEntry(ctx, *desc)
			if err != nil && b.spare != nil {
				return b.spare(*desc, err)
			}
			if err != nil {
				return err
			}
			images[i], img.entry = img, raws.Manifests[i]
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, img := range images {
		if img != nil {
			b.images = append(b.images, img)
		}
	}
	if err := b.keepOnly(platforms); err != nil {
		return fmt.Errorf("%w; it has %s", err, listPlatforms(index))
	}
	return nil
}

// readEntry reads the image of an index's entry.
func (b *Base) readEntry(ctx context.Context, entry v1.Descriptor) (*baseImage, error) {
	got, raw, err := b.source.manifest(ctx, entry.Digest.String())
	if err != nil {
		return nil, err
	}
	if err := agrees(entry, got); err != nil {
		return nil, err
	}
	return b.readImage(ctx, entry, raw)
}

// agrees checks what an index says of a manifest against the manifest.
func agrees(entry, manifest v1.Descriptor) error {
	if entry.Size != manifest.Size {
		return fmt.Errorf("manifest %s: %w", entry.Digest, integrityf("it has %d bytes, its index says %d", manifest.Size, entry.Size))
	}
	if manifest.MediaType != "" && entry.MediaType != manifest.MediaType {
		// A manifest that two readers understand differently (CVE-2021-41190).
		return fmt.Errorf("manifest %s: %w", entry.Digest, integrityf("its media type is %q, its index says %q", manifest.MediaType, entry.MediaType))
	}
	return nil
}

// maxConfig bounds an image config; real ones have kilobytes.
const maxConfig = 16 << 20

func (b *Base) readImage(ctx context.Context, desc v1.Descriptor, raw []byte) (*baseImage, error) {
	img := &baseImage{desc: desc, raw: raw, manifest: &v1.Manifest{}}
	if err := json.Unmarshal(raw, img.manifest); err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w", desc.Digest, err)
	}
	if t := img.manifest.Config.MediaType; t != types.OCIConfigJSON && t != types.DockerConfigJSON {
		return nil, fmt.Errorf("%s is an artifact (config %q), not a container image", desc.Digest, t)
	}
	config := img.manifest.Config
	if config.Size > maxConfig {
		return nil, fmt.Errorf("config %s has %d bytes, more than %d", config.Digest, config.Size, maxConfig)
	}
	rc, err := b.source.blob(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	defer rc.Close()
	text, err := io.ReadAll(rc)
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	if img.config, err = parseConfig(text); err != nil {
		return nil, fmt.Errorf("reading config %s: %w", config.Digest, err)
	}
	if n, m := len(img.manifest.Layers), len(img.config.diffIDs); n != m {
		return nil, integrityf("manifest %s has %d layers, its config %d", desc.Digest, n, m)
	}
	if img.desc.Platform != nil {
		img.platform = *img.desc.Platform
	} else if err := json.Unmarshal(text, &img.platform); err != nil {
		return nil, fmt.Errorf("reading config %s: %w", config.Digest, err)
	}
	return img, nil
}

// ConfigFile is the image config of the first platform that was read.
func (b *Base) ConfigFile() (*v1.ConfigFile, error) {
	raw, err := marshal(b.images[0].config.raw)
	if err != nil {
		return nil, err
	}
	return v1.ParseConfigFile(bytes.NewReader(raw))
}
