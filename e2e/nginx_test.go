// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nginxConfig forwards to a registry: %[1]s is a directory of its own, %[2]s the
// address to listen at, %[3]s the registry, %[4]s goes into the location, and
// %[5]s says who it is.
const nginxConfig = `daemon off;
worker_processes 1;
%[5]s
pid %[1]s/pid;
error_log stderr warn;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  client_max_body_size 0;
  server {
    listen %[2]s;
    location / {
      proxy_pass http://%[3]s;
      proxy_set_header Host $http_host;
      proxy_http_version 1.1;
      %[4]s
    }
  }
}
`

// startNginx runs nginx before a registry until t ends and returns its
// HOST:PORT.
func startNginx(t testing.TB, registry, location string) string {
	t.Helper()
	// It is given a socket that listens already, as when it replaces itself: no
	// other program can take the port, and nobody has to wait for it.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	address := listener.Addr().String()
	dir := t.TempDir()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // else its worker is somebody who may not write here
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, address, registry, location, user), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, peer(t, "nginx"), "-c", config, "-p", dir, "-e", "stderr")
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Env = append(cmd.Env, "NGINX=3;")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // with its worker
	said := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); t.Failed() {
			t.Logf("nginx: %v\n%s", err, said)
		}
	})
	return address
}

// largeAsset is the flags that bake a file of so many random bytes.
func largeAsset(t testing.TB, size int) []string {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // never fails
	return []string{"--asset", writeFile(t, "weights.bin", string(content))}
}

// TestNginx publishes through nginx as people set it up.
func TestNginx(t *testing.T) {
	t.Parallel()
	base := baseLayout(t)
	for _, c := range []struct {
		name, location string
		code           int
		texts          []string // on standard error
	}{
		{name: "that buffers requests", location: "proxy_request_buffering on; client_body_buffer_size 8k;"},
		{name: "that does not", location: "proxy_request_buffering off;"},
		{
			name: "that limits the size of requests", location: "client_max_body_size 1m;", code: 1,
			texts: []string{"413 Request Entity Too Large", "client_max_body_size"},
		},
		{
			// Of every connection, the second request.
			name: "that limits the rate", location: "add_header Retry-After 1 always; if ($connection_requests = 2) { return 429; }",
			texts: []string{"429 Too Many Requests", "trying again"},
		},
		{
			name: "that limits the rate for long", location: "add_header Retry-After 3600 always; return 429;", code: 8,
			texts: []string{"429 Too Many Requests", "the registry asks to wait 1h0m0s", "raise --retries"},
		},
		{name: "whose registry is down", location: "proxy_connect_timeout 1s; return 502;", code: 8, texts: []string{"502 Bad Gateway"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := &vault{}
			registry := startRegistry(t)
			host := startNginx(t, registry, c.location)
			flags := append(largeAsset(t, 3<<20), "--retries", "8")
			if c.code == 8 {
				flags = append(flags, "--retries", "0")
			}
			if c.code != 0 {
				v.refuse(t, c.code, nil, base, host+"/team/scorer:v1", flags, c.texts...)
				return
			}
			v.bake(t, nil, base, host+"/team/scorer:v1", flags...)
			for _, text := range c.texts {
				if !strings.Contains(v.said, text) {
					t.Errorf("no %q in\n%s", text, v.said)
				}
			}
			fromRegistry(t, registry+"/team/scorer:v1").validate(t)
		})
	}
}
