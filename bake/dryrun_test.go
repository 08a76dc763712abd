// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

func TestDryRun(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		tags []string // BASE and OTHER are registries, DIR a directory
	}{
		{"another repository", []string{"BASE/team/scorer:1"}},
		{"the base's repository", []string{"BASE/team/base:2"}},
		{"another registry", []string{"OTHER/team/scorer:1"}},
		{"two repositories", []string{"BASE/team/scorer:1", "BASE/prod/scorer:1"}},
		{"two repositories of another registry", []string{"OTHER/team/scorer:1", "OTHER/prod/scorer:1", "OTHER/prod/scorer:2"}},
		{"files", []string{"oci:DIR/layout:1", "oci:DIR/layout:2", "oci-archive:DIR/oci.tar:1", "docker-archive:DIR/docker.tar:scorer"}},
		{"everywhere", []string{"BASE/team/scorer:1", "OTHER/team/scorer:1", "oci:DIR/layout:1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3}))
			to := registrytest.Start(t, registrytest.Options{})
			dir := t.TempDir()
			replace := strings.NewReplacer("BASE", from.Host, "OTHER", to.Host, "DIR", dir)
			spec := scorer(from.Host + "/team/base:1")
			// Large enough to be looked for before it is sent.
			spec.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: random(100<<10, 1)}
			spec.Layers = bake.LayersClass
			for _, tag := range tc.tags {
				spec.Tags = append(spec.Tags, replace.Replace(tag))
			}
			remote := bake.NewRemote(bake.RemoteOptions{})
			for _, round := range []string{"first", "changed"} {
				if round == "changed" {
					spec.FS.(fstest.MapFS)["rest.json"] = &fstest.MapFile{Data: []byte(`{"Transport":{"Type":"REST"}}`)}
				}
				before := tree(t, dir)
				from.Reset()
				to.Reset()
				sent := remote.Requests()
				plan := newPlan(t, spec)
				dry, err := plan.DryRun(t.Context(), remote)
				if err != nil {
					t.Fatal(err)
				}
				if got := remote.Requests() - sent; dry.Transfer.Requests != got {
					t.Errorf("%s: the dry run says %d requests, it sent %d", round, dry.Transfer.Requests, got)
				}
				wroteNothing(t, from, to)
				if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
					t.Errorf("%s: the dry run wrote files:\n%s", round, diff)
				}
				wet, err := plan.Bake(t.Context(), remote, bake.Options{NoCheck: true})
				if err != nil {
					t.Fatal(err)
				}
				opts := []cmp.Option{
					cmpopts.IgnoreFields(bake.Transfer{}, "Requests"),
					cmpopts.IgnoreFields(bake.Report{}, "Image", "Published"),
				}
				if diff := cmp.Diff(wet, dry, opts...); diff != "" {
					t.Errorf("%s: reports (-Bake +DryRun):\n%s", round, diff)
				}
			}
		})
	}
}

// wroteNothing wants reading requests only.
func wroteNothing(t *testing.T, servers ...*registrytest.Server) {
	t.Helper()
	for _, srv := range servers {
		for _, r := range srv.Requests() {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				t.Errorf("the dry run sent %s %s", r.Method, r.Path)
			}
		}
	}
}

func TestDryRunRefuses(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	tag := "docker-archive:" + t.TempDir() + "/docker.tar"
	_, err := newPlan(t, scorer(srv.Host+"/team/base:1", tag)).DryRun(t.Context(), nil)
	if !errors.Is(err, bake.ErrUsage) || !strings.Contains(err.Error(), tag) {
		t.Errorf("an index in a docker-archive: got %v, want a usage error", err)
	}
}
