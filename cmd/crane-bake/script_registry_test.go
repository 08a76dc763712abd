// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A world is what one script has beside its files.
type world struct {
	t          testing.TB
	registries map[string]*scriptRegistry // by HOST:PORT
	before     map[string]string          // of the command snapshot
	served     []*exec.Cmd                // of the command serve
	started    []*exec.Cmd                // that interrupt was sent to
}

// scriptRegistry is a registry, and how the script itself gets into it.
type scriptRegistry struct {
	*registrytest.Server
	auth authn.Authenticator
	held chan struct{} // closed at the first request that hold= names
}

type worldKey struct{}

func newWorld(t testing.TB) *world {
	return &world{t: t, registries: map[string]*scriptRegistry{}}
}

func theWorld(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// options of the registry command are words KEY=VALUE.
type options map[string]string

func parseOptions(ts *testscript.TestScript, args []string, known string) options {
	o := options{}
	for _, a := range args {
		key, value, _ := strings.Cut(a, "=")
		if !slices.Contains(strings.Fields(known), key) {
			ts.Fatalf("unknown option %q; known: %s", key, known)
		}
		o[key] = value
	}
	return o
}

func (o options) number(ts *testscript.TestScript, key string) int {
	if _, ok := o[key]; !ok {
		return 0
	}
	return number(ts, o[key])
}

// startRegistryFor runs a registry:
//
//	auth=USER:PASSWORD    only with this password, by Basic; bearer=… by token
//	pullonly              anybody may read, nobody may write (auth only)
//	tls=FILE              https; FILE gets the certificate of its authority
//	readonly=STATUS, full=STATUS, immutable=STATUS, rate=BYTES
//	                      as registrytest.Options
//	on='METHOD PATTERN'   what the following are about; all requests
//	  status=STATUS, retry-after=SECONDS, corrupt, cut=BYTES, times=N
//	hold='METHOD PATTERN' interrupt waits for such a request, which is never
//	                      answered; with rate, which is not read at once
//
// The script's own commands meet no faults.
func startRegistryFor(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) > 0, "registry NAME [OPTION...]")
	o := parseOptions(ts, args[1:], "tls auth bearer pullonly readonly full immutable rate on status retry-after corrupt cut times hold")
	r := &scriptRegistry{auth: authn.Anonymous, held: make(chan struct{})}
	opts := registrytest.Options{
		ReadOnly: o.number(ts, "readonly"), Full: o.number(ts, "full"), Immutable: o.number(ts, "immutable"),
		UploadRate: int64(o.number(ts, "rate")),
		Auth:       r.authOf(o),
		Faults:     r.faults(ts, o),
	}
	_, opts.TLS = o["tls"]
	r.Server = registrytest.Start(theWorld(ts).t, opts)
	if opts.TLS {
		ts.Check(os.WriteFile(ts.MkAbs(o["tls"]), r.CA, 0o666))
	}
	theWorld(ts).registries[r.Host] = r
	ts.Setenv(args[0], r.Host)
}

func (r *scriptRegistry) authOf(o options) *registrytest.Auth {
	user, password, ok := strings.Cut(o["auth"]+o["bearer"], ":")
	if !ok {
		return nil
	}
	r.auth = &authn.Basic{Username: user, Password: password}
	right := registrytest.Right{Repos: "*", Actions: []string{"pull", "push", "delete"}}
	a := &registrytest.Auth{Users: map[string]registrytest.User{user: {Password: password, Rights: []registrytest.Right{right}}}}
	if _, only := o["pullonly"]; only {
		a.Anonymous = []registrytest.Right{{Repos: "*", Actions: []string{"pull"}}}
	}
	if _, bearer := o["bearer"]; bearer {
		a.Bearer = &registrytest.Bearer{}
	}
	return a
}

