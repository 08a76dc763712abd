// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A registrySetup is what docker-registry's configuration adds to its storage
// and address, in YAML.
type registrySetup struct{ auth, tls string }

const registryConfig = `version: 0.1
log: {level: info}
storage:
  filesystem: {rootdirectory: %q}
http:
  addr: "127.0.0.1:0"
  %s
%s
`

// startRegistry runs Debian's docker-registry until t ends and returns its
// HOST:PORT.
func startRegistry(t testing.TB) string {
	t.Helper()
	return startRegistryWith(t, registrySetup{})
}

func startRegistryWith(t testing.TB, setup registrySetup) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, t.TempDir(), setup.tls, setup.auth), 0o644); err != nil {
		t.Fatal(err)
	}
	lines := &lineWatcher{word: []byte("listening on"), line: make(chan string, 1)}
	cmd := command(t, peer(t, "docker-registry"), "serve", config)
	cmd.Stdout, cmd.Stderr = lines, lines
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { <-exited }) // the test's context has killed it
	select {
	case line := <-lines.line:
		address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
		if address == "" {
			t.Fatalf("no address in %q", line)
		}
		return address
	case err := <-exited:
		exited <- err
		t.Fatalf("docker-registry: %v\n%s", err, lines)
	case <-time.After(30 * time.Second):
		t.Fatal("docker-registry does not listen after 30 s")
	}
	return ""
}

// A lineWatcher is an io.Writer that hears when a line holds a word; it keeps
// what it was written.
type lineWatcher struct {
	word []byte
	line chan string // receives one line
	all  bytes.Buffer
	seen int
}

func (w *lineWatcher) Write(p []byte) (int, error) {
	w.all.Write(p)
	for {
		rest := w.all.Bytes()[w.seen:]
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return len(p), nil
		}
		if bytes.Contains(rest[:end], w.word) {
			select {
			case w.line <- string(rest[:end]):
			default:
			}
		}
		w.seen += end + 1
	}
}

func (w *lineWatcher) String() string { return fmt.Sprint(&w.all) }

// A proxy stands before a registry and counts the bytes of the blobs that are
// sent to it and got from it.
type proxy struct {
	host     string
	up, down atomic.Int64
}

func (p *proxy) reset() {
	p.up.Store(0)
	p.down.Store(0)
}

func startProxy(t testing.TB, registry string) *proxy {
	t.Helper()
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: registry})
			r.Out.Host = r.In.Host // uploads are to go on through the proxy
			if strings.Contains(r.In.URL.Path, "/blobs/") && r.In.Body != nil {
				r.Out.Body = counted{r.In.Body, &p.up}
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if strings.Contains(r.Request.URL.Path, "/blobs/") {
				r.Body = counted{r.Body, &p.down}
			}
			return nil
		},
		// What a client abandons is not the test's business.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	server := httptest.NewServer(forward)
	t.Cleanup(server.Close)
	p.host = server.Listener.Addr().String()
	return p
}

// counted adds what is read to n.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}
