// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package digestcache remembers, from one run to the next, what a pass over
// unchanged sources came to. An entry that is missing, damaged or of another
// version is one that was never there: the worst that the cache can do is to
// save nothing.
package digestcache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A Cache is a directory of entries. Several processes may use one.
type Cache struct{ dir string }

// New returns the cache in dir, which is made when the first entry is.
func New(dir string) *Cache { return &Cache{dir} }

// A Key names an entry by all that its value depends on.
type Key [sha256.Size]byte

// version is part of every entry's checksum, so that a change of what entries
// mean makes all older ones unknown.
const version = "crane-bake digest cache 1\n"

// maxAge is how long an entry that is not read is kept.
const maxAge = 60 * 24 * time.Hour

// maxEntry bounds what is read of an entry.
const maxEntry = 64 << 20

func (c *Cache) file(key Key) string {
	name := hex.EncodeToString(key[:])
	return filepath.Join(c.dir, name[:2], name[2:])
}

func checksum(key Key, value []byte) string {
	h := sha256.New()
	h.Write([]byte(version))
	h.Write(key[:])
	h.Write(value)
	return hex.EncodeToString(h.Sum(nil))
}

// Get reads the entry into value, and reports whether there is a sound one.
func (c *Cache) Get(key Key, value any) bool {
	name := c.file(key)
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEntry {
		return false
	}
	raw, err := os.ReadFile(name)
	if err != nil || len(raw) < 2*sha256.Size || checksum(key, raw[2*sha256.Size:]) != string(raw[:2*sha256.Size]) {
		return false
	}
	if json.Unmarshal(raw[2*sha256.Size:], value) != nil {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(name, now, now) // at worst it is forgotten earlier
	return true
}

// Put writes the entry. It is there as a whole or not at all.
func (c *Cache) Put(key Key, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	name := c.file(key)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(checksum(key, raw) + string(raw))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	c.prune(filepath.Dir(name))
	return nil
}

// Delete removes the entry if it is there.
func (c *Cache) Delete(key Key) error {
	err := os.Remove(c.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// prune removes what nobody has read for long from one of the cache's 256
// directories, the one that is being written to anyway.
func (c *Cache) prune(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	oldest := time.Now().Add(-maxAge)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().Before(oldest) {
			_ = os.Remove(filepath.Join(dir, e.Name())) // the next one may succeed
		}
	}
}
