// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/crane-bake/crane-bake/internal/regserver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/stream"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func reference(t *testing.T, url, repoTag string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(strings.TrimPrefix(url, "http://") + "/" + repoTag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestClientRoundTrip(t *testing.T) {
	for backend, opts := range map[string]regserver.Options{
		"memory": {}, "disk": {Dir: t.TempDir()}, "no referrers": {NoReferrers: true}, "no mount": {NoMount: true},
	} {
		t.Run(backend, func(t *testing.T) {
			url := start(t, opts)
			img := must(random.Image(100_000, 3))(t)
			ref := reference(t, url, "team/image:v1")
			if err := remote.Write(ref, img); err != nil {
				t.Fatal(err)
			}
			pulled := must(remote.Image(ref))(t)
			if err := validate.Image(pulled); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(must(img.Digest())(t), must(pulled.Digest())(t)); diff != "" {
				t.Errorf("digest (-want +got):\n%s", diff)
			}
			// The layers are remote ones by now, so they are mounted.
			if err := remote.Write(reference(t, url, "other/image:v1"), pulled); err != nil {
				t.Error(err)
			}

			idx := must(random.Index(10_000, 2, 3))(t)
			ref = reference(t, url, "team/index:v1")
			if err := remote.WriteIndex(ref, idx); err != nil {
				t.Fatal(err)
			}
			if err := validate.Index(must(remote.Index(ref))(t)); err != nil {
				t.Error(err)
			}
			desc := must(remote.Get(ref))(t)
			if diff := cmp.Diff(must(idx.RawManifest())(t), desc.Manifest); diff != "" {
				t.Errorf("manifest (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"v1"}, must(remote.List(ref.Context()))(t)); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClientStreamsALayer(t *testing.T) {
	url := start(t, regserver.Options{Dir: t.TempDir()})
	layer := stream.NewLayer(io.NopCloser(strings.NewReader(strings.Repeat(data, 1<<16))))
	repo := reference(t, url, "r").Context()
	if err := remote.WriteLayer(repo, layer); err != nil {
		t.Fatal(err)
	}
	got := must(remote.Layer(repo.Digest(must(layer.Digest())(t).String())))(t)
	content := must(got.Compressed())(t)
	n, err := io.Copy(io.Discard, content) // which verifies the digest
	if err != nil {
		t.Error(err)
	}
	if want := must(layer.Size())(t); n != want {
		t.Errorf("%d bytes came back of %d", n, want)
	}
	if err := content.Close(); err != nil {
		t.Error(err)
	}
}

// Many clients write, read and delete the same few things at once. In the end
// everything that is tagged is there.
func TestConcurrentClients(t *testing.T) {
	for backend, opts := range map[string]regserver.Options{"memory": {}, "disk": {Dir: t.TempDir()}} {
		t.Run(backend, func(t *testing.T) {
			url := start(t, opts)
			images := []v1.Image{must(random.Image(2000, 2))(t), must(random.Image(2000, 2))(t)}
			refs := []name.Reference{reference(t, url, "r0:shared"), reference(t, url, "r1:shared")}
			var wg sync.WaitGroup
			for client := range 8 {
				wg.Go(func() {
					for round := range 4 {
						img := images[(client+round)%len(images)]
						if err := remote.Write(refs[client%2], img); err != nil {
							t.Error(err)
							return
						}
						churn(t, url, client, round)
					}
				})
			}
			wg.Wait()
			for _, ref := range refs {
				if err := validate.Image(must(remote.Image(ref))(t)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// churn deletes a blob that every client also stores, in repositories of one
// and of all.
func churn(t *testing.T, url string, client, round int) {
	for _, repo := range []string{fmt.Sprintf("own%d", client), "all"} {
		for _, r := range []struct{ method, path string }{
			{"POST", "/v2/" + repo + "/blobs/uploads/?digest=" + sha(data)},
			{"GET", "/v2/" + repo + "/blobs/" + sha(data)},
			{"DELETE", "/v2/" + repo + "/blobs/" + sha(data)},
			{"GET", "/v2/_catalog"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), r.method, url+r.path, strings.NewReader(data))
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			resp.Body.Close()
			mayLose := repo == "all" && resp.StatusCode == 404 // to another client
			if resp.StatusCode >= 300 && !mayLose {
				t.Errorf("round %d: %s %s: %d %s", round, r.method, r.path, resp.StatusCode, body)
			}
		}
	}
}
