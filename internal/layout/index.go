// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The files of an OCI image layout beside its blobs (OCI image-spec,
// image-layout.md).
const (
	indexName     = "index.json"
	markerName    = "oci-layout"
	markerContent = `{"imageLayoutVersion":"1.0.0"}`
)

// maxIndex bounds an index.json: real ones list some hundred images at most.
const maxIndex = 8 << 20

// Entry is an entry of an index.json.
type Entry struct {
	v1.Descriptor
	Tag string // empty for none
}

const (
	// refName is the annotation that tags an entry of index.json (OCI
	// image-spec, annotations.md).
	refName = "org.opencontainers.image.ref.name"
	// untagged is the annotation of the entry that was published without a
	// tag. The next one without a tag takes its place, and not that of what
	// other tools left untagged: referrers, for example.
	untagged = "io.github.crane-bake.untagged"
)

// YieldsTo reports whether the entry makes way for another image that is
// published under tag in the same directory.
func (e Entry) YieldsTo(tag string) bool {
	return e.Tag == tag && (tag != "" || e.Annotations[untagged] != "")
}

// Entries lists the index.json of the OCI image layout in fsys.
func Entries(fsys fs.FS) ([]Entry, error) {
	info, err := fs.Stat(fsys, markerName)
	switch {
	case err != nil:
		return nil, errors.New("not an OCI image layout: it has no file oci-layout")
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("not an OCI image layout: %s is %w", markerName, ErrNotRegular)
	}
	index, err := readIndex(fsys)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(index.Manifests))
	for i, d := range index.Manifests {
		entries[i] = entryOf(d)
	}
	return entries, nil
}

func entryOf(d v1.Descriptor) Entry { return Entry{d, d.Annotations[refName]} }

func readIndex(fsys fs.FS) (*v1.IndexManifest, error) {
	f, err := openRegular(fsys, indexName)
	if err != nil {
		return nil, fmt.Errorf("not an OCI image layout: %w", err)
	}
	defer f.Close() // was opened for reading only
	raw, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", indexName, err)
	}
	if len(raw) > maxIndex {
		return nil, fmt.Errorf("%s is larger than %d bytes", indexName, maxIndex)
	}
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", indexName, err)
	}
	return index, nil
}

// entries is what the image has in an index.json. No tag is a name of its own:
// the entry without one.
func (i Image) entries(ctx context.Context, tags []string) ([]Entry, error) {
	if len(tags) == 0 {
		tags = []string{""}
	}
	var entries []Entry
	for _, t := range tags {
		entries = append(entries, Entry{i.Top, t})
	}
	if i.Attach == nil {
		return entries, nil
	}
	attached, err := i.Attach(ctx)
	return append(entries, attached...), err
}

// tagged is the entry in the words of an index.json.
func (e Entry) tagged() v1.Descriptor {
	d := v1.Descriptor{MediaType: e.MediaType, Size: e.Size, Digest: e.Digest, Platform: e.Platform}
	if e.Tag != "" {
		d.Annotations = map[string]string{refName: e.Tag}
	}
	return d
}

// merge returns an index.json in which every entry's tag names the entry.
func merge(index []v1.Descriptor, entries []Entry) []v1.Descriptor {
	merged := slices.Clone(index)
	for _, e := range entries {
		want := e.tagged()
		if e.Tag == "" {
			want.Annotations = map[string]string{untagged: "true"}
		}
		there := func(d v1.Descriptor) bool {
			return reflect.DeepEqual(d, want) || e.Tag == "" && d.Annotations[refName] == "" && d.Digest == e.Digest
		}
		merged = slices.DeleteFunc(merged, func(d v1.Descriptor) bool { return entryOf(d).YieldsTo(e.Tag) && !there(d) })
		if !slices.ContainsFunc(merged, there) {
			merged = append(merged, want)
		}
	}
	return merged
}
