// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/regserver"
	"github.com/google/go-cmp/cmp"
)

// A workflow is a list of requests to a new registry, each with the answer
// that the spec or a hosted registry gives.
type workflow struct {
	name  string
	opts  regserver.Options
	steps []step
}

type step struct {
	name   string
	method string
	path   string // a leading "@" stands for the last upload
	header map[string]string
	body   string
	stream bool // send the body without its length

	status int
	code   string            // of the error in the answer
	want   map[string]string // headers of the answer; "" is absent
	text   string            // the answer's body
}

// run plays every workflow in memory and on disk.
func run(t *testing.T, workflows []workflow) {
	for _, w := range workflows {
		for _, backend := range []string{"memory", "disk"} {
			t.Run(w.name+"/"+backend, func(t *testing.T) {
				opts := w.opts
				if backend == "disk" {
					opts.Dir = t.TempDir()
				}
				play(t, start(t, opts), w.steps)
			})
		}
	}
}

// start serves a registry until the test ends.
func start(t *testing.T, opts regserver.Options) string {
	t.Helper()
	url, stop := serve(t, opts)
	t.Cleanup(stop)
	return url
}

func serve(t *testing.T, opts regserver.Options) (url string, stop func()) {
	t.Helper()
	reg, err := regserver.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(reg)
	return srv.URL, func() {
		srv.Close()
		if err := reg.Close(); err != nil {
			t.Error(err)
		}
	}
}

// play stops at the first step that differs, because the next build on it.
func play(t *testing.T, url string, steps []step) {
	t.Helper()
	location := ""
	for i, s := range steps {
		path := s.path
		if rest, ok := strings.CutPrefix(path, "@"); ok {
			path = location + rest
		}
		resp, body := s.send(t, url+path)
		name := fmt.Sprintf("step %d, %s: %s %s", i+1, s.name, s.method, path)
		if resp.StatusCode != s.status {
			t.Fatalf("%s: status %d, want %d: %s", name, resp.StatusCode, s.status, body)
		}
		if code := errorCode(body); s.code != "" && code != s.code {
			t.Fatalf("%s: code %q, want %q: %s", name, code, s.code, body)
		}
		for key, want := range s.want {
			if got := resp.Header.Get(key); got != want {
				t.Fatalf("%s: %s: %q, want %q", name, key, got, want)
			}
		}
		if s.text != "" {
			if diff := cmp.Diff(s.text, body); diff != "" {
				t.Fatalf("%s: body (-want +got):\n%s", name, diff)
			}
		}
		if l := resp.Header.Get("Location"); strings.Contains(l, "/uploads/") {
			location = l
		}
	}
}

func (s step) send(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	var body io.Reader = strings.NewReader(s.body)
	if s.stream {
		body = io.MultiReader(body) // whose length net/http cannot know
	}
	req, err := http.NewRequestWithContext(t.Context(), s.method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range s.header {
		req.Header.Set(key, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return resp, string(data)
}

// errorCode is the first code of an error in the form of the spec.
func errorCode(body string) string {
	var e struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal([]byte(body), &e) != nil || len(e.Errors) == 0 || e.Errors[0].Message == "" {
		return ""
	}
	return e.Errors[0].Code
}

func sha(data string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(data))) }

func sha5(data string) string { return fmt.Sprintf("sha512:%x", sha512.Sum512([]byte(data))) }

const (
	imageType  = "application/vnd.oci.image.manifest.v1+json"
	indexType  = "application/vnd.oci.image.index.v1+json"
	dockerType = "application/vnd.docker.distribution.manifest.v2+json"
	configType = "application/vnd.oci.image.config.v1+json"
	layerType  = "application/vnd.oci.image.layer.v1.tar"
)

func desc(mediaType, content string) string {
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, sha(content), len(content))
}

// image is a manifest with one config, one layer and what extra adds.
func image(config, layer, extra string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[%s]%s}`,
		imageType, desc(configType, config), desc(layerType, layer), extra)
}

func index(children ...string) string {
	var descs []string
	for _, c := range children {
		descs = append(descs, desc(imageType, c))
	}
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, indexType, strings.Join(descs, ","))
}

// blob is the step that stores content.
func blob(repo, content string) step {
	return step{
		name: "blob", method: "POST", path: "/v2/" + repo + "/blobs/uploads/?digest=" + sha(content), body: content,
		status: 201, want: map[string]string{"Location": "/v2/" + repo + "/blobs/" + sha(content)},
	}
}

// put is the step that stores a manifest.
func put(repo, ref, mediaType, content string) step {
	return step{
		name: "manifest", method: "PUT", path: "/v2/" + repo + "/manifests/" + ref,
		header: map[string]string{"Content-Type": mediaType}, body: content,
		status: 201, want: map[string]string{"Docker-Content-Digest": sha(content)},
	}
}

// but is s with another answer.
func (s step) but(status int, code string) step {
	s.status, s.code, s.want = status, code, nil
	return s
}

func get(path string, status int, code string) step {
	return step{name: "get", method: "GET", path: path, status: status, code: code}
}
