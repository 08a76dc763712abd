// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// gone answers 404 for the paths with an end, a string.
func gone(end *atomic.Value) func(int, *http.Request) registrytest.Fault {
	return func(_ int, r *http.Request) registrytest.Fault {
		if end, ok := end.Load().(string); ok && strings.HasSuffix(r.URL.Path, end) {
			return registrytest.Fault{Status: http.StatusNotFound}
		}
		return registrytest.Fault{}
	}
}

// A part that is missing at the source is named, and nothing shows at the
// destination.
func TestPromoteMissingPart(t *testing.T) {
	t.Parallel()
	var end atomic.Value
	from := registrytest.Start(t, registrytest.Options{Faults: gone(&end)})
	s := pushSigned(t, from, "team/scorer", "v1")
	image := manifestOf(t, must[v1.Image](t)(s.index.Image(s.images[1])))
	for name, digest := range map[string]v1.Hash{
		"child": s.images[1], "layer": image.Layers[0].Digest, "config": image.Config.Digest, "referrer": s.referrers[s.top][0],
	} {
		for _, dst := range []string{"registry", "oci"} {
			t.Run(name+" to "+dst, func(t *testing.T) {
				to := registrytest.Start(t, registrytest.Options{})
				dir := t.TempDir()
				at := map[string]string{"registry": to.Host + "/prod/scorer:v1", "oci": "oci:" + dir + "/layout:v1"}[dst]
				end.Store(digest.String())
				_, err := bake.Promote(t.Context(), from.Host+"/team/scorer:v1", nil, bake.PromoteOptions{}, at)
				if !errors.Is(err, bake.ErrNotFound) || !strings.Contains(err.Error(), digest.String()) || !strings.Contains(err.Error(), "source ") {
					t.Errorf("got %v, want that %s is missing at the source", err, digest)
				}
				if n := to.Count(http.MethodPut, "*/manifests/*"); n != 0 {
					t.Errorf("%d manifests were written", n)
				}
				if left := tree(t, dir); len(left) != 0 {
					t.Errorf("left: %v", left)
				}
			})
		}
	}
}

// A tag that is another image stays it where that is asked for, before a byte
// is sent; a tag that is the image may be immutable.
func TestPromoteOntoTags(t *testing.T) {
	t.Parallel()
	from := registrytest.Start(t, registrytest.Options{})
	to := registrytest.Start(t, registrytest.Options{Immutable: http.StatusConflict})
	s := pushSigned(t, from, "team/scorer", "v1")
	other := registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 9})
	to.Push(t, "prod/scorer:taken", other)
	to.Push(t, "prod/scorer:same", s.index)
	dir := t.TempDir()
	writeLayout(t, dir+"/layout", other, "taken")
	tarDir(t, dir+"/layout", dir+"/archive")
	before := tree(t, dir)
	for _, dst := range []string{to.Host + "/prod/scorer:taken", "oci:" + dir + "/layout:taken", "oci-archive:" + dir + "/archive:taken", "oci-archive:" + dir + "/archive:new"} {
		to.Reset()
		_, err := bake.Promote(t.Context(), from.Host+"/team/scorer:v1", nil, bake.PromoteOptions{NoClobber: true}, to.Host+"/prod/new:v1", dst)
		if !errors.Is(err, bake.ErrConflict) {
			t.Errorf("%s: got %v, want a conflict", dst, err)
		}
		if got := writes(to); len(got) > 0 {
			t.Errorf("%s: written: %q", dst, got)
		}
		if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
			t.Errorf("%s: files (-before +after):\n%s", dst, diff)
		}
	}
	if _, err := bake.Promote(t.Context(), from.Host+"/team/scorer:v1", nil, bake.PromoteOptions{}, to.Host+"/prod/scorer:taken"); !errors.Is(err, bake.ErrConflict) {
		t.Errorf("an immutable tag: got %v, want a conflict", err)
	}
	promote(t, bake.PromoteOptions{NoClobber: true}, from.Host+"/team/scorer:v1", to.Host+"/prod/scorer:same")
	checkSigned(t, to.Host, "prod/scorer", "same", s)
	promote(t, bake.PromoteOptions{}, from.Host+"/team/scorer:v1", "oci:"+dir+"/layout:taken")
}

