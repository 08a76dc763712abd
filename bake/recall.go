// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/crane-bake/crane-bake/internal/digestcache"
	"github.com/crane-bake/crane-bake/internal/layer"
)

// packing is raised when a layer of the same sources gets other bytes.
const packing = 1

// A memory is what earlier bakes have left in a cache of digests about the
// layers of this one.
type memory struct {
	cache  *digestcache.Cache
	since  time.Time
	layers map[*bakedLayer]digestcache.Key // that can be recognised
	logger *slog.Logger
}

// recall settles the layers of p whose files an earlier bake has read. It
// returns nil where there is no cache.
func (p *Plan) recall(dir string, logger *slog.Logger) *memory {
	if dir == "" {
		return nil
	}
	m := &memory{cache: digestcache.New(dir), since: time.Now(), layers: map[*bakedLayer]digestcache.Key{}, logger: logger}
	for _, l := range p.layers {
		key, ok := p.fingerprint(l)
		if !ok || sourceSize(l) <= resolveFirst {
			continue // to read it is as fast
		}
		m.layers[l] = key
		var r layer.Result
		if m.cache.Get(key, &r) {
			l.made.Recall(r)
		}
	}
	return m
}

// sourceSize is the size of a layer's files, in bytes.
func sourceSize(l *bakedLayer) int64 {
	var size int64
	for _, it := range l.items {
		size += it.Size
	}
	return size
}

// settled is how old a change of a file must be when it is read, for a later
// change to be noticed: file systems cut times to as much as two seconds.
const settled = 2 * time.Second

// keep leaves what is known of the layers to later bakes.
func (m *memory) keep() {
	if m == nil {
		return
	}
	for l, key := range m.layers {
		r, ok := l.made.Result()
		if !ok || newest(l).After(m.since.Add(-settled)) {
			continue
		}
		if err := m.cache.Put(key, r); err != nil {
			m.logger.Info("digests are not remembered", "because", err)
			return
		}
	}
}

// stale reports whether err came of a recalled result that does not hold, which
// is then forgotten: the bake can be tried again.
func (m *memory) stale(err error) bool {
	if m == nil || m.layers == nil || !errors.Is(err, layer.ErrRecalled) {
		return false
	}
	for l, key := range m.layers {
		l.made.Forget()
		if err := m.cache.Delete(key); err != nil {
			m.logger.Info("a wrong digest stays remembered", "because", err)
		}
	}
	m.layers = nil
	return true
}

// newest is when a source of l was changed last.
func newest(l *bakedLayer) time.Time {
	var last int64
	for _, it := range l.items {
		last = max(last, it.archive.ModTime, it.archive.ChangeTime)
		for _, e := range it.entries {
			last = max(last, e.Source.ModTime, e.Source.ChangeTime)
		}
	}
	return time.Unix(0, last)
}

// fingerprint is what the bytes of a layer depend on, with the identities of its
// files in place of their contents. It reports false where a file has none.
func (p *Plan) fingerprint(l *bakedLayer) (digestcache.Key, bool) {
	type source struct {
		Name, Linkname string
		Type           byte
		Mode           uint32
		UID, GID       int
		Size           int64
		Source         layer.Identity
	}
	var none layer.Identity
	h := sha256.New()
	enc := json.NewEncoder(h)
	write := func(v any) {
		_ = enc.Encode(v) // structs of strings and numbers always encode
	}
	write([]any{packing, p.spec.Compression.String(), p.spec.Created.Unix()})
	for _, it := range l.items {
		write([]any{it.Path, it.stream != nil, it.archive, it.members})
		if it.stream != nil && it.archive == none {
			return digestcache.Key{}, false
		}
		for _, e := range it.entries {
			if e.Open != nil && e.Source == none {
				return digestcache.Key{}, false
			}
			write(source{e.Name, e.Linkname, e.Type, uint32(e.Mode), e.UID, e.GID, e.Size, e.Source})
		}
	}
	for _, name := range sortedKeys(p.dirs) {
		d := p.dirs[name]
		write(source{Name: d.Name, Type: d.Type, Mode: uint32(d.Mode), UID: d.UID, GID: d.GID})
	}
	return digestcache.Key(h.Sum(nil)), true
}
