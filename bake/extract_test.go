// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// extract extracts the image at ref to a new directory, which must succeed.
func extract(t testing.TB, ref string, opts bake.ExtractOptions) (*bake.Extraction, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	out, err := bake.Extract(t.Context(), ref, dir, nil, opts)
	if err != nil {
		t.Fatalf("extracting: %v", err)
	}
	return out, dir
}

// loadBake reads the one bake of an extracted directory.
func loadBake(t testing.TB, dir string) bake.Spec {
	t.Helper()
	bakes, err := bakefile.Load(os.DirFS(dir), bake.BakeFileName, bakefile.Options{})
	if err != nil || len(bakes) != 1 {
		t.Fatalf("%d bakes, %v\n%s", len(bakes), err, readFile(t, dir, bake.BakeFileName))
	}
	return bakes[0].Spec
}

func readFile(t testing.TB, dir, name string) string {
	t.Helper()
	return string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, name))))
}

// treeOnDisk is the files below dir with their contents; directories that hold
// nothing end in a slash.
func treeOnDisk(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		rel := strings.TrimPrefix(name, dir+"/")
		if d.IsDir() {
			found[rel+"/"] = ""
			delete(found, filepath.Dir(rel)+"/")
			return nil
		}
		delete(found, filepath.Dir(rel)+"/")
		content, err := os.ReadFile(name)
		found[rel] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// roundTrip extracts the image at ref and bakes what that gives; it must come
// to the digest of the image.
func roundTrip(t *testing.T, ref, tag string, opts bake.ExtractOptions) *bake.Extraction {
	t.Helper()
	out, dir := extract(t, ref, opts)
	page := readFile(t, dir, bake.BakeFileName)
	if !out.Exact || len(out.Notes) > 0 {
		t.Errorf("exact is %v; notes %q", out.Exact, out.Notes)
	}
	spec := loadBake(t, dir)
	spec.Tags = []string{tag}
	plan := newPlan(t, spec)
	if err := plan.Verdict(false); err != nil {
		t.Errorf("the check: %v %+v", err, foundIn(err))
	}
	got, err := plan.Bake(t.Context(), nil, bake.Options{})
	if err != nil {
		t.Fatalf("baking: %v\n%s", err, page)
	}
	if got.Digest != out.Digest {
		t.Errorf("digest %s, want %s\n%s\n%s\n%s", got.Digest, out.Digest, page, pullRaw(t, got.Image), pullRaw(t, out.Image))
	}
	return out
}

// shapes are bakes that between them use every field of a Spec but copies.
var shapes = []struct {
	name   string
	change func(*bake.Spec)
}{
	{"plain", func(*bake.Spec) {}},
	{"everything", everything},
	{"everything, annotated", func(s *bake.Spec) {
		everything(s)
		s.Annotations = map[string]string{"org.opencontainers.image.title": "scorer", "empty": "", "org.opencontainers.image.base.name": "mine"}
	}},
	{"text that needs care", func(s *bake.Spec) {
		s.Env = map[string]string{"A": "a\nb: c", "DOLLAR": "${HOME} $X $$", "EMPTY": "", "TEXT": `"' # \ ~`, "NULL": "null", "null": "~", "N": "0x1F", "é": "\u2028\ufeff\U0001F600 \x07"}
		s.Labels = map[string]string{"": "no key", "$x": "$", "? a": "- b", "k": strings.Repeat("x", 5000), strings.Repeat("y", 2000): "long"}
		delete(s.Labels, "")
	}},
	{"a connect prefix", func(s *bake.Spec) { s.ConnectPrefix = "https://mine:8001" }},
	{"the default connect prefix", func(s *bake.Spec) { s.ConnectPrefix = bake.DefaultConnectPrefix }},
	{"two schemas in one file", func(s *bake.Spec) {
		s.Schemas = map[string]string{"input": "input.avsc", "output": "output.avsc", "alias": "input.avsc"}
		s.Assets = []bake.Asset{{Path: "model.py3"}}
	}},
	{"assets", func(s *bake.Spec) {
		s.Assets = []bake.Asset{
			{Path: "lookup"},
			{Path: "lookup/a.csv", Dest: "other/"},
			{Path: "lookup/a.csv", Dest: "/opt/x/b=c.csv"},
			{Path: "lookup", Dest: "/srv/data/lookup"},
			{Path: "lookup/bin/run"},
			{Path: "lookup/sub", Dest: "lookup2"},
			{Path: "lookup/a.csv", Dest: "bake.yaml"},
			{Path: "lookup/a.csv", Dest: "Model.PY3"},
			{Path: "lookup/sub", Dest: "/tmp"},
			{Path: "lookup/empty", Dest: "deep/er/empty"},
		}
	}},
	{"a large model", func(s *bake.Spec) {
		s.FS.(fstest.MapFS)["model.py3"].Data = append(s.FS.(fstest.MapFS)["model.py3"].Data, []byte("#"+strings.Repeat("x", 1<<20))...)
		s.Assets = []bake.Asset{{Path: "lookup"}}
	}},
	{"attachments", func(s *bake.Spec) { s.Attachments = []string{"z.tar.gz", "a.zip"} }},
	{"unpacked", func(s *bake.Spec) {
		s.Unpack = map[string]string{"weights.tar": ""}
		s.Assets = []bake.Asset{{Path: "lookup"}}
	}},
	{"unpacked thrice", func(s *bake.Spec) {
		s.Unpack = map[string]string{"weights.tar": "w", "more.tar": "/opt/more", "a.zip": "w"}
		s.Attachments = []string{"z.tar.gz"}
	}},
	{"a directory above an archive", func(s *bake.Spec) {
		s.Unpack = map[string]string{"more.tar": "lookup/w"}
		s.Assets = []bake.Asset{{Path: "lookup"}, {Path: "lookup/a.csv", Dest: "zz.csv"}}
	}},
	{"an archive above a directory", func(s *bake.Spec) {
		s.Unpack = map[string]string{"more.tar": "/assets"}
		s.Assets = []bake.Asset{{Path: "lookup", Dest: "w/lookup"}}
	}},
	{"gzip:6", func(s *bake.Spec) { s.Compression = bake.Compression{Algorithm: bake.Gzip, Level: 6} }},
	{"zstd:3", func(s *bake.Spec) { s.Compression = bake.Compression{Algorithm: bake.Zstd, Level: 3} }},
	{"none", func(s *bake.Spec) { s.Compression = bake.Compression{Algorithm: bake.None} }},
	{"class", func(s *bake.Spec) {
		everything(s)
		s.Unpack = map[string]string{"weights.tar": ""}
		s.Layers = bake.LayersClass
	}},
	{"single", func(s *bake.Spec) {
		everything(s)
		s.Unpack = map[string]string{"weights.tar": "", "more.tar": "more"}
		s.Layers = bake.LayersSingle
	}},
	{"a time", func(s *bake.Spec) { s.Created = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }},
	{"another assets directory", func(s *bake.Spec) { s.AssetsDir = "/srv/scorer"; s.Assets = []bake.Asset{{Path: "lookup"}} }},
	{"directories", func(s *bake.Spec) {
		s.Dirs = map[string]bake.Dir{"/assets": {Owner: bake.Owner{UID: 1000, GID: 1000}, Mode: fs.ModeSticky | 0o775}}
	}},
	{"OCI", func(s *bake.Spec) { s.OCI = true }},
	{"settings that the base has", func(s *bake.Spec) {
		s.Settings = bake.Settings{ExposedPorts: []string{"8003/tcp"}, Cmd: []string{"a", "$b"}}
	}},
	{"one file in a tree and by itself", func(s *bake.Spec) {
		s.Model = "scorer/model.py3"
		s.Assets = []bake.Asset{{Path: "scorer", Dest: "/assets"}}
		s.Layers = bake.LayersClass
	}},
	{"one file in a tree and by itself, in one layer", func(s *bake.Spec) {
		s.Model = "scorer/model.py3"
		s.Assets = []bake.Asset{{Path: "scorer", Dest: "/assets"}}
	}},
}

// shapeFiles is what the shapes name.
func shapeFiles(t testing.TB) fstest.MapFS {
	t.Helper()
	files := rebindFiles(t)
	files["lookup/a.csv"] = &fstest.MapFile{Data: []byte("1,2\n")}
	files["lookup/bin/run"] = &fstest.MapFile{Data: []byte("#!"), Mode: 0o755}
	files["lookup/sub/Ünï code.txt"] = &fstest.MapFile{Data: []byte("x")}
	files["lookup/empty"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	files["more.tar"] = &fstest.MapFile{Data: tarOf(t, "z/", "", "z/y", "1", "z/a", "->y", "b", "2", "m/n/"+strings.Repeat("o", 150), "3")}
	files["a.zip"] = &fstest.MapFile{Data: zipOf(t, "in.csv", "4", "sub/in.csv", "5")}
	files["z.tar.gz"] = &fstest.MapFile{Data: []byte("\x1f\x8b not looked into")}
	files["scorer/model.py3"] = files["model.py3"]
	files["scorer/x"] = &fstest.MapFile{Data: []byte("x")}
	return files
}

// A build of what Extract writes gives the same digest.
func TestRoundTrip(t *testing.T) {
	for name, base := range map[string]remote.Taggable{
		"oci":    talkative(t, registrytest.ImageOptions{Layers: 3}),
		"docker": talkative(t, registrytest.ImageOptions{Docker: true}),
		"index":  registrytest.BaseIndex(t, "linux/amd64", registrytest.Attestation, "linux/arm64/v8"),
		"docker index": registrytest.BaseIndexOf(t, registrytest.ImageOptions{Docker: true, Env: []string{"CONNECT_PREFIX=https://base:8001"}},
			"linux/amd64", "linux/arm64", "linux/arm/v7"),
		"index of one": registrytest.BaseIndex(t, "linux/amd64"),
	} {
		for _, shape := range shapes {
			t.Run(name+"/"+shape.name, func(t *testing.T) {
				t.Parallel()
				srv := startWith(t, registrytest.Options{}, base)
				spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
				spec.FS = shapeFiles(t)
				shape.change(&spec)
				doBake(t, spec)
				out := roundTrip(t, srv.Host+"/team/scorer:1", srv.Host+"/team/again:1", bake.ExtractOptions{})
				if !out.Recorded || out.NeedsBase || len(out.Files) == 0 {
					t.Errorf("got %+v", out)
				}
			})
		}
	}
}

// The base may be named by digest, some of its platforms may be chosen, and so
// may one of the image's.
func TestRoundTripOfPlatforms(t *testing.T) {
	index := registrytest.BaseIndex(t, "linux/amd64", "linux/arm64", "linux/arm/v7")
	digest := digestOf(t, index).String()
	for _, tc := range []struct {
		name      string
		base      string
		platforms []string
		extract   string
		want      []string // platforms of the bake file
	}{
		{"by digest", "/team/base@" + digest, nil, "", []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}},
		{"by tag and digest", "/team/base:9@" + digest, nil, "", []string{"linux/amd64", "linux/arm64", "linux/arm/v7"}},
		{"one chosen", "/team/base:1", []string{"linux/arm/v7"}, "", []string{"linux/arm/v7"}},
		{"two chosen", "/team/base:1", []string{"linux/arm/v7", "linux/amd64"}, "", []string{"linux/amd64", "linux/arm/v7"}},
		{"one of the image", "/team/base:1", nil, "linux/arm64", []string{"linux/arm64"}},
		{"one of one", "/team/base:1", []string{"linux/arm64"}, "linux/arm64", []string{"linux/arm64"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, index)
			spec := scorer(srv.Host+tc.base, srv.Host+"/team/scorer:1")
			spec.Platforms = tc.platforms
			report := doBake(t, spec)
			out := roundTrip(t, srv.Host+"/team/scorer:1", srv.Host+"/team/again:1", bake.ExtractOptions{Platform: tc.extract})
			if tc.extract == "" && out.Digest != report.Digest {
				t.Errorf("digest %s, want %s", out.Digest, report.Digest)
			}
			got := must[[]bakefile.Bake](t)(bakefile.Load(os.DirFS(filepath.Dir(out.BakeFile)), bake.BakeFileName, bakefile.Options{}))
			if diff := cmp.Diff(tc.want, got[0].Spec.Platforms); diff != "" {
				t.Errorf("platforms (-want +got):\n%s", diff)
			}
			if want := strings.TrimSuffix(tc.base, "@"+digest) + "@" + digest; strings.TrimPrefix(got[0].Spec.Base, srv.Host) != want {
				t.Errorf("base %s, want %s", got[0].Spec.Base, want)
			}
		})
	}
}

// Two platforms may be baked alike although only one base has a CONNECT_PREFIX.
func TestRoundTripOfBasesThatDiffer(t *testing.T) {
	for _, prefix := range []string{bake.DefaultConnectPrefix, "https://base:8001"} {
		index := v1.ImageIndex(empty.Index)
		for platform, env := range map[string][]string{"linux/amd64": {"CONNECT_PREFIX=" + prefix}, "linux/arm64": nil} {
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add:        registrytest.BaseImage(t, registrytest.ImageOptions{Platform: platform, Env: env}),
				Descriptor: v1.Descriptor{Platform: must[*v1.Platform](t)(v1.ParsePlatform(platform))},
			})
		}
		srv := startWith(t, registrytest.Options{}, index)
		doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
		roundTrip(t, srv.Host+"/team/scorer:1", srv.Host+"/team/again:1", bake.ExtractOptions{})
	}
}
