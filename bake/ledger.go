// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"slices"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A ledger knows, for all calls that share a Remote, which repositories hold
// which blobs, and who is sending one: a blob that many images share goes to a
// registry once, and from there into its other repositories by mounting.
type ledger struct {
	mu      sync.Mutex
	holders map[stored]*holders
	flights map[stored]chan struct{} // holds an element while somebody sends the blob
}

// stored is a blob in a registry.
type stored struct {
	registry string
	digest   v1.Hash
}

// holders are the repositories of one registry that hold a blob.
type holders struct {
	first name.Repository
	all   map[string]bool // by name
}

func newLedger() *ledger {
	return &ledger{holders: map[stored]*holders{}, flights: map[stored]chan struct{}{}}
}

// add notes that repo holds the blob.
func (l *ledger) add(repo name.Repository, digest v1.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := stored{repo.RegistryStr(), digest}
	h, ok := l.holders[key]
	if !ok {
		h = &holders{first: repo, all: map[string]bool{}}
		l.holders[key] = h
	}
	h.all[repo.RepositoryStr()] = true
}

// holds reports whether repo is known to hold the blob.
func (l *ledger) holds(repo name.Repository, digest v1.Hash) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.holders[stored{repo.RegistryStr(), digest}]
	return ok && h.all[repo.RepositoryStr()]
}

// holder is the first repository of the registry that was known to hold the
// blob: always the same one, so that a registry that mounts nothing is asked
// once.
func (l *ledger) holder(registry string, digest v1.Hash) (name.Repository, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.holders[stored{registry, digest}]
	if !ok {
		return name.Repository{}, false
	}
	return h.first, true
}

// count is how many repositories of the registry are known to hold the blob.
func (l *ledger) count(registry string, digest v1.Hash) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.holders[stored{registry, digest}]
	if !ok {
		return 0
	}
	return len(h.all)
}

// board waits until nobody else sends the blob to any of the registries; until
// release is called, everybody else who boards waits. The caller must hold
// nothing that a sender needs.
func (l *ledger) board(ctx context.Context, registries []string, digest v1.Hash) (release func(), err error) {
	var taken []chan struct{}
	release = func() {
		for _, f := range taken {
			<-f
		}
	}
	// In an order that everybody keeps: nobody waits in a circle.
	for _, registry := range slices.Sorted(slices.Values(registries)) {
		f := l.flight(stored{registry, digest})
		if err := acquire(ctx, f); err != nil {
			release()
			return nil, err
		}
		taken = append(taken, f)
	}
	return release, nil
}

func (l *ledger) flight(key stored) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.flights[key]
	if !ok {
		f = make(chan struct{}, 1)
		l.flights[key] = f
	}
	return f
}
