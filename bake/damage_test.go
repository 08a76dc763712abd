// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A registry that damages or loses what it holds.
func TestVerifyDamaged(t *testing.T) {
	type failing struct {
		path string
		registrytest.Fault
	}
	var now atomic.Pointer[failing] // a request may outlive its test
	srv := startWith(t, registrytest.Options{Faults: func(_ int, r *http.Request) registrytest.Fault {
		if f := now.Load(); f != nil && strings.HasSuffix(r.URL.Path, f.path) {
			return f.Fault
		}
		return registrytest.Fault{}
	}}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: schemaModel(200<<10, "0: input", "1: output")} // which compresses
	spec.Layers = bake.LayersClass
	report := doBake(t, spec)
	img := must[v1.Image](t)(remote.Image(reference(t, srv.Host+"/team/scorer@"+report.Platforms[1].Digest.String())))
	m := manifestOf(t, img)
	layer, below := report.Layers[0].Digest.String(), m.Layers[0].Digest.String()
	arm64 := m.Config.Digest.String()
	missing := registrytest.Fault{Status: http.StatusNotFound}
	for name, tc := range map[string]struct {
		path  string
		fault registrytest.Fault
		want  []string
	}{
		"a layer's bytes":           {layer, registrytest.Fault{Corrupt: true}, []string{"layer " + layer + ": content does not match its digest: got "}},
		"a layer is cut":            {layer, registrytest.Fault{CutResponse: 100}, nil},
		"a layer is missing":        {layer, missing, []string{"layer " + layer + ": is missing"}},
		"a base layer is missing":   {below, missing, []string{"base layer " + below + ": is missing"}},
		"a config is missing":       {arm64, missing, []string{"manifest " + report.Platforms[1].Digest.String() + ": is missing"}},
		"a manifest is missing":     {report.Platforms[1].Digest.String(), missing, []string{"manifest " + report.Platforms[1].Digest.String() + ": is missing"}},
		"a manifest's bytes":        {report.Platforms[1].Digest.String(), registrytest.Fault{Corrupt: true}, []string{"manifest " + report.Platforms[1].Digest.String() + ": content does not match its digest: got "}},
		"the registry fails":        {layer, registrytest.Fault{Status: http.StatusInternalServerError}, nil},
		"a base layer is forbidden": {below, registrytest.Fault{Status: http.StatusForbidden}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			now.Store(&failing{tc.path, tc.fault})
			defer now.Store(nil)
			remote := bake.NewRemote(bake.RemoteOptions{Retries: -1})
			v, err := bake.Verify(t.Context(), srv.Host+"/team/scorer:1", remote, bake.VerifyOptions{})
			if tc.want == nil {
				if err == nil || errors.Is(err, bake.ErrIntegrity) || v != nil {
					t.Errorf("got %v, %v, want a failure of the registry", v, err)
				}
				return
			}
			var found *bake.MismatchError
			if !errors.As(err, &found) || len(found.Mismatches) != len(tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			for i, want := range tc.want {
				if got := found.Mismatches[i].String(); !strings.HasPrefix(got, want) {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
}

// A layout whose files were damaged where they lie.
func TestVerifyDamagedLayout(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	spec := scorer(srv.Host + "/team/base:1")
	spec.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: schemaModel(200<<10, "0: input", "1: output")} // to decompress
	for name, tc := range map[string]struct {
		layer  int
		change func(content []byte) []byte
		want   string
	}{
		"a layer is cut":    {2, func(b []byte) []byte { return b[:len(b)-10] }, "layer DIGEST: CUT of its SIZE bytes"},
		"a layer is longer": {2, func(b []byte) []byte { return append(b, 0) }, "layer DIGEST: more than its SIZE bytes"},
		"a layer is empty":  {2, func([]byte) []byte { return nil }, "layer DIGEST: 0 of its SIZE bytes"},
		"a layer is scrambled": {2, func(b []byte) []byte {
			return slices.Replace(b, len(b)/2, len(b)/2+64, bytes.Repeat([]byte{0xff}, 64)...)
		}, "layer DIGEST: content does not match its digest: got GOT"},
		"a base layer is cut":   {0, func(b []byte) []byte { return b[:len(b)-10] }, "base layer DIGEST: it has CUT bytes, the manifest says SIZE"},
		"a base layer is empty": {0, func([]byte) []byte { return nil }, "base layer DIGEST: it has 0 bytes, the manifest says SIZE"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			spec.Tags = []string{"oci:" + dir}
			doBake(t, spec)
			img := must[v1.Image](t)(must[layout.Path](t)(layout.FromPath(dir)).Image(onlyDigest(t, dir)))
			desc := manifestOf(t, img).Layers[tc.layer]
			file := filepath.Join(dir, "blobs", "sha256", desc.Digest.Hex)
			content := must[[]byte](t)(os.ReadFile(file))
			changed := tc.change(slices.Clone(content))
			if err := os.Remove(file); err != nil { // it may be read-only
				t.Fatal(err)
			}
			if err := os.WriteFile(file, changed, 0o666); err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("DIGEST", desc.Digest.String(), "SIZE", fmt.Sprint(desc.Size), "CUT", fmt.Sprint(desc.Size-10), "GOT", sha256Hex(changed)).Replace(tc.want)
			v, err := bake.Verify(t.Context(), "oci:"+dir, nil, bake.VerifyOptions{})
			mismatches(t, v, err, []string{want})
		})
	}
}

// onlyDigest is the digest of the only image of a layout.
func onlyDigest(t testing.TB, dir string) v1.Hash {
	t.Helper()
	index := must[v1.ImageIndex](t)(layout.ImageIndexFromPath(dir))
	return must[*v1.IndexManifest](t)(index.IndexManifest()).Manifests[0].Digest
}

// Whatever stands in a record, it is an answer that comes of it.
func TestVerifyAnyRecord(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Docker: true}))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.Labels = map[string]string{"team": "risk"}
	doBake(t, spec)
	baked := pullImage(t, srv.Host+"/team/scorer:1")
	record := configOf(t, baked).Config.Labels[bake.RecordLabel]
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"null", "-1", "[]", "{}", `""`, "9223372036854775807", `{"set":["a","MODEL"],"replaced":{"a":"b","MODEL":"c"}}`, "[1]"}
	value := regexp.MustCompile(`:("[^"]*"|\d+|\[[^\]]*\]|\{[^{}]*\})`)
	lies := []string{
		strings.Replace(record, `"env":`, `"annotations":{"set":["x"],"replaced":{"x":"y"}},"env":`, 1),
		strings.Replace(record, `"env":`, `"settings":{"Volumes":1,"User":null},"created":"yesterday","env":`, 1),
		strings.Replace(record, `"mediaType"`, `"index":{"digest":"sha256:x"},"mediaType"`, 1),
	}
	for range 150 {
		at := value.FindAllStringIndex(record, -1)
		place := at[random.IntN(len(at))]
		lies = append(lies, record[:place[0]+1]+pieces[random.IntN(len(pieces))]+record[place[1]:])
	}
	for _, lie := range lies {
		img := edit(t, baked, func(config, _ map[string]any) {
			config["config"].(map[string]any)["Labels"].(map[string]any)[bake.RecordLabel] = lie
		})
		srv.Push(t, "team/lying:1", img)
		v, err := bake.Verify(t.Context(), srv.Host+"/team/lying:1", nil, bake.VerifyOptions{})
		var found *bake.MismatchError
		if v == nil && (err == nil || !strings.Contains(err.Error(), "newer crane-bake")) || err != nil && v != nil && !errors.As(err, &found) {
			t.Errorf("%s:\n%+v, %v", lie, v, err)
		}
	}
}

// An attachment that is too large to be held is compared, but not looked into.
func TestVerifyLargeAttachment(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.FS.(fstest.MapFS)["big.zip"] = &fstest.MapFile{Data: make([]byte, 64<<20+1)}
	spec.FS.(fstest.MapFS)["small.zip"] = &fstest.MapFile{Data: make([]byte, 10)}
	spec.Attachments = []string{"big.zip", "small.zip"}
	spec.Compression.Algorithm = bake.None
	doBake(t, spec)
	v, err := bake.Verify(t.Context(), srv.Host+"/team/scorer:1", nil, bake.VerifyOptions{})
	forbidden(t, err, finding{"A-02", engine.Error}) // of small.zip
	if !slices.ContainsFunc(v.Findings, func(f engine.Finding) bool { return f.Rule == "X-00" && f.File == "/assets/big.zip" }) {
		t.Errorf("findings %v", v.Findings)
	}
	if want := []string{"/assets/big.zip is too large to be checked: it has 67108865 bytes"}; cmp.Diff(want, v.Notes) != "" {
		t.Errorf("notes %q", v.Notes)
	}
}
