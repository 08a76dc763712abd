// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"net/http"
	"strings"
	"time"
)

// Auth says who may do what.
type Auth struct {
	Users map[string]User // by name
	// Anonymous is what a client without credentials may do.
	Anonymous []Right
	// Bearer makes clients fetch tokens at /token. Nil is Basic throughout.
	Bearer *Bearer
	// MountRefusal is the status of a mount whose source the client may not
	// pull: 401, 403 or 404, or 202 for a session. Zero is 401 with Bearer,
	// whose challenge names the source too, and 403 with Basic.
	MountRefusal int
}

// A User is somebody who may do what any of the rights allows.
type User struct {
	Password string
	Rights   []Right
}

// A Right allows actions ("pull", "push", "delete") on the repositories that
// match the pattern, in which each "*" stands for any run of characters.
type Right struct {
	Repos   string
	Actions []string
}

// Bearer is a token server. The zero value follows the distribution project's
// token specification: it grants of the requested scopes what the user may
// have, and a token is good for five minutes.
type Bearer struct {
	// Uses is how many requests a token is good for; zero is any number.
	Uses int
	// Lifetime is how long a token is good; zero is five minutes.
	Lifetime time.Duration
	// Strict is the status, 401 or 403, of a request for more than the user
	// may have. Zero grants a subset without a word.
	Strict int
	// Combined is the status, 401 or 403, of a request for more than one
	// scope. Zero accepts it.
	Combined int
	// FirstScope grants only the first scope of a request.
	FirstScope bool
}

// A demand is an action on a repository. The zero value is to be somebody.
type demand struct{ repo, action string }

// demands are what a request needs, and what its mount needs on top.
func demands(r *http.Request) (own []demand, source *demand) {
	repo := repoOf(r.URL.Path)
	if repo == "" {
		return nil, nil
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		own = []demand{{repo, "pull"}}
	case http.MethodDelete:
		own = []demand{{repo, "delete"}}
		if strings.Contains(r.URL.Path, "/blobs/uploads/") {
			own = []demand{{repo, "pull"}, {repo, "push"}}
		}
	default:
		own = []demand{{repo, "pull"}, {repo, "push"}}
	}
	if q := r.URL.Query(); q.Has("mount") && q.Get("from") != "" {
		source = &demand{q.Get("from"), "pull"}
	}
	return own, source
}

func allowed(rights []Right, d demand) bool {
	for _, right := range rights {
		if !glob(right.Repos)(d.repo) {
			continue
		}
		for _, action := range right.Actions {
			if action == d.action {
				return true
			}
		}
	}
	return false
}

// An authority admits requests by the rights of their credentials.
type authority struct {
	*Auth
	tokens *tokens // nil: Basic
}

func newAuthority(a *Auth, url string) *authority {
	if a.Bearer == nil {
		return &authority{Auth: a}
	}
	return &authority{Auth: a, tokens: &tokens{auth: a, realm: url + "/token", issued: map[string]*token{}}}
}

// user is the rights of a name and password.
func (a *Auth) user(r *http.Request) (rights []Right, ok bool) {
	name, password, given := r.BasicAuth()
	if !given {
		return a.Anonymous, a.Anonymous != nil
	}
	u, known := a.Users[name]
	return u.Rights, known && u.Password == password
}

// admit reports whether the registry may handle the request. Otherwise it has
// answered it.
func (a *authority) admit(w http.ResponseWriter, r *http.Request) bool {
	if a.tokens != nil && r.URL.Path == "/token" {
		a.tokens.serve(w, r)
		return false
	}
	may, known := a.identify(r)
	own, source := demands(r)
	if !known {
		a.challenge(w, own, source, "")
		refuse(w, r, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return false
	}
	for _, d := range own {
		if !may(d) {
			a.deny(w, r, own, source)
			return false
		}
	}
	if source == nil || may(*source) {
		return true
	}
	return a.admitMount(w, r, own, source)
}

// identify makes of the credentials a function that says what they allow.
func (a *authority) identify(r *http.Request) (may func(demand) bool, known bool) {
	if a.tokens != nil {
		return a.tokens.identify(r)
	}
	rights, known := a.user(r)
	return func(d demand) bool { return allowed(rights, d) }, known
}

// deny answers as registries do: with tokens, insufficient scope is another
// challenge; with passwords there is nothing more to ask for.
func (a *authority) deny(w http.ResponseWriter, r *http.Request, own []demand, source *demand) {
	status, code := http.StatusForbidden, "DENIED"
	if a.tokens != nil {
		status, code = http.StatusUnauthorized, "UNAUTHORIZED"
		a.challenge(w, own, source, "insufficient_scope")
	}
	refuse(w, r, status, code, "requested access to the resource is denied")
}

// admitMount answers for a mount whose source is out of bounds, or turns it
// into the start of an upload.
func (a *authority) admitMount(w http.ResponseWriter, r *http.Request, own []demand, source *demand) bool {
	switch a.MountRefusal {
	case 0:
		a.deny(w, r, own, source)
	case http.StatusAccepted:
		r.URL.RawQuery = ""
		return true
	case http.StatusUnauthorized:
		a.challenge(w, own, source, "insufficient_scope")
		refuse(w, r, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	case http.StatusNotFound:
		refuse(w, r, http.StatusNotFound, "NAME_UNKNOWN", "repository unknown to the registry")
	default:
		refuse(w, r, a.MountRefusal, "DENIED", "requested access to the resource is denied")
	}
	return false
}

func (a *authority) challenge(w http.ResponseWriter, own []demand, source *demand, reason string) {
	if a.tokens == nil {
		w.Header().Set("Www-Authenticate", `Basic realm="registrytest"`)
		return
	}
	value := `Bearer realm="` + a.tokens.realm + `",service="registrytest"`
	if len(own) > 0 {
		var actions []string
		for _, d := range own {
			actions = append(actions, d.action)
		}
		scope := "repository:" + own[0].repo + ":" + strings.Join(actions, ",")
		if source != nil {
			scope += " repository:" + source.repo + ":pull"
		}
		value += `,scope="` + scope + `"`
	}
	if reason != "" {
		value += `,error="` + reason + `"`
	}
	w.Header().Set("Www-Authenticate", value)
}
