// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// latencyProxy delays and counts requests on their way to a registry.
type latencyProxy struct {
	host     string
	server   *http.Server
	requests atomic.Int64
}

func startProxy(to string, latency time.Duration) (*latencyProxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &latencyProxy{host: listener.Addr().String()}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			r.Out.Host = r.In.Host // the registry builds Locations from it
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		time.Sleep(latency)
		forward.ServeHTTP(w, r)
	})}
	go p.server.Serve(listener)
	return p, nil
}

func (p *latencyProxy) stop() { p.server.Close() }

// timed runs a command and measures it as a whole process.
func (p *latencyProxy) timed(ctx context.Context, command string, args ...string) (run, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG=/nonexistent")
	before := p.requests.Load()
	start := time.Now()
	out, err := cmd.CombinedOutput()
	r := run{wall: time.Since(start), requests: p.requests.Load() - before}
	if err != nil {
		return r, fmt.Errorf("%s %v: %w\n%s", command, args, err, out)
	}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.memory = usage.Maxrss << 10 // kilobytes on Linux
	}
	return r, nil
}

func median[T cmp.Ordered](s series, of func(run) T) T {
	var values []T
	for _, r := range s {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
