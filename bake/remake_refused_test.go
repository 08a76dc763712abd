// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// What Rebase and Rebind can do nothing with. The tag stays as it was.
func TestRemakeRefused(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Env: []string{"MODEL=/engine"}}))
	srv.Push(t, "team/engine:2", registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 2}))
	nested := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: registrytest.BaseIndex(t, "linux/amd64", "linux/arm64")})
	srv.Push(t, "team/nested:1", nested)
	srv.Push(t, "team/artifact:1", mutate.ConfigMediaType(registrytest.BaseImage(t, registrytest.ImageOptions{}), "application/vnd.example"))
	report := doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	img := pullImage(t, report.Image)
	for name, change := range map[string]func(label string) string{
		"lying": func(l string) string { return strings.Replace(l, `"layers":2`, `"layers":1`, 1) },
		"half":  func(l string) string { return l[:len(l)/2] },
		"empty": func(string) string { return "" },
		"null":  func(string) string { return "null" },
		"other": func(l string) string { return strings.Replace(l, `"files"]`, `"files","more"]`, 1) },
	} {
		srv.Push(t, "team/"+name+":1", edit(t, img, func(config, _ map[string]any) {
			labels := config["config"].(map[string]any)["Labels"].(map[string]any)
			labels[bake.RecordLabel] = change(labels[bake.RecordLabel].(string))
		}))
	}
	was := digestOf(t, registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 9}))
	for _, tc := range []struct {
		image string
		err   error // nil is any
		says  string
	}{
		{"lying", bake.ErrIntegrity, "its record"},
		{"half", bake.ErrIntegrity, "its record"},
		{"empty", bake.ErrIntegrity, "its record"},
		{"null", bake.ErrIntegrity, "its record"},
		{"other", bake.ErrIntegrity, "its record"},
		{"none", bake.ErrNotFound, "/team/none:1"},
		{"artifact", nil, "is an artifact"},
		{"nested", nil, "an index within an index is not supported"},
	} {
		for _, verb := range []string{"rebase", "rebind", "inspect"} {
			t.Run(verb+"/"+tc.image, func(t *testing.T) {
				srv.Push(t, "team/tag:1", registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 9}))
				err := remake(t, verb, srv, srv.Host+"/team/"+tc.image+":1", srv.Host+"/team/tag:1")
				if err == nil || tc.err != nil && !errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("got %v, want %v with %q", err, tc.err, tc.says)
				}
				if got := digestAt(t, srv.Host+"/team/tag:1"); got != was {
					t.Errorf("the tag moved to %s", got)
				}
			})
		}
	}
}

func remake(t testing.TB, verb string, srv *registrytest.Server, image, tag string) error {
	t.Helper()
	var err error
	switch verb {
	case "rebase":
		_, err = bake.Rebase(t.Context(), image, nil, bake.RebaseOptions{Base: srv.Host + "/team/engine:2"}, tag)
	case "rebind":
		_, err = bake.Rebind(t.Context(), image, nil, bake.RebindOptions{FS: rebindFiles(t), Streams: map[int]string{1: "kafka-prod.json"}, NoCheck: true}, tag)
	case "inspect":
		_, err = bake.Inspect(t.Context(), image, nil, bake.InspectOptions{})
	}
	return err
}

// A layer of the bake that the registry has lost is found out before the tag
// moves, in its repository and in another one.
func TestRemakeWithoutABlob(t *testing.T) {
	for _, lost := range []string{"model", "streams"} {
		for _, verb := range []string{"rebase", "rebind"} {
			for _, repo := range []string{"team/scorer", "team/other"} {
				t.Run(verb+"/"+lost+"/"+repo, func(t *testing.T) {
					srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
					srv.Push(t, "team/engine:2", registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 2}))
					spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
					spec.Layers = bake.LayersClass
					report := doBake(t, spec)
					for _, l := range report.Layers {
						if l.Class == lost {
							deleteBlob(t, srv, "team/scorer", l.Digest.String())
						}
					}
					err := remake(t, verb, srv, srv.Host+"/team/scorer:1", srv.Host+"/"+repo+":2")
					if !errors.Is(err, bake.ErrNotFound) {
						t.Errorf("got %v, want %v", err, bake.ErrNotFound)
					}
					if _, err := remote.Head(reference(t, srv.Host+"/"+repo+":2")); err == nil {
						t.Error("the tag exists")
					}
				})
			}
		}
	}
}

func deleteBlob(t testing.TB, srv *registrytest.Server, repo, digest string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, srv.URL+"/v2/"+repo+"/blobs/"+digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("deleting blob %s: %s, %v", digest, resp.Status, err)
	}
}
