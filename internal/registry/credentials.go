// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// credentialsLimit is how long a keychain may take. A keychain that runs
// helpers has a limit of its own, of 30 seconds as a rule, and this one is
// longer because that one's error knows the helper's name.
const credentialsLimit = 35 * time.Second

// credentials asks a keychain once for each repository: it may have other
// credentials for registry/team than for the registry.
type credentials struct {
	keychain authn.Keychain

	mu       sync.Mutex
	searches map[string]*search // by repository
}

// search is one question to the keychain, and everybody who waits for it.
type search struct {
	ctx     context.Context // ends when time is up or nobody waits any longer
	stop    context.CancelFunc
	waiting int

	found chan struct{} // closed when auth and err are set
	auth  authn.Authenticator
	err   error
}

// of finds the credentials for repo. The end of ctx ends the wait, and the
// search too unless another caller waits for it. A failure is kept like an
// answer: credentials do not turn up a little later.
func (c *credentials) of(ctx context.Context, repo name.Repository) (authn.Authenticator, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s := c.join(ctx, repo)
	defer c.leave(repo, s)
	select {
	case <-s.found:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-s.ctx.Done():
		select {
		case <-s.found: // in time, by a search that has ended
		default:
			return nil, &credentialsError{context.Cause(s.ctx)}
		}
	}
	if s.err != nil {
		return nil, &credentialsError{s.err}
	}
	return s.auth, nil
}

// join returns the search for repo, which it begins where there is none.
func (c *credentials) join(ctx context.Context, repo name.Repository) *search {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.searches[repo.Name()]
	if !ok {
		s = &search{found: make(chan struct{})}
		late := fmt.Errorf("no answer for %s within %v", repo.Name(), credentialsLimit)
		s.ctx, s.stop = context.WithTimeoutCause(context.WithoutCancel(ctx), credentialsLimit, late)
		c.searches[repo.Name()] = s
		go func() {
			defer close(s.found)
			s.auth, s.err = authn.Resolve(s.ctx, c.keychain, repo)
			s.err = endOf(s.ctx, s.err)
		}()
	}
	s.waiting++
	return s
}

// leave ends a search that nobody waits for. Given up before its time, it is
// forgotten.
func (c *credentials) leave(repo name.Repository, s *search) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.waiting--; s.waiting > 0 {
		return
	}
	select {
	case <-s.found:
	default:
		if s.ctx.Err() == nil {
			delete(c.searches, repo.Name())
		}
	}
	s.stop()
}
