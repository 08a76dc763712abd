// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"bytes"
	"io"
	"io/fs"
	"strings"
	"sync"
)

// A backend keeps objects under slash-separated keys. A missing object is
// fs.ErrNotExist. An object appears, changes and goes in one step.
type backend interface {
	stage() (staged, error)
	open(key string) (object io.ReadSeekCloser, size int64, err error)
	put(key string, data []byte) error
	has(key string) (bool, error)
	remove(key string) error
	list(dir string) ([]string, error) // the names directly below dir, in no order
	close() error
}

// A staged object is written before its key is known. It ends with commit or
// discard; discard after commit does nothing.
type staged interface {
	io.Writer
	// reread reads what was written so far.
	reread() (io.ReadCloser, error)
	// flush makes what was written durable; commit does not wait for it.
	flush() error
	commit(key string) error
	discard() error
}

func newMemory() *memory { return &memory{objects: map[string][]byte{}} }

type memory struct {
	mu      sync.RWMutex
	objects map[string][]byte
}

func (m *memory) stage() (staged, error) { return &stagedBuffer{memory: m}, nil }

func (m *memory) open(key string) (io.ReadSeekCloser, int64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	data, ok := m.objects[key]
	if !ok {
		return nil, 0, fs.ErrNotExist
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(data), io.NopCloser(nil)}, int64(len(data)), nil
}

func (m *memory) put(key string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = data
	return nil
}

func (m *memory) has(key string) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.objects[key]
	return ok, nil
}

func (m *memory) remove(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; !ok {
		return fs.ErrNotExist
	}
	delete(m.objects, key)
	return nil
}

func (m *memory) list(dir string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	seen := map[string]bool{}
	var names []string
	for key := range m.objects {
		rest, ok := strings.CutPrefix(key, dir+"/")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, "/")
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

func (m *memory) close() error { return nil }

type stagedBuffer struct {
	bytes.Buffer
	memory *memory
}

func (b *stagedBuffer) reread() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(b.Bytes())), nil
}

func (b *stagedBuffer) flush() error { return nil }

func (b *stagedBuffer) commit(key string) error { return b.memory.put(key, b.Bytes()) }

func (b *stagedBuffer) discard() error { return nil }
