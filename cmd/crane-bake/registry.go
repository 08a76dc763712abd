// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/internal/regserver"
)

func registryCommand() *command {
	var address, dir string
	return &command{
		name: "registry", group: groupRegistry,
		short: "Serve an embedded registry, for a laptop or a test",
		long: `
Serves the OCI distribution API without authentication, on loopback unless told
otherwise, until it is interrupted. The address is printed on standard output
once it answers. Without --dir everything is kept in memory.`,
		flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&address, "address", "127.0.0.1:5000", "`HOST:PORT` listen here; port 0 takes a free one")
			fs.StringVar(&dir, "dir", "", "`DIR` keep the content in this directory; default in memory")
		},
		run: func(ctx context.Context, env *environment, _ []string) error {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return errUsage("--address %q: want HOST:PORT", address)
			}
			if _, err := strconv.ParseUint(port, 10, 16); err != nil {
				return errUsage("--address %q: %q is no port", address, port)
			}
			server, err := startRegistry(address, dir)
			if err != nil {
				return err
			}
			fmt.Fprintln(env.stdout, server.host)
			<-ctx.Done()
			// An interrupt is how this command ends.
			return server.stop()
		},
	}
}

// embedded is a running embedded registry.
type embedded struct {
	host     string // HOST:PORT that it listens on
	http     *http.Server
	registry *regserver.Server
	served   chan error
}

func startRegistry(address, dir string) (*embedded, error) {
	registry, err := regserver.New(regserver.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, errors.Join(err, registry.Close())
	}
	e := &embedded{
		host:     listener.Addr().String(),
		http:     &http.Server{Handler: registry, ReadHeaderTimeout: 30 * time.Second},
		registry: registry,
		served:   make(chan error, 1),
	}
	go func() { e.served <- e.http.Serve(listener) }()
	return e, nil
}

// stop lets running requests end for a moment, then stops serving.
func (e *embedded) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := e.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = e.http.Close()
	}
	if served := <-e.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, e.registry.Close())
}
