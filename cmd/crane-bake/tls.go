// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// hostTransport sends a request over the transport of its host, which trusts
// the authorities and shows the certificate that are kept for that host
// (containers-certs.d(5)). A host that another one redirects to gets neither.
type hostTransport struct {
	base     *http.Transport // of hosts without a directory
	certDirs []string        // that hold a directory HOST[:PORT] each
	keyGiven bool            // by flags, which win

	mu    sync.Mutex
	hosts map[string]func() (http.RoundTripper, error)
}

// transport is the way to all hosts: that of the flags, and for a host with a
// directory of certificates one with those too.
func (f *remoteFlags) transport(env *environment) (http.RoundTripper, error) {
	base := registry.NewTransport()
	if base.TLSClientConfig == nil {
		base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	base.TLSClientConfig.InsecureSkipVerify = f.insecure
	if f.caFile != "" {
		pool := systemPool()
		pem, err := os.ReadFile(f.caFile)
		if err != nil {
			return nil, fmt.Errorf("reading --ca-file: %w", fileError(f.caFile, err))
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errUsage("--ca-file %s holds no certificate in PEM form", f.caFile)
		}
		base.TLSClientConfig.RootCAs = pool
	}
	switch {
	case f.certFile != "" && f.keyFile != "":
		cert, err := keyPair(f.certFile, f.keyFile)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate: %w", err)
		}
		base.TLSClientConfig.Certificates = []tls.Certificate{cert}
	case f.certFile != "":
		return nil, errUsage("--cert-file %s: want its key too, with --key-file", f.certFile)
	case f.keyFile != "":
		return nil, errUsage("--key-file %s: want its certificate too, with --cert-file", f.keyFile)
	}
	return &hostTransport{
		base:     base,
		certDirs: certDirs(env),
		keyGiven: f.certFile != "",
		hosts:    map[string]func() (http.RoundTripper, error){},
	}, nil
}

// certDirs are the places of certificates: a user's own, as Podman has it, then
// Podman's and Docker's for all users.
func certDirs(env *environment) []string {
	dirs := []string{"/etc/containers/certs.d", "/etc/docker/certs.d"}
	config := env.getenv("XDG_CONFIG_HOME")
	if home, err := os.UserHomeDir(); config == "" && err == nil {
		config = filepath.Join(home, ".config")
	}
	if config == "" {
		return dirs
	}
	return append([]string{filepath.Join(config, "containers", "certs.d")}, dirs...)
}

func (t *hostTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	load, ok := t.hosts[req.URL.Host]
	if !ok {
		load = sync.OnceValues(func() (http.RoundTripper, error) { return t.load(req.URL.Host) })
		t.hosts[req.URL.Host] = load
	}
	t.mu.Unlock()
	inner, err := load()
	if err != nil {
		if req.Body != nil {
			req.Body.Close() // as an http.RoundTripper must
		}
		return nil, err
	}
	return inner.RoundTrip(req)
}

// certDirError says that a host's directory of certificates cannot be used.
type certDirError struct {
	file string // or the directory
	err  error
}

func (e *certDirError) Error() string {
	return fmt.Sprintf("certificates of this host: %s: %v", e.file, e.err)
}
func (e *certDirError) Unwrap() error { return e.err }

// load makes the transport of a host. Of several directories for it the first
// counts alone, as for Podman.
func (t *hostTransport) load(host string) (http.RoundTripper, error) {
	for _, certDir := range t.certDirs {
		for _, name := range hostNames(host) {
			dir := filepath.Join(certDir, name)
			entries, err := os.ReadDir(dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, &certDirError{dir, pathReason(err)}
			}
			own := t.base.Clone()
			if err := t.configure(own.TLSClientConfig, dir, entries); err != nil {
				return nil, err
			}
			return own, nil
		}
	}
	return t.base, nil
}

// hostNames are what a host's directory may be called. Docker Hub has another
// name than its server's.
func hostNames(host string) []string {
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		return []string{"docker.io", host}
	}
	return []string{host}
}

// configure adds a directory's files: *.crt are authorities, and a *.cert with
// the *.key of its name is a client certificate.
func (t *hostTransport) configure(config *tls.Config, dir string, entries []fs.DirEntry) error {
	var there []string
	for _, e := range entries {
		there = append(there, e.Name())
	}
	for _, name := range there {
		file := filepath.Join(dir, name)
		var err error
		switch stem, kind := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name); {
		case kind == ".crt":
			err = addAuthorities(config, file)
		case kind == ".cert" && !slices.Contains(there, stem+".key"):
			err = fmt.Errorf("no %s.key beside it; a certificate authority's name ends in .crt", stem)
		case kind == ".key" && !slices.Contains(there, stem+".cert"):
			err = fmt.Errorf("no %s.cert beside it", stem)
		case kind == ".cert" && !t.keyGiven:
			var cert tls.Certificate
			cert, err = keyPair(file, filepath.Join(dir, stem+".key"))
			config.Certificates = append(config.Certificates, cert)
		}
		if err != nil {
			return &certDirError{file, err}
		}
	}
	return nil
}

func addAuthorities(config *tls.Config, file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return pathReason(err)
	}
	if config.RootCAs == nil {
		config.RootCAs = systemPool()
	} else {
		config.RootCAs = config.RootCAs.Clone() // --ca-file's, which all hosts share
	}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return errors.New("no certificate in PEM form")
	}
	return nil
}

// systemPool is a copy of the system's authorities, empty where it has none.
func systemPool() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return x509.NewCertPool()
	}
	return pool
}

// keyPair reads a client certificate and its key.
func keyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	var path *fs.PathError
	if errors.As(err, &path) {
		err = fileError(path.Path, err)
	}
	return cert, err
}
