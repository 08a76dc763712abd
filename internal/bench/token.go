// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// tokenServer issues tokens to anybody, and wants one with every request that
// covers what it needs: two more requests for a client, a challenge and an
// answer, wherever it needs another scope. A token is the scopes that it is
// good for.
type tokenServer struct{ realm string }

// admit reports whether the registry may have the request. Otherwise it has
// answered it, after a call of answered.
func (t *tokenServer) admit(w http.ResponseWriter, r *http.Request, answered func()) bool {
	if r.URL.Path == "/token" && r.Method == http.MethodGet {
		granted := strings.Join(r.URL.Query()["scope"], " ")
		body, err := json.Marshal(map[string]any{"token": "for " + granted, "expires_in": 300})
		if err != nil {
			panic(err) // two strings and a number always encode
		}
		answered()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the client may be gone
		return false
	}
	if r.URL.Path == "/token" {
		answered()
		w.WriteHeader(http.StatusNotFound) // of OAuth 2; clients ask with GET then
		return false
	}
	needs := scopes(r)
	token, known := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer for ")
	if known && covers(token, needs) {
		return true
	}
	challenge := `Bearer realm="` + t.realm + `",service="bench"`
	if len(needs) > 0 {
		challenge += `,scope="` + strings.Join(needs, " ") + `"`
	}
	answered()
	w.Header().Set("Www-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// scopes are what a request needs: none to be somebody.
func scopes(r *http.Request) []string {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	var repo string
	for _, kind := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if before, _, ok := strings.Cut(path, kind); ok {
			repo = before
		}
	}
	if repo == "" {
		return nil
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return []string{"repository:" + repo + ":pull"}
	}
	needs := []string{"repository:" + repo + ":pull,push"}
	if from := r.URL.Query().Get("from"); from != "" {
		needs = append(needs, "repository:"+from+":pull")
	}
	return needs
}

// covers reports whether the scopes of a token hold all actions of needs.
func covers(token string, needs []string) bool {
	has := strings.Fields(token)
	for _, need := range needs {
		at := strings.LastIndex(need, ":")
		for action := range strings.SplitSeq(need[at+1:], ",") {
			if !slices.ContainsFunc(has, func(scope string) bool {
				actions, ok := strings.CutPrefix(scope, need[:at+1])
				return ok && slices.Contains(strings.Split(actions, ","), action)
			}) {
				return false
			}
		}
	}
	return true
}
