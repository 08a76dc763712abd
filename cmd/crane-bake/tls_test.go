// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a certificate authority of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.pem, _ = a.issue(t, "authority", epoch.Add(100*365*24*time.Hour))
	return a
}

// epoch is before every test.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// issue makes a certificate for 127.0.0.1, or the authority's own, and its key.
func (a *authority) issue(t *testing.T, name string, end time.Time) (cert, key string) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: epoch, NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage = x509.KeyUsageCertSign
		parent, signer = template, own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, own.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		a.key = own
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER)
}

// serveTLS is the HOST:PORT of a server that answers with the name of the
// client certificate; with clients it wants one.
func serveTLS(t *testing.T, a *authority, end time.Time, clients *authority) string {
	t.Helper()
	cert, key := a.issue(t, "server", end)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.TLS.PeerCertificates {
			io.WriteString(w, c.Subject.CommonName)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	if clients != nil {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		s.TLS.ClientCAs.AddCert(clients.cert)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// askTLS is the answer of a host over the transport of the flags.
func askTLS(t *testing.T, f *remoteFlags, certDirs []string, host string) (string, error) {
	t.Helper()
	env := &environment{lookup: func(string) (string, bool) { return "", false }}
	transport, err := f.transport(env)
	if err != nil {
		return "", err
	}
	own := transport.(*hostTransport)
	own.certDirs = certDirs
	own.base.DisableKeepAlives = true
	res, err := (&http.Client{Transport: own}).Get("https://" + host)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

func TestCertDirs(t *testing.T) {
	mine, other := newAuthority(t), newAuthority(t)
	later := epoch.Add(100 * 365 * 24 * time.Hour)
	client, clientKey := mine.issue(t, "client", later)
	flag, flagKey := mine.issue(t, "flag", later)
	flags := t.TempDir()
	otherCA, flagCert := write(t, flags, "other.pem", other.pem), write(t, flags, "flag.cert", flag)
	flagPair := remoteFlags{caFile: otherCA, certFile: flagCert, keyFile: write(t, flags, "flag.key", flagKey)}
	const authorityUnknown = "certificate signed by unknown authority"
	for _, c := range []struct {
		name  string
		files map[string]string // HOST stands for the server
		flags remoteFlags
		want  string // the client's name, or else
		fails string // in the error; $ is its end
	}{
		{"nothing", nil, remoteFlags{}, "", authorityUnknown},
		{"an authority", map[string]string{"1/HOST/ca.crt": mine.pem}, remoteFlags{}, "", "certificate required"},
		{"of the other place", map[string]string{"2/HOST/ca.crt": mine.pem, "2/HOST/c.cert": client, "2/HOST/c.key": clientKey}, remoteFlags{}, "client", ""},
		{"the first place alone", map[string]string{"1/HOST/ca.crt": other.pem, "2/HOST/ca.crt": mine.pem}, remoteFlags{}, "", authorityUnknown},
		{"of another host", map[string]string{"1/127.0.0.1:1/ca.crt": mine.pem, "1/127.0.0.1/ca.crt": mine.pem}, remoteFlags{}, "", authorityUnknown},
		{"two authorities", map[string]string{"1/HOST/a.crt": other.pem, "1/HOST/b.crt": mine.pem, "1/HOST/c.cert": client, "1/HOST/c.key": clientKey, "1/HOST/README": "x"}, remoteFlags{}, "client", ""},
		{"flags add and win", map[string]string{"1/HOST/b.crt": mine.pem, "1/HOST/c.cert": client, "1/HOST/c.key": clientKey}, flagPair, "flag", ""},
		{"a key without a certificate", map[string]string{"1/HOST/c.key": clientKey}, remoteFlags{}, "", "c.key: no c.cert beside it$"},
		{"a certificate without a key", map[string]string{"1/HOST/c.cert": client}, remoteFlags{}, "", "c.cert: no c.key beside it; a certificate authority's name ends in .crt$"},
		{"another key", map[string]string{"1/HOST/c.cert": client, "1/HOST/c.key": flagKey}, remoteFlags{}, "", "c.cert: tls: private key does not match public key$"},
		{"no certificate", map[string]string{"1/HOST/ca.crt": "hello"}, remoteFlags{}, "", "ca.crt: no certificate in PEM form$"},
		{"a directory of the name", map[string]string{"1/HOST/ca.crt/x": ""}, remoteFlags{}, "", "ca.crt: is a directory$"},
		{"a file in place of the directory", map[string]string{"1/HOST": ""}, remoteFlags{}, "", "not a directory$"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := serveTLS(t, mine, later, mine)
			dir := t.TempDir()
			for name, content := range c.files {
				write(t, dir, strings.Replace(name, "HOST", host, 1), content)
			}
			got, err := askTLS(t, &c.flags, []string{filepath.Join(dir, "1"), filepath.Join(dir, "2")}, host)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error()+"$", c.fails) {
					t.Errorf("got %q, %v; want … %s", got, err, c.fails)
				}
				return
			}
			if got != c.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// TestCertDirsStayApart gives a host neither the authority nor the certificate
// of another.
func TestCertDirsStayApart(t *testing.T) {
	mine, later := newAuthority(t), epoch.Add(100*365*24*time.Hour)
	client, key := mine.issue(t, "client", later)
	one, two := serveTLS(t, mine, later, nil), serveTLS(t, mine, later, nil)
	dir := t.TempDir()
	write(t, dir, one+"/ca.crt", mine.pem)
	write(t, dir, one+"/c.cert", client)
	write(t, dir, one+"/c.key", key)
	shared := &remoteFlags{caFile: write(t, dir, "ca.pem", newAuthority(t).pem)}
	if got, err := askTLS(t, shared, []string{dir}, one); got != "client" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	transport, err := shared.transport(&environment{lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	own := transport.(*hostTransport)
	own.certDirs = []string{dir}
	own.base.DisableKeepAlives = true
	for _, c := range []struct {
		host string
		ok   bool
	}{{one, true}, {two, false}, {one, true}} {
		res, err := (&http.Client{Transport: own}).Get("https://" + c.host)
		if err == nil {
			res.Body.Close()
		}
		var unknown x509.UnknownAuthorityError
		if ok := err == nil; ok != c.ok || !ok && !errors.As(err, &unknown) {
			t.Errorf("%s: %v", c.host, err)
		}
	}
}

// TestTLSErrors is what a user reads, with the exit code.
func TestTLSErrors(t *testing.T) {
	mine, later := newAuthority(t), epoch.Add(100*365*24*time.Hour)
	good, expired := serveTLS(t, mine, later, mine), serveTLS(t, mine, epoch.Add(time.Hour), nil)
	dir, config := t.TempDir(), t.TempDir()
	ca := write(t, dir, "ca.pem", mine.pem)
	password := write(t, dir, "password", "secret\n")
	lonely := serveTLS(t, mine, later, nil)
	write(t, config, "containers/certs.d/"+lonely+"/c.key", "x")
	for _, c := range []struct {
		name, host string
		flags      []string
		code       int
		want, hint string
	}{
		{"expired", expired, []string{"--ca-file", ca}, exitUnavailable, "certificate has expired or is not yet valid", "the registry's certificate has run out"},
		{"no client certificate", good, []string{"--ca-file", ca}, exitUnavailable, "tls: certificate required", "give one with --cert-file and --key-file"},
		{"the wrong authority", good, []string{"--ca-file", write(t, dir, "other.pem", newAuthority(t).pem)}, exitUnavailable, "certificate signed by unknown authority", "with --ca-file"},
		{"a broken directory", lonely, nil, exitFailed, "c.key: no c.cert beside it", "repair the directory"},
		{"--cert-file alone", good, []string{"--cert-file", ca}, exitUsage, "want its key too, with --key-file", ""},
		{"--key-file alone", good, []string{"--key-file", ca}, exitUsage, "want its certificate too, with --cert-file", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			env := &environment{stdout: &out, stderr: &errs, lookup: func(key string) (string, bool) { return config, key == "XDG_CONFIG_HOME" }}
			stdin, err := os.Open(password)
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			env.stdin = stdin
			args := []string{"login", c.host, "-u", "alice", "--password-stdin", "--authfile", filepath.Join(dir, "auth.json"), "--retries", "0"}
			code := run(t.Context(), env, append(args, c.flags...))
			if code != c.code || !strings.Contains(errs.String(), c.want) || !strings.Contains(errs.String(), c.hint) {
				t.Errorf("exit code %d, want %d with %q and %q:\n%s", code, c.code, c.want, c.hint, errs.String())
			}
		})
	}
}
