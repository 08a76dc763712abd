// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// What Rebase and Rebind make comes back as well.
func TestRoundTripOfChanged(t *testing.T) {
	bases := map[string]remote.Taggable{
		"oci":   talkative(t, registrytest.ImageOptions{Seed: 2, Layers: 4}),
		"index": registrytest.BaseIndexOf(t, registrytest.ImageOptions{Seed: 3, Docker: true}, "linux/amd64", "linux/arm64"),
	}
	for from, image := range bases {
		for i, shape := range shapes {
			if from == "index" && i%3 > 0 {
				continue // what is baked and what it is baked on do not meet
			}
			t.Run(from+"/"+shape.name, func(t *testing.T) {
				t.Parallel()
				srv := startWith(t, registrytest.Options{}, image)
				spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
				files := shapeFiles(t)
				files["sub/more.json"] = files["kafka.json"]
				spec.FS = files
				shape.change(&spec)
				doBake(t, spec)
				opts := bake.RebindOptions{FS: spec.FS, NoCheck: true, Streams: map[int]string{1: "kafka-prod.json", 3: "sub/more.json"}, Labels: map[string]string{"stage": "prod"}}
				if _, err := bake.Rebind(t.Context(), srv.Host+"/team/scorer:1", nil, opts, srv.Host+"/team/rebound:1"); err != nil {
					t.Fatal(err)
				}
				roundTrip(t, srv.Host+"/team/rebound:1", srv.Host+"/team/again:1", bake.ExtractOptions{})
				srv.Push(t, "team/base:2", bases[from])
				srv.Push(t, "team/base:3", bases["oci"])
				for _, base := range []string{"2", "3"} {
					if base == "3" && from == "index" {
						continue // the new base has one platform
					}
					rebase := bake.RebaseOptions{Base: srv.Host + "/team/base:" + base}
					if _, err := bake.Rebase(t.Context(), srv.Host+"/team/rebound:1", nil, rebase, srv.Host+"/team/rebased:1"); err != nil {
						t.Fatal(err)
					}
					roundTrip(t, srv.Host+"/team/rebased:1", srv.Host+"/team/again:1", bake.ExtractOptions{})
				}
				if from != "index" {
					return
				}
				one := bake.RebaseOptions{Base: srv.Host + "/team/base:2", Platforms: []string{"linux/arm64"}}
				if _, err := bake.Rebase(t.Context(), srv.Host+"/team/rebound:1", nil, one, srv.Host+"/team/rebased:1"); err != nil {
					t.Fatal(err)
				}
				roundTrip(t, srv.Host+"/team/rebased:1", srv.Host+"/team/again:1", bake.ExtractOptions{})
			})
		}
	}
}

// A base in a file has no name: the bake file says so, and with the base by its
// location the digest is the same. So it is in an OCI layout.
func TestRoundTripOfFiles(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Docker: true}))
	dir := t.TempDir()
	for _, tc := range []struct{ name, base, tag string }{
		{"from a layout", fixedBase(t), srv.Host + "/team/scorer:1"},
		{"to a layout", srv.Host + "/team/base:1", "oci:" + filepath.Join(dir, "out") + ":1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := doBake(t, scorer(tc.base, tc.tag))
			out, at := extract(t, tc.tag, bake.ExtractOptions{})
			if !out.Exact || out.NeedsBase != strings.HasPrefix(tc.base, "oci:") || out.Digest != report.Digest {
				t.Errorf("got %+v", out)
			}
			if says := strings.Contains(readFile(t, at, bake.BakeFileName), "name it with --base"); says != out.NeedsBase {
				t.Errorf("bake file:\n%s", readFile(t, at, bake.BakeFileName))
			}
			spec := loadBake(t, at)
			spec.Tags = []string{srv.Host + "/team/again:1"}
			if out.NeedsBase {
				spec.Base = tc.base
			}
			if got := doBake(t, spec); got.Digest != report.Digest {
				t.Errorf("digest %s, want %s", got.Digest, report.Digest)
			}
		})
	}
}

