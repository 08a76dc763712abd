// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// manifestServer answers every request for a manifest with raw and header.
func manifestServer(t *testing.T, raw []byte, header map[string]string) (*registry.Repository, func() int) {
	t.Helper()
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		n++
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.Write(raw) // a client that knows enough hangs up
	}))
	t.Cleanup(srv.Close)
	repo := repository(t, client(t, registry.Options{}), srv.Listener.Addr().String()+"/team/app")
	return repo, func() int { srv.Close(); return n }
}

func TestManifest(t *testing.T) {
	digest := descriptor(t, registry.Bytes(manifest)).Digest
	other := descriptor(t, registry.Bytes(small)).Digest.String()
	untyped := []byte(`{"schemaVersion":2}`)
	sum := sha512.Sum512(manifest)
	long, wrong := fmt.Sprintf("sha512:%x", sum), fmt.Sprintf("sha512:%x", sha512.Sum512(small))
	for _, test := range []struct {
		name, ref string
		raw       []byte
		header    map[string]string
		want      v1.Descriptor
		err       error
	}{
		{"tag", "v1", manifest, map[string]string{"Docker-Content-Digest": digest.String()}, v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest}, nil},
		{"tag without a stated digest", "v1", manifest, nil, v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest}, nil},
		{"tag with an odd header", "v1", manifest, map[string]string{"Docker-Content-Digest": "?"}, v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest}, nil},
		{"tag with another digest", "v1", manifest, map[string]string{"Docker-Content-Digest": other}, v1.Descriptor{}, registry.ErrIntegrity},
		{"digest", digest.String(), manifest, nil, v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest}, nil},
		{"digest of another", other, manifest, nil, v1.Descriptor{}, registry.ErrIntegrity},
		{"digest of another, stated too", other, manifest, map[string]string{"Docker-Content-Digest": other}, v1.Descriptor{}, registry.ErrIntegrity},
		{"long digest", long, manifest, nil, v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest}, nil},
		{"long digest of another", wrong, manifest, nil, v1.Descriptor{}, registry.ErrIntegrity},
		{"long digest of another, stated", "v1", manifest, map[string]string{"Docker-Content-Digest": wrong}, v1.Descriptor{}, registry.ErrIntegrity},
		{
			"media type in the header only", "v1", untyped,
			map[string]string{"Content-Type": string(types.DockerManifestSchema2)},
			v1.Descriptor{MediaType: types.DockerManifestSchema2, Digest: descriptor(t, registry.Bytes(untyped)).Digest},
			nil,
		},
		{
			"media type in both", "v1", manifest,
			map[string]string{"Content-Type": "application/json; charset=utf-8"},
			v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest},
			nil,
		},
		{
			"one media type in two spellings", "v1", manifest,
			map[string]string{"Content-Type": "application/vnd.OCI.image.index.v1+json ;charset=utf-8"},
			v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest},
			nil,
		},
		{
			"another kind of manifest in the header", "v1", manifest,
			map[string]string{"Content-Type": string(types.OCIManifestSchema1)},
			v1.Descriptor{},
			registry.ErrIntegrity,
		},
		{
			"another kind of manifest in the header, with a parameter", digest.String(), manifest,
			map[string]string{"Content-Type": string(types.DockerManifestList) + "; charset=utf-8"},
			v1.Descriptor{},
			registry.ErrIntegrity,
		},
		{
			"octets", "v1", manifest,
			map[string]string{"Content-Type": "application/octet-stream"},
			v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest},
			nil,
		},
		{
			"text", "v1", manifest,
			map[string]string{"Content-Type": "text/plain; charset=utf-8"},
			v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest},
			nil,
		},
		{
			"media type with a parameter", "v1", untyped,
			map[string]string{"Content-Type": string(types.OCIManifestSchema1) + "; charset=utf-8"},
			v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: descriptor(t, registry.Bytes(untyped)).Digest},
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			repo, asked := manifestServer(t, test.raw, test.header)
			desc, raw, err := repo.Manifest(t.Context(), test.ref)
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if n := asked(); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
			if err != nil {
				return
			}
			test.want.Size = int64(len(test.raw))
			if diff := cmp.Diff(test.want, desc); diff != "" {
				t.Errorf("descriptor (-want +got):\n%s", diff)
			}
			if !bytes.Equal(raw, test.raw) {
				t.Errorf("other bytes: %s", raw)
			}
		})
	}
}

func TestManifestSize(t *testing.T) {
	for _, test := range []struct {
		size int
		ok   bool
	}{{registry.MaxManifest, true}, {registry.MaxManifest + 1, false}, {2 * registry.MaxManifest, false}} {
		repo, asked := manifestServer(t, bytes.Repeat([]byte(" "), test.size), nil)
		_, _, err := repo.Manifest(t.Context(), "v1")
		if test.ok != (err == nil) {
			t.Errorf("%d bytes: %v", test.size, err)
		}
		if err != nil && !strings.Contains(err.Error(), "larger than 8388608 bytes") {
			t.Errorf("%d bytes: %v", test.size, err)
		}
		if n := asked(); n != 1 {
			t.Errorf("%d requests, want 1", n)
		}
	}
}

// All kinds of manifest are asked for, or a registry would convert to the
// oldest.
func TestManifestAccept(t *testing.T) {
	srv, repo := open(t, registrytest.Options{}, "team/app")
	srv.Push(t, "team/app:v1", registrytest.BaseIndex(t, "linux/amd64"))
	if _, _, err := repo.Manifest(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Head(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	var n int
	for _, r := range srv.Requests() {
		if !strings.Contains(r.Path, "/manifests/") {
			continue
		}
		n++
		for _, want := range []types.MediaType{types.OCIImageIndex, types.OCIManifestSchema1, types.DockerManifestList, types.DockerManifestSchema2} {
			if accept := r.Header.Get("Accept"); !strings.Contains(accept, string(want)) {
				t.Errorf("%s accepts %q, not %s", r.Method, accept, want)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d requests, want 2: %q", n, requests(srv))
	}
}

func TestManifestRoundTrip(t *testing.T) {
	_, repo := open(t, registrytest.Options{}, "team/app")
	desc := descriptor(t, registry.Bytes(manifest))
	desc.MediaType = types.OCIImageIndex
	for _, ref := range []string{"v1", desc.Digest.String()} {
		if err := repo.PutManifest(t.Context(), ref, types.OCIImageIndex, manifest); err != nil {
			t.Fatal(err)
		}
		got, raw, err := repo.Manifest(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(desc, got); diff != "" || !bytes.Equal(raw, manifest) {
			t.Errorf("%s: descriptor (-want +got):\n%s", ref, diff)
		}
		if digest, err := repo.Head(t.Context(), ref); err != nil || digest != desc.Digest {
			t.Errorf("%s: HEAD %s, %v", ref, digest, err)
		}
	}
}

// A registry that keeps the digest to itself is not asked again and again.
func TestHeadWithoutDigest(t *testing.T) {
	repo, asked := manifestServer(t, nil, nil)
	if _, err := repo.Head(t.Context(), "v1"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	if n := asked(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}
