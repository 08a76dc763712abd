// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// slowKeychain answers after a while; deaf, it does not hear of the end of its
// context.
type slowKeychain struct {
	takes time.Duration
	deaf  bool

	mu    sync.Mutex
	asked []string
	ended int // searches that heard of the end of their context
}

func (k *slowKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return nil, errors.New("asked without a context")
}

func (k *slowKeychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	k.mu.Lock()
	k.asked = append(k.asked, target.String())
	k.mu.Unlock()
	if k.deaf {
		ctx = context.WithoutCancel(ctx)
	}
	select {
	case <-time.After(k.takes):
		return &authn.Basic{Username: baker.user, Password: baker.password}, nil
	case <-ctx.Done():
		k.mu.Lock()
		defer k.mu.Unlock()
		k.ended++
		return nil, ctx.Err()
	}
}

func (k *slowKeychain) questions() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(slices.Values(k.asked))
}

// withKeychain is a client of the bubble's server, with the keychain.
func withKeychain(t *testing.T, srv *registrytest.Server, k authn.Keychain, timeout time.Duration) *registry.Client {
	t.Helper()
	return registry.New(registry.Options{Keychain: k, Timeout: timeout, Transport: pipe(t, srv)})
}

// However many ask, and for whatever they ask: each repository has its own
// credentials, which are searched once, and whose search is not the registry's
// time.
func TestCredentialsOfEachRepository(t *testing.T) {
	bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
		k := &slowKeychain{takes: 20 * time.Second}
		c := withKeychain(t, srv, k, time.Second)
		start := time.Now()
		var all sync.WaitGroup
		for i := range 8 {
			name := inMemory + "team/" + []string{"app", "base"}[i%2]
			all.Go(func() {
				repo := repository(t, c, name)
				if _, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest); err != nil {
					t.Error(err)
				}
				if err := repo.Upload(t.Context(), registry.Bytes(sized(100, byte(i)))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(start); took != k.takes {
			t.Errorf("took %v, want one search's %v", took, k.takes)
		}
		if diff := cmp.Diff([]string{inMemory + "team/app", inMemory + "team/base"}, k.questions()); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})
}

// A keychain that hangs, whether or not it hears of a context's end, is given
// up for good.
func TestCredentialsNeverFound(t *testing.T) {
	for name, deaf := range map[string]bool{"deaf": true, "listening": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
				k := &slowKeychain{takes: time.Hour, deaf: deaf}
				repo := repository(t, withKeychain(t, srv, k, time.Second), inMemory+"team/app")
				for _, want := range []time.Duration{35 * time.Second, 0} {
					start := time.Now()
					err := repo.Upload(t.Context(), registry.Bytes(small))
					if diff := cmp.Diff([]string{"denied"}, kindsOf(err)); diff != "" {
						t.Errorf("kinds of %v (-want +got):\n%s", err, diff)
					}
					if err == nil || !strings.HasSuffix(err.Error(), "finding credentials: no answer for registry.test/team/app within 35s") {
						t.Errorf("got %v, want it to name the repository and the limit", err)
					}
					if took := time.Since(start); took != want {
						t.Errorf("took %v, want %v", took, want)
					}
				}
				if got := k.questions(); len(got) != 1 {
					t.Errorf("asked %q, want once", got)
				}
				time.Sleep(2 * time.Hour) // of the bubble's time, until the deaf one ends
			})
		})
	}
}

// The end of the context ends a search at once, for the keychain too; another
// run of the same client searches anew.
func TestCredentialsCancelled(t *testing.T) {
	for name, deaf := range map[string]bool{"deaf": true, "listening": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
				k := &slowKeychain{takes: 20 * time.Second, deaf: deaf}
				repo := repository(t, withKeychain(t, srv, k, time.Second), inMemory+"team/app")
				ctx, cancel := context.WithCancelCause(t.Context())
				done := make(chan error, 1)
				go func() { done <- repo.Upload(ctx, registry.Bytes(small)) }()
				synctest.Wait()
				start, reason := time.Now(), errors.New("enough")
				cancel(reason)
				if err := <-done; !errors.Is(err, reason) || time.Since(start) != 0 {
					t.Errorf("after %v: %v", time.Since(start), err)
				}
				synctest.Wait()
				if !deaf && k.ended != 1 {
					t.Errorf("%d searches ended, want 1", k.ended)
				}
				if err := repo.Upload(t.Context(), registry.Bytes(small)); err != nil {
					t.Error(err)
				}
				if got := k.questions(); len(got) != 2 {
					t.Errorf("asked %q, want twice", got)
				}
			})
		})
	}
}

// Who gives up a search does not end it for those who still wait.
func TestCredentialsCancelledForOne(t *testing.T) {
	bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
		k := &slowKeychain{takes: 20 * time.Second}
		repo := repository(t, withKeychain(t, srv, k, time.Second), inMemory+"team/app")
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- repo.Upload(ctx, registry.Bytes(small)) }()
		synctest.Wait()
		go func() { second <- repo.Upload(t.Context(), registry.Bytes(small)) }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if err := <-second; err != nil {
			t.Error(err)
		}
		if got := k.questions(); len(got) != 1 {
			t.Errorf("asked %q, want once", got)
		}
	})
}
