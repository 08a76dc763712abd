// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Entry is an entry of an index.json.
type Entry struct {
	v1.Descriptor
	Tag string // empty for none
}

// refName is the annotation that tags an entry of index.json (OCI image-spec,
// annotations.md).
const refName = "org.opencontainers.image.ref.name"

// Entries lists the index.json of the OCI image layout in fsys.
func Entries(fsys fs.FS) ([]Entry, error) {
	if _, err := fs.Stat(fsys, "oci-layout"); err != nil {
		return nil, errors.New("not an OCI image layout: it has no file oci-layout")
	}
	index, err := readIndex(fsys)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(index.Manifests))
	for i, d := range index.Manifests {
		entries[i] = Entry{d, d.Annotations[refName]}
	}
	return entries, nil
}

func readIndex(fsys fs.FS) (*v1.IndexManifest, error) {
	f, err := fsys.Open("index.json")
	if err != nil {
		return nil, fmt.Errorf("not an OCI image layout: %w", err)
	}
	defer f.Close()
	index, err := v1.ParseIndexManifest(f)
	if err != nil {
		return nil, fmt.Errorf("reading index.json: %w", err)
	}
	return index, nil
}

// entries is what the image has in an index.json. No tag is a name of its own:
// the entry without one.
func (i Image) entries(tags []string) []Entry {
	if len(tags) == 0 {
		tags = []string{""}
	}
	var entries []Entry
	for _, t := range tags {
		entries = append(entries, Entry{i.Top, t})
	}
	return append(entries, i.Attached...)
}

// holdsAll reports whether every entry is in an index.json as it is.
func holdsAll(index []v1.Descriptor, entries []Entry) bool {
	for _, e := range entries {
		same := func(d v1.Descriptor) bool { return reflect.DeepEqual(d, e.tagged()) }
		if !slices.ContainsFunc(index, same) {
			return false
		}
	}
	return true
}

// tagged is the entry in the words of an index.json.
func (e Entry) tagged() v1.Descriptor {
	d := v1.Descriptor{MediaType: e.MediaType, Size: e.Size, Digest: e.Digest, Platform: e.Platform}
	if e.Tag != "" {
		d.Annotations = map[string]string{refName: e.Tag}
	}
	return d
}

// retag returns an index.json in which every entry's tag names the entry.
func retag(index []v1.Descriptor, entries []Entry) []v1.Descriptor {
	moved := map[string]bool{}
	for _, e := range entries {
		moved[e.Tag] = true
	}
	var kept []v1.Descriptor
	for _, d := range index {
		if !moved[d.Annotations[refName]] {
			kept = append(kept, d)
		}
	}
	for _, e := range entries {
		kept = append(kept, e.tagged())
	}
	return kept
}
