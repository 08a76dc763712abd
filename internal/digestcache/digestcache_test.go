// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package digestcache_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/digestcache"
)

// entries is the files of a cache.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := digestcache.New(dir)
	var got []string
	if c.Get(digestcache.Key{1}, &got) {
		t.Error("an empty cache knows something")
	}
	if err := c.Put(digestcache.Key{1}, []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	if !c.Get(digestcache.Key{1}, &got) || strings.Join(got, " ") != "a b" {
		t.Errorf("got %q", got)
	}
	if c.Get(digestcache.Key{2}, &got) {
		t.Error("another key's entry is known")
	}
	if err := c.Delete(digestcache.Key{1}); err != nil || c.Get(digestcache.Key{1}, &got) {
		t.Errorf("the entry is there after Delete: %v", err)
	}
	if err := c.Delete(digestcache.Key{1}); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
}

// A damaged entry, whatever the damage, is none.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	c := digestcache.New(dir)
	if err := c.Put(digestcache.Key{1}, map[string]int{"size": 10}); err != nil {
		t.Fatal(err)
	}
	name := entries(t, dir)[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	damaged := [][]byte{nil, whole[:len(whole)-1], append(whole[:len(whole):len(whole)], ' '), whole[:10]}
	for i := range whole {
		flipped := append([]byte(nil), whole...)
		flipped[i] ^= 1
		damaged = append(damaged, flipped)
	}
	for _, content := range damaged {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var got map[string]int
		if c.Get(digestcache.Key{1}, &got) {
			t.Fatalf("read %v from %q", got, content)
		}
	}
	// Nor is the entry of another key in its place.
	if err := os.WriteFile(name, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(digestcache.Key{2}, 2); err != nil {
		t.Fatal(err)
	}
	for _, other := range entries(t, dir) {
		if other == name {
			continue
		}
		if err := os.Rename(name, other); err != nil {
			t.Fatal(err)
		}
	}
	var got map[string]int
	if c.Get(digestcache.Key{2}, &got) {
		t.Errorf("read %v, which is another key's", got)
	}
}

func TestPrune(t *testing.T) {
	dir := t.TempDir()
	c := digestcache.New(dir)
	if err := c.Put(digestcache.Key{1, 1}, 1); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-365 * 24 * time.Hour)
	if err := os.Chtimes(entries(t, dir)[0], old, old); err != nil {
		t.Fatal(err)
	}
	if err := c.Put(digestcache.Key{1, 2}, 2); err != nil {
		t.Fatal(err)
	}
	if names := entries(t, dir); len(names) != 1 {
		t.Errorf("files %q, want the new entry alone", names)
	}
}

// Where nothing can be written, Put says so.
func TestNoDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := digestcache.New(filepath.Join(dir, "file", "cache"))
	if err := c.Put(digestcache.Key{}, 1); err == nil {
		t.Error("no error")
	}
	var got int
	if c.Get(digestcache.Key{}, &got) {
		t.Error("something is known")
	}
}
