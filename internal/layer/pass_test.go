// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// checkGoroutines fails where there are more goroutines than before; those of
// a cancelled context may need a moment to end.
func checkGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, want %d", runtime.NumGoroutine(), before)
		}
	}
}

func TestEarlyClose(t *testing.T) {
	for _, algorithm := range algorithms {
		for _, read := range []int64{0, 1, 100, 100_000} {
			l := newLayer(t, sequence(file("f", 1<<40, func() io.Reader {
				return rand.NewChaCha8([32]byte{})
			})), layer.Options{Algorithm: algorithm})
			before := runtime.NumGoroutine()
			r, err := l.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, r, read); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Errorf("%s: %v", algorithm, err)
			}
			if l.Resolved() {
				t.Errorf("%s: resolved", algorithm)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
				t.Errorf("%s: Read after Close: %d, %v", algorithm, n, err)
			}
			checkGoroutines(t, before)
		}
	}
}

// Close after the last byte, but before the end of file was seen.
func TestCloseBeforeEOF(t *testing.T) {
	entries := sequence(fileOf("f", []byte("content")))
	size, err := newLayer(t, entries, layer.Options{}).Size()
	if err != nil {
		t.Fatal(err)
	}
	l := newLayer(t, entries, layer.Options{})
	r, err := l.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, r, size); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if l.Resolved() {
		t.Error("resolved")
	}
}

func TestCancel(t *testing.T) {
	reason := errors.New("lost interest")
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancelCause(t.Context())
			l := newLayer(t, sequence(endless("f", 1<<40)), layer.Options{Algorithm: algorithm})
			r, err := l.Open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
				t.Fatal(err)
			}
			cancel(reason)
			if _, err := io.Copy(io.Discard, r); !errors.Is(err, reason) {
				t.Errorf("got %v, want %v", err, reason)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			checkGoroutines(t, before)
		})
	}
}

// cancelling cancels after some bytes were read.
type cancelling struct {
	cancel func()
	left   int
}

func (c *cancelling) Read(p []byte) (int, error) {
	if c.left -= len(p); c.left < 0 {
		c.cancel()
	}
	return zeros{}.Read(p)
}

func TestCancelResolve(t *testing.T) {
	for _, algorithm := range algorithms {
		before := runtime.NumGoroutine()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := newLayer(t, sequence(file("f", 1<<40, func() io.Reader {
			return &cancelling{cancel, 5 << 20}
		})), layer.Options{Algorithm: algorithm})
		if err := l.Resolve(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", algorithm, err, context.Canceled)
		}
		checkGoroutines(t, before)
	}
}

func TestOpenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := newLayer(t, sequence(fileOf("f", nil)), layer.Options{})
	r, err := l.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// A failing source must not leave a compressor behind.
func TestFailureEndsGoroutines(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, algorithm := range algorithms {
		before := runtime.NumGoroutine()
		l := newLayer(t, sequence(file("f", 1<<30, func() io.Reader {
			return io.MultiReader(io.LimitReader(zeros{}, 5<<20), failing{broken})
		})), layer.Options{Algorithm: algorithm})
		r, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want %v", algorithm, err, broken)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		checkGoroutines(t, before)
	}
}

type closing struct {
	io.Reader
	closed *atomic.Bool
}

func (c closing) Close() error {
	// The other goroutine gets its chance to be too early.
	for range 1000 {
		runtime.Gosched()
	}
	c.closed.Store(true)
	return nil
}

// A caller may remove its files as soon as Close returns.
func TestCloseWaitsForSources(t *testing.T) {
	var closed atomic.Bool
	e := endless("f", 1<<40)
	e.Open = func() (io.ReadCloser, error) { return closing{zeros{}, &closed}, nil }
	r, err := newLayer(t, sequence(e), layer.Options{Algorithm: "none"}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, r, 1000); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if !closed.Load() {
		t.Error("the source is still open")
	}
}
