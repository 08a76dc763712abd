// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/layer"
)

func TestResolveSharesOnePass(t *testing.T) {
	var passes atomic.Int32
	l := newLayer(t, func(yield func(layer.Entry, error) bool) {
		passes.Add(1)
		yield(fileOf("f", words(3, 100_000)), nil)
	}, layer.Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := l.Resolve(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := passes.Load(); n != 1 {
		t.Errorf("%d passes, want 1", n)
	}
}

func TestResolveAfterFailure(t *testing.T) {
	broken := errors.New("disk on fire")
	fail := true
	l := newLayer(t, func(yield func(layer.Entry, error) bool) {
		if fail {
			yield(layer.Entry{}, broken)
			return
		}
		yield(fileOf("f", []byte("x")), nil)
	}, layer.Options{})
	if _, err := l.Digest(); !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
	if l.Resolved() {
		t.Fatal("resolved by a failed pass")
	}
	fail = false
	if got, err := l.Size(); err != nil || got == 0 {
		t.Errorf("after the failure: size %d, %v", got, err)
	}
}

func TestConcurrentPasses(t *testing.T) {
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			l := newLayer(t, treeEntries(t), layer.Options{Algorithm: algorithm})
			sums := make([]string, 6)
			var wg sync.WaitGroup
			for i := range sums {
				wg.Go(func() {
					r, err := l.Open(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					defer r.Close()
					data, err := io.ReadAll(r)
					if err != nil {
						t.Error(err)
					}
					sums[i] = sum(data)
				})
			}
			wg.Wait()
			want := slices.Repeat([]string{digestOf(t, l)}, len(sums))
			if diff := cmp.Diff(want, sums); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOpenSettles(t *testing.T) {
	l := newLayer(t, treeEntries(t), layer.Options{})
	r, err := l.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Resolved() {
		t.Fatal("not resolved at the end of the stream")
	}
	want := v1.Hash{Algorithm: "sha256", Hex: sum(data)}
	if got, err := l.Digest(); err != nil || got != want {
		t.Errorf("digest %s, %v; want %s", got, err, want)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestResolveWaiterCancelled(t *testing.T) {
	started, finish := make(chan struct{}), make(chan struct{})
	l := newLayer(t, func(yield func(layer.Entry, error) bool) {
		close(started)
		<-finish
		yield(fileOf("f", nil), nil)
	}, layer.Options{})
	done := make(chan error)
	go func() { done <- l.Resolve(t.Context()) }()
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Resolve(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("waiter: %v, want %v", err, context.Canceled)
	}
	close(finish)
	if err := <-done; err != nil {
		t.Errorf("first caller: %v", err)
	}
}
