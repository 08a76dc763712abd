// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// A tunnel is a proxy that knows CONNECT only, wants a name and a password, and
// leads everybody to one registry, whatever host they ask for.
type tunnel struct {
	registry, account string

	mu    sync.Mutex
	asked []string // HOST:PORT
}

func (p *tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.account))
	switch {
	case r.Method != http.MethodConnect:
		http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		return
	case r.Header.Get("Proxy-Authorization") != want:
		w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, r.Host)
	p.mu.Unlock()
	there, err := net.Dial("tcp", p.registry)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	go func() {
		io.Copy(there, buffered) // either side may hang up
		there.Close()
	}()
	io.Copy(here, there)
}

// TestProxy publishes through a proxy to a registry that only the proxy can
// find.
func TestProxy(t *testing.T) {
	t.Parallel()
	v := &vault{}
	mine := newAuthority(t)
	const name = "registry.crane-bake.invalid" // which no resolver knows (RFC 6761)
	host := startTLSRegistry(t, mine.serving(t, time.Now().Add(time.Hour), name, "127.0.0.1"), nil)
	p := &tunnel{registry: host, account: v.account("robot", "turnstile9")}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	proxy := server.Listener.Addr().String()
	base, flags := baseLayout(t), []string{"--ca-file", mine.file, "--retries", "0"}

	through := []string{"HTTPS_PROXY=http://" + p.account + "@" + proxy}
	v.bake(t, through, base, name+"/team/scorer:v1", flags...)
	fromRegistry(t, host+"/team/scorer:v1", trusting(t, mine, mine.client(t))).validate(t)
	if want := []string{name + ":443"}; !slices.Equal(slices.Compact(p.asked), want) {
		t.Errorf("the proxy was asked for %v, want %v", p.asked, want)
	}

	p.asked = nil
	around := append(through, "NO_PROXY=.crane-bake.invalid")
	v.refuse(t, 8, around, base, name+"/team/scorer:v1", flags, "lookup "+name)
	v.bake(t, through, base, host+"/team/scorer:v2", flags...) // on loopback
	if len(p.asked) > 0 {
		t.Errorf("the proxy was asked for %v", p.asked)
	}

	wrong := v.account("robot", "turnstile8")
	v.refuse(t, 4, []string{"HTTPS_PROXY=http://" + proxy}, base, name+"/team/scorer:v1", flags, "Proxy Authentication Required", "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT")
	v.refuse(t, 4, []string{"HTTPS_PROXY=http://" + wrong + "@" + proxy}, base, name+"/team/scorer:v1", flags, "Proxy Authentication Required")
	v.refuse(t, 8, []string{"HTTPS_PROXY=http://" + wrong + "@127.0.0.1:1"}, base, name+"/team/scorer:v1", flags, "127.0.0.1:1: connect: connection refused")
}
