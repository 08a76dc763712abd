// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// TestTokensExpire holds an upload back until its token is over: what follows
// needs another one.
func TestTokensExpire(t *testing.T) {
	t.Parallel()
	v := &vault{}
	registry, tokens := startTokenRegistry(t, v)
	baker := v.account("baker", "hourglass of the baker")
	tokens.allow(baker, "team/*", "pull,push")
	pushAs(t, registry+"/team/engine:v1", baker, registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 1}))
	tokens.setLifetime(2 * time.Second) // less a part of a second: tokens count whole ones

	var once sync.Once
	held := make(chan time.Time, 1)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: registry})
			r.Out.Host = r.In.Host
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/uploads/") && r.Method != http.MethodPost {
			once.Do(func() {
				select {
				case <-time.After(2 * time.Second):
					held <- time.Now()
				case <-r.Context().Done():
				}
			})
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	host := front.Listener.Addr().String()

	tokens.requests()
	auth := v.authFile(t, map[string]string{host: baker})
	v.bake(t, nil, host+"/team/engine:v1", host+"/team/scorer:v1", append(largeAsset(t, 8<<20), "--authfile", auth)...)
	if len(held) == 0 {
		t.Error("no upload was held back")
	}
	pushing := 0
	for _, r := range tokens.requests() {
		mounts := slices.ContainsFunc(r.scopes, func(s string) bool { return strings.Contains(s, "team/engine") })
		if !mounts && slices.Contains(r.scopes, "repository:team/scorer:push,pull") {
			pushing++
		}
	}
	if pushing < 2 {
		t.Errorf("%d tokens to push were asked for, want another one after the first was over", pushing)
	}
	tokens.setLifetime(time.Minute)
	fromRegistry(t, registry+"/team/scorer:v1", as(baker)).validate(t)
}