func (r *scriptRegistry) faults(ts *testscript.TestScript, o options) func(int, *http.Request) registrytest.Fault {
	f := registrytest.Fault{Status: o.number(ts, "status"), CutRequest: int64(o.number(ts, "cut")), Header: http.Header{}}
	_, f.Corrupt = o["corrupt"]
	if after, ok := o["retry-after"]; ok {
		f.Header.Set("Retry-After", after)
	}
	times := 1 << 30
	if _, ok := o["times"]; ok {
		times = o.number(ts, "times")
	}
	method, pattern := split(ts, o, "on")
	fault := registrytest.First(times, method, pattern, f)

	method, pattern = split(ts, o, "hold")
	held := registrytest.First(1<<30, method, pattern, registrytest.Fault{Before: true})
	var once sync.Once
	return func(n int, q *http.Request) registrytest.Fault {
		if !byProgram(q.Header) {
			return registrytest.Fault{}
		}
		if _, holds := o["hold"]; !holds || !held(n, q).Before {
			return fault(n, q)
		}
		once.Do(func() { close(r.held) })
		switch {
		case o["rate"] != "":
			return registrytest.Fault{}
		case q.ContentLength == 0:
			return registrytest.Fault{Delay: patience, Before: true}
		}
		// Only a server that reads the body sees that the client has gone.
		return registrytest.Fault{Delay: time.Second, Before: true}
	}
}

// split takes METHOD PATTERN apart; an absent option is about every request.
func split(ts *testscript.TestScript, o options, key string) (method, pattern string) {
	text, ok := o[key]
	if !ok {
		return "", "*"
	}
	method, pattern, ok = strings.Cut(text, " ")
	want(ts, ok, key+"='METHOD PATTERN'")
	return method, pattern
}

// way is how the script gets into the registry.
func (r *scriptRegistry) way() []remote.Option {
	return []remote.Option{remote.WithAuth(r.auth), remote.WithTransport(r.Client().Transport)}
}

func (w *world) registry(ts *testscript.TestScript, host string) *scriptRegistry {
	r := w.registries[host]
	if r == nil {
		ts.Fatalf("the script runs no registry %q", host)
	}
	return r
}

// addTags adds the digest of every tag in every registry.
func (w *world) addTags(ts *testscript.TestScript, found map[string]string) {
	for host, r := range w.registries {
		opts := r.way()
		registry, err := name.NewRegistry(host)
		ts.Check(err)
		repos, err := remote.Catalog(w.t.Context(), registry, opts...)
		ts.Check(err)
		for _, repo := range repos {
			tags, err := remote.List(registry.Repo(repo), opts...)
			ts.Check(err)
			for _, tag := range tags {
				ref := registry.Repo(repo).Tag(tag)
				desc, err := remote.Head(ref, opts...)
				ts.Check(err)
				found[ref.String()] = desc.Digest.String()
			}
		}
	}
}

// startWebsite runs a server that says that it is a registry and answers any
// other request with a file.
func startWebsite(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 3, "website NAME TYPE FILE")
	content := ts.ReadFile(args[2])
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		w.Header().Set("Content-Type", args[1])
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		_, _ = w.Write([]byte(content)) // the client may be gone
	}))
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.Listener.Addr().String())
}

// countRequests counts the program's requests, not the script's own.
func countRequests(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 4, "requests NAME N|+ METHOD PATTERN")
	asked := registrytest.First(1<<30, args[2], args[3], registrytest.Fault{Before: true})
	n := 0
	for _, q := range theWorld(ts).registry(ts, ts.Getenv(args[0])).Requests() {
		if !byProgram(q.Header) {
			continue
		}
		ts.Logf("%s %s?%s: %d", q.Method, q.Path, q.Query, q.Status)
		if asked(0, &http.Request{Method: q.Method, URL: &url.URL{Path: q.Path}}).Before {
			n++
		}
	}
	if args[1] == "+" && n == 0 || args[1] != "+" && n != number(ts, args[1]) {
		ts.Fatalf("%d requests %s %s, want %s", n, args[2], args[3], args[1])
	}
}

func byProgram(h http.Header) bool { return strings.HasPrefix(h.Get("User-Agent"), "crane-bake") }
