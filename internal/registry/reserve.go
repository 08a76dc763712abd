// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// releaseLimit is how long Release may take. Registries end abandoned sessions
// too, some after a week.
const releaseLimit = 5 * time.Second

// reservation is an upload session that was opened ahead of its blob.
type reservation struct {
	cancel context.CancelFunc
	opened chan struct{} // closed when the registry has answered
	at     url.URL
	err    error
}

// Reserve opens an upload session in the background, for a blob that is still
// being made: its Upload then takes one round trip less. A reservation that
// fails costs nothing but itself; one that is not used is ended by Release.
func (r *Repository) Reserve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	res := &reservation{cancel: cancel, opened: make(chan struct{})}
	r.mu.Lock()
	r.reserved = append(r.reserved, res)
	r.mu.Unlock()
	go func() {
		defer close(res.opened)
		defer cancel()
		res.at, res.err = r.openUpload(ctx)
	}()
}

// keep makes a reservation of a session that is open and has no use.
func (r *Repository) keep(at url.URL) {
	res := &reservation{cancel: func() {}, opened: make(chan struct{}), at: at}
	close(res.opened)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reserved = append(r.reserved, res)
}

// takeReserved returns a session of Reserve or keep, if there is one.
func (r *Repository) takeReserved(ctx context.Context) (url.URL, bool) {
	for {
		r.mu.Lock()
		if len(r.reserved) == 0 {
			r.mu.Unlock()
			return url.URL{}, false
		}
		res := r.reserved[0]
		r.reserved = r.reserved[1:]
		r.mu.Unlock()
		select {
		case <-res.opened:
			if res.err == nil {
				return res.at, true
			}
		case <-ctx.Done():
			r.mu.Lock()
			r.reserved = slices.Insert(r.reserved, 0, res) // for Release
			r.mu.Unlock()
			return url.URL{}, false
		}
	}
}

// Release ends the sessions that were reserved and not used, and returns when
// nothing of them is under way: at the latest 5 seconds later, or when ctx
// ends. What the registry has not ended by then, or refuses to, is left to it.
func (r *Repository) Release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	r.mu.Lock()
	left := r.reserved
	r.reserved = nil
	r.mu.Unlock()
	var all sync.WaitGroup
	for _, res := range left {
		all.Go(func() {
			stop := context.AfterFunc(ctx, res.cancel)
			defer stop()
			<-res.opened
			if res.err != nil || r.host.keepsSessions.Load() {
				return
			}
			err := r.endUpload(ctx, res.at)
			refused := statusOf(err) >= 400 && !passing(err)
			if err != nil && !(refused && r.host.keepsSessions.Swap(true)) {
				r.host.client.opts.Logger.Info("a session stays open", "in", r.name, "because", err)
			}
		})
	}
	all.Wait()
}

// endUpload ends a session without a blob. It has a token of its own, because
// some registries take the right to delete for it, which a token server may
// refuse, and those of the uploads must not be the worse for it.
func (r *Repository) endUpload(ctx context.Context, at url.URL) error {
	res, err := r.host.send(ctx, request{
		op:     fmt.Sprintf("ending an upload to %s", r.name),
		method: http.MethodDelete,
		url:    at,
		scopes: access{r.name, []string{r.name.Scope(transport.DeleteScope)}},
		expect: []int{http.StatusNoContent, http.StatusOK, http.StatusAccepted, http.StatusNotFound},
	})
	if err != nil {
		return err
	}
	finish(res)
	return nil
}