// What may be the base's is not taken for the bake's, and is named.
func TestLeftOut(t *testing.T) {
	img := edit(t, built(t, registrytest.BaseImage(t, registrytest.ImageOptions{}), "STREAMS=0:/assets/rest.json;1:/assets/kafka.json", "REGION=eu"), func(config, manifest map[string]any) {
		c := config["config"].(map[string]any)
		c["Labels"], c["Cmd"], c["Hostname"] = map[string]any{"team": "risk"}, []string{}, "0123456789ab"
		manifest["annotations"] = map[string]any{"note": "x", baseName: "docker.io/fastscore/engine:1"}
	})
	srv := startWith(t, registrytest.Options{}, img)
	want := "left out, since nobody recorded whether they are the base's: variables ENGINE_HOME, PATH, REGION; labels team; annotations note; settings Entrypoint, ExposedPorts, Healthcheck, StopSignal, User, WorkingDir"
	found := inspect(t, srv.Host+"/team/base:1", bake.InspectOptions{})
	if diff := cmp.Diff([]string{want}, found.Notes); diff != "" {
		t.Errorf("notes of inspect (-want +got):\n%s", diff)
	}
	out, _ := extract(t, srv.Host+"/team/base:1", bake.ExtractOptions{})
	if !slices.Contains(out.Notes, want) {
		t.Errorf("notes of extract %q, want %q", out.Notes, want)
	}
}

// Of an image without a record, the bound files and those beside them are
// extracted, and nobody promises the digest.
func TestExtractWithoutRecord(t *testing.T) {
	bound := []string{"MODEL=/srv/m/model.py3", "SCHEMAS=input:/srv/m/in.avsc;output:/srv/m/in.avsc", "STREAMS=0:/srv/m/rest.json", "CONNECT_PREFIX=https://mine:8001"}
	files := map[string]string{"/srv/m/model.py3": "def action(x): yield x\n", "/srv/m/in.avsc": `"double"`, "/srv/m/rest.json": "{}", "/srv/m/notes.txt": "n", "/srv/other": "o"}
	apart := map[string]string{"/srv/m/model.py3": "def action(x): yield x\n", "/srv/s/rest.json": "{}"}
	for _, tc := range []struct {
		name string
		opts registrytest.ImageOptions
		want map[string]string
	}{
		{
			"in one directory",
			registrytest.ImageOptions{Env: bound, Files: files},
			map[string]string{
				"model.py3": files["/srv/m/model.py3"], "in.avsc": `"double"`, "rest.json": "{}", "notes.txt": "n",
				"bake.yaml": `# Extracted by crane-bake from IMAGE
# The image does not tell which engine image it was made of: name one with --base.
model: model.py3
schemas:
  input: in.avsc
  output: in.avsc
streams:
  0: rest.json
assets:
  - notes.txt
connectPrefix: https://mine:8001
assetsDir: /srv/m
allow:
  - SD-05
  - X-03
`,
			},
		},
		{
			"in several, one missing",
			registrytest.ImageOptions{
				Env: []string{"MODEL=/srv/m/model.py3", "STREAMS=0:/srv/s/rest.json;1:/srv/s/no.json"}, Files: apart,
				Annotations: map[string]string{"org.opencontainers.image.base.name": "docker.io/fastscore/engine:1.10"},
			},
			map[string]string{
				"model.py3": files["/srv/m/model.py3"], "rest.json": "{}",
				"bake.yaml": `# Extracted by crane-bake from IMAGE
base: docker.io/fastscore/engine:1.10
copies:
  - from: model.py3
    to: /srv/m/model.py3
    mode: 0644
  - from: rest.json
    to: /srv/s/rest.json
    mode: 0644
assetsDir: /srv/m
env:
  MODEL: /srv/m/model.py3
  STREAMS: 0:/srv/s/rest.json;1:/srv/s/no.json
allow:
  - ENV-08
  - SD-05
`,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, tc.opts))
			out, dir := extract(t, srv.Host+"/team/base:1", bake.ExtractOptions{})
			if out.Exact || out.Recorded || len(out.Notes) == 0 {
				t.Errorf("got %+v", out)
			}
			tc.want["bake.yaml"] = strings.Replace(tc.want["bake.yaml"], "IMAGE", out.Image, 1)
			if diff := cmp.Diff(tc.want, treeOnDisk(t, dir)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			loadBake(t, dir)
		})
	}
}

