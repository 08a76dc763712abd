// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// proxy delays and counts requests on their way to a registry.
type proxy struct {
	tally
	host   string
	server *http.Server
	tokens *tokenServer // nil: everybody may do everything
}

// began is the key of a request's context under which its arrival is.
type began struct{}

// startProxy runs a proxy in front of the registry at host to. With tokens it
// asks for one with every request, and issues them.
func startProxy(to string, latency time.Duration, tokens bool) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{host: listener.Addr().String()}
	if tokens {
		p.tokens = &tokenServer{"http://" + p.host + "/token"}
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			r.Out.Host = r.In.Host // the registry builds Locations from it
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 128, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10},
		ModifyResponse: func(res *http.Response) error {
			p.answered(span{res.Request.Context().Value(began{}).(time.Time), time.Now()})
			res.Body = &meter{res.Body, func(n int64) { p.passed(0, n) }}
			return nil
		},
	}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived := time.Now()
		time.Sleep(latency)
		if p.tokens != nil && !p.tokens.admit(w, r, func() { p.answered(span{arrived, time.Now()}) }) {
			return
		}
		r.Body = &meter{r.Body, func(n int64) { p.passed(n, 0) }}
		forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), began{}, arrived)))
	})}
	go p.server.Serve(listener)
	return p, nil
}

func (p *proxy) stop() error { return p.server.Close() }