func TestPromoteDenied(t *testing.T) {
	t.Parallel()
	from := registrytest.Start(t, registrytest.Options{})
	pushSigned(t, from, "team/scorer", "v1")
	for name, opts := range map[string]registrytest.Options{
		"unauthorized":         {Auth: &registrytest.Auth{}},
		"forbidden":            {ReadOnly: http.StatusForbidden},
		"read-only":            {ReadOnly: http.StatusMethodNotAllowed},
		"anonymous may read":   {Auth: &registrytest.Auth{Anonymous: []registrytest.Right{{Repos: "*", Actions: []string{"pull"}}}}},
		"unauthorized, tokens": {Auth: &registrytest.Auth{Bearer: &registrytest.Bearer{}}},
	} {
		t.Run(name, func(t *testing.T) {
			to := registrytest.Start(t, opts)
			_, err := bake.Promote(t.Context(), from.Host+"/team/scorer:v1", nil, bake.PromoteOptions{}, to.Host+"/prod/scorer:v1")
			if !errors.Is(err, bake.ErrDenied) || !strings.Contains(err.Error(), "destination "+to.Host) {
				t.Errorf("got %v, want that the destination denies it", err)
			}
		})
	}
}

func TestPromoteBadInput(t *testing.T) {
	t.Parallel()
	from := registrytest.Start(t, registrytest.Options{})
	s := pushSigned(t, from, "team/scorer", "v1")
	schema1 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", string(types.DockerManifestSchema1Signed))
		_, _ = w.Write([]byte(`{"schemaVersion": 1, "fsLayers": []}`)) // the client may be gone
	}))
	defer schema1.Close()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/notes.txt", []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	src, dst := from.Host+"/team/scorer:v1", from.Host+"/prod/scorer:v1"
	for _, tc := range []struct {
		name, src, dst, platform string
		is                       error
		says                     string
	}{
		{"schema 1", schema1.Listener.Addr().String() + "/old:v1", dst, "", nil, "schema 1"},
		{"no such tag", from.Host + "/team/scorer:v9", dst, "", bake.ErrNotFound, "v9"},
		{"source that is no layout", "oci:" + dir, dst, "", nil, "not an OCI image layout"},
		{"no such layout", "oci:" + dir + "/none", dst, "", bake.ErrNotFound, "none"},
		{"destination that is no layout", src, "oci:" + dir, "", nil, "neither empty nor an OCI image layout"},
		{"from docker-archive", "docker-archive:" + dir + "/x.tar", dst, "", bake.ErrUsage, "oci-archive"},
		{"to docker-archive", src, "docker-archive:" + dir + "/x.tar", "", bake.ErrUsage, "oci-archive"},
		{"to a digest", src, from.Host + "/prod/scorer@" + s.top.String(), "", bake.ErrUsage, "under a tag"},
		{"nowhere", src, "", "", bake.ErrUsage, "no destination"},
		{"no platform", src, dst, "a/b/c/d", bake.ErrUsage, "OS/ARCH"},
		{"another platform", src, dst, "linux/s390x", bake.ErrNotFound, "it has linux/amd64, linux/arm64"},
		{"another platform of an image", from.Host + "/team/scorer@" + s.images[0].String(), dst, "linux/arm64", bake.ErrNotFound, "it has linux/amd64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var to []string
			if tc.dst != "" {
				to = []string{tc.dst}
			}
			_, err := bake.Promote(t.Context(), tc.src, nil, bake.PromoteOptions{Platform: tc.platform}, to...)
			if err == nil || tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %v that says %q", err, tc.is, tc.says)
			}
		})
	}
	if got := digestAt(t, dst); got != (v1.Hash{}) {
		t.Errorf("the destination has %s", got)
	}
	if diff := cmp.Diff(map[string]string{"notes.txt": "mine"}, tree(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// An image that is where it should be stays there.
func TestPromoteOntoItself(t *testing.T) {
	t.Parallel()
	for _, noAPI := range []bool{false, true} {
		srv := registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoReferrers: noAPI}})
		s := pushSigned(t, srv, "team/scorer", "v1")
		dir := t.TempDir()
		locations := []string{srv.Host + "/team/scorer:v1", "oci:" + dir + "/layout:v1", "oci-archive:" + dir + "/archive:v1"}
		promote(t, bake.PromoteOptions{}, locations[0], locations[1:]...)
		before := tree(t, dir)
		for _, at := range locations {
			srv.Reset()
			report := promote(t, bake.PromoteOptions{NoClobber: true}, at, at)
			if report.Digest != s.top || len(report.Published) != 1 {
				t.Errorf("%s: %+v", at, report)
			}
			if got := writes(srv); len(got) > 0 {
				t.Errorf("%s: written: %q", at, got)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("%s: files changed", at)
			}
		}
	}
}
