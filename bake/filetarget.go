// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/layer"
	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// fileTarget publishes to an image layout or an archive.
type fileTarget struct {
	writer layout.Writer
	first  Location
	all    []Location
}

func newFileTarget(loc Location, checks *layout.Checks) (*fileTarget, error) {
	t := &fileTarget{first: loc}
	var err error
	switch loc.transport {
	case transportOCI:
		t.writer, err = layout.CreateDir(loc.path, checks)
	default:
		t.writer, err = layout.CreateArchive(loc.path, loc.transport == transportDockerArchive)
	}
	if errors.Is(err, layout.ErrNotRegular) && loc.transport != transportOCI {
		err = usagef("%v", err)
	}
	return t, err
}

// isInput reports whether l is a file that is baked: an archive there would
// replace it.
func (l Location) isInput(layers []*bakedLayer) (source string, yes bool) {
	if l.transport == transportOCI {
		return "", false
	}
	info, err := os.Stat(l.path)
	if err != nil {
		return "", false
	}
	there := layer.IdentityOf(info)
	same := func(source layer.Identity) bool {
		return source != layer.Identity{} && source.Device == there.Device && source.Inode == there.Inode
	}
	for _, bl := range layers {
		for _, it := range bl.items {
			if same(it.archive) || slices.ContainsFunc(it.entries, func(e layer.Entry) bool { return same(e.Source) }) {
				return it.Source, true
			}
		}
	}
	return "", false
}

func (t *fileTarget) add(loc Location) {
	if !slices.Contains(t.all, loc) {
		t.all = append(t.all, loc)
	}
}

// tags is the tags that the image gets; a location without one adds none.
func (t *fileTarget) tags() []string {
	var tags []string
	for _, loc := range t.all {
		if loc.tag != "" {
			tags = append(tags, loc.tag)
		}
	}
	return tags
}

func (t *fileTarget) String() string { return t.first.transport + ":" + t.first.path }

func (t *fileTarget) repository() *registry.Repository { return nil }

func (t *fileTarget) lead() *repositoryTarget { return nil }

func (t *fileTarget) abort() { t.writer.Abort() }

func (t *fileTarget) wrap(err error) error { return destinationError(t, err) }

func (t *fileTarget) oneAtATime() bool { return t.first.transport != transportOCI }

func (t *fileTarget) locations() []Location { return t.all }

func (t *fileTarget) has(ctx context.Context, b *blob) (Means, error) {
	if !b.known {
		return "", nil
	}
	held, err := t.writer.Has(ctx, b.desc)
	if held {
		return Reused, nil
	}
	return "", err
}

func (t *fileTarget) upload(ctx context.Context, c registry.Content) error {
	rc, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer rc.Close()
	algorithm := "sha256"
	if want, known := c.Descriptor(); known {
		algorithm = want.Digest.Algorithm
	}
	got, err := t.writer.Put(ctx, rc, algorithm)
	if err != nil {
		return t.wrap(err)
	}
	if want, known := c.Descriptor(); !known || want.Digest != got.Digest {
		return fmt.Errorf("%w: wrote %s", ErrIntegrity, got.Digest)
	}
	return nil
}

func (t *fileTarget) child(ctx context.Context, _ v1.Descriptor, raw []byte) error {
	return t.upload(ctx, registry.Bytes(raw))
}

func (t *fileTarget) publish(ctx context.Context, a *assembled) ([]string, error) {
	if err := t.child(ctx, a.desc, a.raw); err != nil {
		return nil, err
	}
	image := layout.Image{Top: a.desc}
	for _, img := range a.images {
		image.Manifests = append(image.Manifests, layout.Manifest{Config: img.manifest.Config, Layers: img.manifest.Layers})
	}
	var err error
	if image.Attach, err = t.attachments(ctx, a); err != nil {
		return nil, t.wrap(err)
	}
	if err := t.writer.Commit(ctx, image, t.tags()); err != nil {
		return nil, t.wrap(err)
	}
	return []string{t.String()}, nil
}