// Layers upon a bake, or a bake of somebody else's layers, are no bake that is
// known.
func TestExtractOfHalfABake(t *testing.T) {
	old := registrytest.BaseImage(t, registrytest.ImageOptions{})
	srv := startWith(t, registrytest.Options{}, old)
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	more := must[v1.Image](t)(mutate.AppendLayers(pullImage(t, srv.Host+"/team/scorer:1"), emptyLayer(t)))
	srv.Push(t, "team/more:1", more)
	out, dir := extract(t, srv.Host+"/team/more:1", bake.ExtractOptions{})
	if out.Exact || out.Recorded || len(out.Notes) == 0 || !strings.Contains(out.Notes[0], "there are layers upon its bake") {
		t.Errorf("got %+v", out)
	}
	if got := readFile(t, dir, "kafka.json"); got != string(scorerFiles()["kafka.json"].Data) {
		t.Errorf("kafka.json is %q", got)
	}

	files := map[string]string{}
	for name, f := range scorerFiles() {
		files["/assets/"+name] = string(f.Data)
	}
	own := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3, Files: files, Env: []string{
		"MODEL=/assets/model.py3", "SCHEMAS=input:/assets/input.avsc;output:/assets/output.avsc", "STREAMS=0:/assets/rest.json;1:/assets/kafka.json",
	}})
	srv.Push(t, "team/own:1", own)
	if _, err := bake.Rebase(t.Context(), srv.Host+"/team/own:1", nil, bake.RebaseOptions{OldBase: srv.Host + "/team/base:1", Base: srv.Host + "/team/base:1"}, srv.Host+"/team/rebased:1"); err != nil {
		t.Fatal(err)
	}
	out, dir = extract(t, srv.Host+"/team/rebased:1", bake.ExtractOptions{})
	if out.Exact || !out.Recorded || out.NeedsBase || len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "were not made by crane-bake") {
		t.Errorf("got %+v", out)
	}
	if spec := loadBake(t, dir); spec.Model != "model.py3" || !strings.HasPrefix(spec.Base, srv.Host+"/team/base:1@sha256:") {
		t.Errorf("got %+v", spec)
	}
}

// Images that nothing can be extracted from.
func TestExtractOfAnythingElse(t *testing.T) {
	plain := registrytest.BaseImage(t, registrytest.ImageOptions{})
	srv := startWith(t, registrytest.Options{}, plain)
	index := v1.ImageIndex(empty.Index)
	for i, platform := range []string{"linux/amd64", "linux/arm64"} {
		spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/one:1")
		spec.FS.(fstest.MapFS)["rest.json"].Data = append(spec.FS.(fstest.MapFS)["rest.json"].Data, strings.Repeat(" ", i)...)
		doBake(t, spec)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: pullImage(t, srv.Host+"/team/one:1"), Descriptor: v1.Descriptor{Platform: must[*v1.Platform](t)(v1.ParsePlatform(platform))},
		})
	}
	srv.Push(t, "team/differ:1", index)
	srv.Push(t, "team/several:1", registrytest.BaseIndexOf(t, registrytest.ImageOptions{Env: []string{"MODEL=/m.py3"}}, "linux/amd64", "linux/arm64"))
	for _, tc := range []struct {
		image, platform string
		want            error
		says            string
	}{
		{"base:1", "", bake.ErrNotFound, "nothing is baked into it"},
		{"base:2", "", bake.ErrNotFound, ""},
		{"differ:1", "", bake.ErrUsage, "differ in what is baked"},
		{"several:1", "", bake.ErrUsage, "several platforms"},
		{"differ:1", "linux/mips", bake.ErrNotFound, "linux/mips"},
		{"differ:1", "linux", bake.ErrUsage, "want OS/ARCH"},
	} {
		dir := t.TempDir()
		_, err := bake.Extract(t.Context(), srv.Host+"/team/"+tc.image, filepath.Join(dir, "out"), nil, bake.ExtractOptions{Platform: tc.platform})
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s %s: got %v, want %v with %q", tc.image, tc.platform, err, tc.want, tc.says)
		}
		if left := treeOnDisk(t, dir); len(left) > 0 {
			t.Errorf("%s: left %v", tc.image, left)
		}
	}
	if _, err := bake.Extract(t.Context(), srv.Host+"/team/differ:1", filepath.Join(t.TempDir(), "out"), nil, bake.ExtractOptions{Platform: "linux/arm64"}); err != nil {
		t.Errorf("one of two that differ: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bake.Extract(ctx, srv.Host+"/team/one:1", filepath.Join(t.TempDir(), "out"), nil, bake.ExtractOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func emptyLayer(t testing.TB) v1.Layer {
	t.Helper()
	return static.NewLayer(tarOf(t, "var/", ""), types.OCIUncompressedLayer)
}

// The bake's layers are read, each once, and the base's are not.
func TestExtractReadsTheBakeAlone(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndexOf(t, registrytest.ImageOptions{LayerSize: 1 << 20}, "linux/amd64", "linux/arm64"))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.FS.(fstest.MapFS)["large"] = &fstest.MapFile{Data: random(1<<20, 1)}
	spec.Assets = []bake.Asset{{Path: "large"}}
	doBake(t, spec)
	srv.Reset()
	extract(t, srv.Host+"/team/scorer:1", bake.ExtractOptions{})
	if n := srv.DownloadedBytes(); n < 1<<20 || n > 1<<20+64<<10 {
		t.Errorf("downloaded %d bytes", n)
	}
	if n := srv.UploadedBytes(); n > 0 {
		t.Errorf("uploaded %d bytes", n)
	}
}
