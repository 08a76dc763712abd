// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// An authority is a private certificate authority.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // in PEM
}

// A keyPair is the files of a certificate and its key.
type keyPair struct{ cert, key string }

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{}
	a.file = a.issue(t, &x509.Certificate{
		Subject:  pkix.Name{CommonName: "authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}).cert
	return a
}

// serving is a certificate for a server at names or addresses, up to an end.
func (a *authority) serving(t testing.TB, end time.Time, names ...string) keyPair {
	t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	return a.issue(t, template)
}

// client is a certificate for a client.
func (a *authority) client(t testing.TB) keyPair {
	t.Helper()
	return a.issue(t, &x509.Certificate{
		Subject:  pkix.Name{CommonName: "client"},
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// issue signs a certificate; the first one is the authority's own.
func (a *authority) issue(t testing.TB, template *x509.Certificate) keyPair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-2*time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		a.key = key
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{
		writeFile(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		writeFile(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))),
	}
}

// startTLSRegistry runs a docker-registry with a certificate, which with
// clients wants one of theirs too.
func startTLSRegistry(t testing.TB, pair keyPair, clients *authority) string {
	t.Helper()
	setup := fmt.Sprintf("tls: {certificate: %q, key: %q}", pair.cert, pair.key)
	if clients != nil {
		setup = fmt.Sprintf("tls: {certificate: %q, key: %q, clientcas: [%q]}", pair.cert, pair.key, clients.file)
	}
	return startRegistryWith(t, registrySetup{tls: setup})
}

// certDir is a configuration directory (XDG_CONFIG_HOME) in which a host has
// files, each a copy of another.
func certDir(t testing.TB, host string, files map[string]string) string {
	t.Helper()
	config := t.TempDir()
	dir := filepath.Join(config, "containers", "certs.d", host)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, from := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

// baseLayout is a layout with a small base, oci:DIR:v1.
func baseLayout(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	writeLayout(t, dir, "v1", registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 1}))
	return "oci:" + dir + ":v1"
}

// trusting is a way to registries for go-containerregistry.
func trusting(t testing.TB, a *authority, pair keyPair) remote.Option {
	t.Helper()
	own := remote.DefaultTransport.(*http.Transport).Clone()
	own.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	own.TLSClientConfig.RootCAs.AddCert(a.cert)
	cert, err := tls.LoadX509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	own.TLSClientConfig.Certificates = []tls.Certificate{cert}
	t.Cleanup(own.CloseIdleConnections)
	return remote.WithTransport(own)
}

// TestTLS publishes to a registry with a private authority.
func TestTLS(t *testing.T) {
	t.Parallel()
	v := &vault{}
	mine, other := newAuthority(t), newAuthority(t)
	later := time.Now().Add(time.Hour)
	host := startTLSRegistry(t, mine.serving(t, later, "127.0.0.1"), nil)
	expired := startTLSRegistry(t, mine.serving(t, time.Now().Add(-time.Hour), "127.0.0.1"), nil)
	elsewhere := startTLSRegistry(t, mine.serving(t, later, "registry.example.com"), nil)
	base := baseLayout(t)

	v.bake(t, nil, base, host+"/team/scorer:flag", "--ca-file", mine.file)
	dirs := []string{"XDG_CONFIG_HOME=" + certDir(t, host, map[string]string{"ca.crt": mine.file})}
	v.bake(t, dirs, base, host+"/team/scorer:dir")
	v.bake(t, dirs, host+"/team/scorer:dir", "oci:"+t.TempDir()+":v1")
	v.bake(t, nil, base, host+"/team/scorer:insecure", "--insecure")
	v.bake(t, []string{"SSL_CERT_FILE=" + mine.file}, base, host+"/team/scorer:system")
	for _, tag := range []string{"flag", "dir", "insecure", "system"} {
		fromRegistry(t, host+"/team/scorer:"+tag, trusting(t, mine, mine.client(t))).validate(t)
	}

	const unknown = "certificate signed by unknown authority"
	v.refuse(t, 8, nil, base, host+"/team/scorer:v1", nil, unknown, "name the registry's certificate authority with --ca-file")
	v.refuse(t, 8, nil, base, host+"/team/scorer:v1", []string{"--ca-file", other.file}, unknown)
	v.refuse(t, 8, dirs, base, expired+"/team/scorer:v1", []string{"--ca-file", mine.file}, "certificate has expired or is not yet valid", "has run out")
	v.refuse(t, 8, nil, base, elsewhere+"/team/scorer:v1", []string{"--ca-file", mine.file}, "cannot validate certificate for 127.0.0.1")
	v.refuse(t, 8, dirs, base, elsewhere+"/team/scorer:v1", nil, "x509: ")
}

// TestTLSClients publishes to a registry that lets clients in by certificate.
func TestTLSClients(t *testing.T) {
	t.Parallel()
	v := &vault{}
	servers, clients := newAuthority(t), newAuthority(t)
	host := startTLSRegistry(t, servers.serving(t, time.Now().Add(time.Hour), "127.0.0.1"), clients)
	good, bad := clients.client(t), newAuthority(t).client(t)
	base := baseLayout(t)
	flags := func(pair keyPair) []string {
		return []string{"--ca-file", servers.file, "--cert-file", pair.cert, "--key-file", pair.key}
	}

	v.bake(t, nil, base, host+"/team/scorer:flag", flags(good)...)
	dirs := []string{"XDG_CONFIG_HOME=" + certDir(t, host, map[string]string{"ca.crt": servers.file, "me.cert": good.cert, "me.key": good.key})}
	v.bake(t, dirs, base, host+"/team/scorer:dir")
	for _, tag := range []string{"flag", "dir"} {
		fromRegistry(t, host+"/team/scorer:"+tag, trusting(t, servers, good)).validate(t)
	}

	// A server may hang up before its reason is heard, which is tried again.
	const hint = "give one with --cert-file and --key-file"
	v.refuse(t, 8, nil, base, host+"/team/scorer:v1", []string{"--ca-file", servers.file, "--retries", "20"}, "remote error: tls: ", hint)
	v.refuse(t, 8, nil, base, host+"/team/scorer:v1", append(flags(bad), "--retries", "20"), "remote error: tls: ", hint)
	half := []string{"XDG_CONFIG_HOME=" + certDir(t, host, map[string]string{"ca.crt": servers.file, "me.key": good.key})}
	v.refuse(t, 1, half, base, host+"/team/scorer:v1", nil, "me.key: no me.cert beside it", "repair the directory")
}
