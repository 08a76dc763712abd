// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A registryServer is what recipes publish to.
type registryServer struct{ Host string }

// startRegistry runs a registry until t ends. TestMain runs the tests with one
// kind, and then with the other.
var startRegistry = startStrict

// startStrict runs a registry that wants the account for everything, with
// tokens, and has the referrers API.
func startStrict(t *testing.T) *registryServer {
	t.Helper()
	srv := registrytest.Start(t, registrytest.Options{Auth: &registrytest.Auth{
		Bearer: &registrytest.Bearer{},
		Users:  map[string]registrytest.User{user: {Password: password, Rights: []registrytest.Right{{Repos: "**", Actions: []string{"pull", "push"}}}}},
	}})
	return &registryServer{srv.Host}
}

// startDocker runs Debian's docker-registry, which is open to everybody and has
// no referrers API.
func startDocker(t *testing.T) *registryServer {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: \"127.0.0.1:0\"}\n", dir)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "docker-registry", "serve", config)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err, "; scripts/install-peers installs it")
	}
	t.Cleanup(func() { cmd.Wait() }) // the test's context has killed it
	listening := regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, log) // or it would wait for its reader
			return &registryServer{m[1]}
		}
	}
	t.Fatal("docker-registry does not listen")
	return nil
}

// Ref is the image repoTag of the registry.
func (s *registryServer) Ref(t *testing.T, repoTag string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s.Host + "/" + repoTag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// Push pushes an image or an index, and returns its digest.
func (s *registryServer) Push(t *testing.T, repoTag string, what remote.Taggable) name.Digest {
	t.Helper()
	ref := s.Ref(t, repoTag)
	auth := remote.WithAuth(&authn.Basic{Username: user, Password: password})
	if err := remote.Push(ref, what, auth, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	desc, err := remote.Head(ref, auth, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return ref.Context().Digest(desc.Digest.String())
}
