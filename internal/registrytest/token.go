// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tokens are what a token server has issued.
type tokens struct {
	auth  *Auth
	realm string

	mu     sync.Mutex
	issued map[string]*token
}

type token struct {
	scope   map[demand]bool
	uses    int // left; negative is any number
	expires time.Time
}

const defaultLifetime = 5 * time.Minute

// serve answers GET /token?service=S&scope=repository:NAME:ACTIONS, with scope
// repeated or its values separated by spaces.
func (s *tokens) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // clients try OAuth 2 and fall back on 404
		refuse(w, r, http.StatusNotFound, "UNSUPPORTED", "the token server knows GET only")
		return
	}
	rights, ok := s.auth.user(r)
	if !ok {
		w.Header().Set("Www-Authenticate", `Basic realm="registrytest"`)
		refuse(w, r, http.StatusUnauthorized, "UNAUTHORIZED", "wrong name or password")
		return
	}
	b := s.auth.Bearer
	scopes := strings.Fields(strings.Join(r.URL.Query()["scope"], " "))
	if len(scopes) > 1 && b.Combined != 0 {
		refuse(w, r, b.Combined, "DENIED", "one scope at a time")
		return
	}
	if len(scopes) > 1 && b.FirstScope {
		scopes = scopes[:1]
	}
	granted, all := grant(rights, scopes)
	if !all && b.Strict != 0 {
		refuse(w, r, b.Strict, "DENIED", "requested access to the resource is denied")
		return
	}
	s.issue(w, r, granted)
}

// grant reports which of the scopes' actions the rights allow, and whether
// those are all.
func grant(rights []Right, scopes []string) (granted map[demand]bool, all bool) {
	granted, all = map[demand]bool{}, true
	for _, scope := range scopes {
		part := strings.Split(scope, ":")
		if len(part) != 3 || part[0] != "repository" {
			all = false
			continue
		}
		for action := range strings.SplitSeq(part[2], ",") {
			d := demand{part[1], action}
			if allowed(rights, d) {
				granted[d] = true
			} else {
				all = false
			}
		}
	}
	return granted, all
}

func (s *tokens) issue(w http.ResponseWriter, r *http.Request, scope map[demand]bool) {
	b := s.auth.Bearer
	t := &token{scope: scope, uses: -1}
	if b.Uses > 0 {
		t.uses = b.Uses
	}
	lifetime := b.Lifetime
	if lifetime == 0 {
		lifetime = defaultLifetime
	}
	now := time.Now()
	t.expires = now.Add(lifetime)
	name := rand.Text()
	s.mu.Lock()
	s.issued[name] = t
	s.mu.Unlock()
	body, err := json.Marshal(map[string]any{
		"token":        name,
		"access_token": name,
		"expires_in":   int(lifetime.Seconds()),
		"issued_at":    now.UTC().Format(time.RFC3339),
	})
	if err != nil {
		refuse(w, r, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client may be gone
}

// identify uses the request's token up by one.
func (s *tokens) identify(r *http.Request) (may func(demand) bool, known bool) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.issued[name]
	if t == nil || t.uses == 0 || !time.Now().Before(t.expires) {
		return nil, false
	}
	if t.uses > 0 {
		t.uses--
	}
	return func(d demand) bool { return t.scope[d] }, true
}
