// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A destination holds the old image until something is published there.
type destination struct {
	location string // as bake reads it
	file     string // of a destination in a file
	archive  bool
}

// newDestination makes one that no bake has written to; the registry's blobs
// belong to repositories, so that it has none of the bake's.
func (p *play) newDestination(t testing.TB, name string) *destination {
	t.Helper()
	if p.transport == "" {
		p.there.Push(t, name+":v1", p.old)
		return &destination{location: p.there.Host + "/" + name + ":v1"}
	}
	d := &destination{file: filepath.Join(t.TempDir(), "image"), archive: p.transport == "oci-archive"}
	d.location = p.transport + ":" + d.file + ":v1"
	if d.archive {
		layout := t.TempDir()
		writeLayout(t, layout, "v1", p.old)
		writeTar(t, d.file, layout)
	} else {
		writeLayout(t, d.file, "v1", p.old)
	}
	return d
}

// look is the digest of the image that the destination holds, every byte of
// which is verified.
func (d *destination) look(t testing.TB) v1.Hash {
	t.Helper()
	if d.file == "" {
		got := fromRegistry(t, d.location)
		got.validate(t)
		return got.digest
	}
	beside, err := os.ReadDir(filepath.Dir(d.file))
	if err != nil {
		t.Fatal(err)
	}
	if len(beside) != 1 {
		t.Errorf("left behind beside %s: %v", d.file, beside)
	}
	layout := d.file
	if d.archive {
		layout = t.TempDir()
		readTar(t, d.file, layout)
	}
	got := fromLayout(t, layout, "v1")
	got.validate(t)
	return got.digest
}

// files lists what there is of a destination in a file, and beside it.
func (d *destination) files(t testing.TB) []string {
	t.Helper()
	if d.file == "" {
		return nil
	}
	var files []string
	err := filepath.WalkDir(filepath.Dir(d.file), func(file string, _ fs.DirEntry, err error) error {
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
