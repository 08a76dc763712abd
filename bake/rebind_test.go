// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

const (
	otherKafka = `{"Version": "1.2", "Transport": {"Type": "Kafka", "BootstrapServers": ["prod:9092"], "Topic": "scores"}, "Encoding": "json", "Envelope": null}`
	longOutput = `{"type": "double", "doc": "the score"}`
)

// rebinds are changes and the bakes that come to the same.
var rebinds = []struct {
	name    string
	opts    bake.RebindOptions
	spec    func(*bake.Spec)
	changes map[string]bake.AssetChange // by path; all others are unchanged
}{
	{
		name:    "a stream from another file",
		opts:    bake.RebindOptions{Streams: map[int]string{1: "kafka-prod.json"}},
		spec:    func(s *bake.Spec) { s.Streams = map[int]string{0: "rest.json", 1: "kafka-prod.json"} },
		changes: map[string]bake.AssetChange{"/assets/kafka-prod.json": bake.Changed, "/assets/kafka.json": bake.Removed},
	},
	{
		name:    "a stream in a file of the same name",
		opts:    bake.RebindOptions{Streams: map[int]string{1: "prod/kafka.json"}},
		spec:    func(s *bake.Spec) { s.Streams = map[int]string{0: "rest.json", 1: "prod/kafka.json"} },
		changes: map[string]bake.AssetChange{"/assets/kafka.json": bake.Changed},
	},
	{
		name: "a schema, and further ones",
		opts: bake.RebindOptions{Schemas: map[string]string{"output": "prod/output.avsc", "another": "spare.avsc", "more": "input.avsc"}},
		spec: func(s *bake.Spec) {
			s.Schemas = map[string]string{"input": "input.avsc", "output": "prod/output.avsc", "another": "spare.avsc", "more": "input.avsc"}
		},
		changes: map[string]bake.AssetChange{"/assets/output.avsc": bake.Changed, "/assets/spare.avsc": bake.Added, "/assets/input.avsc": bake.Added},
	},
	{
		name: "no files",
		opts: bake.RebindOptions{ConnectPrefix: "https://prod:8001", Env: map[string]string{"LOG_LEVEL": "error"}, Labels: map[string]string{"stage": "prod"}},
		spec: func(s *bake.Spec) {
			s.ConnectPrefix = "https://prod:8001"
			env, labels := map[string]string{"LOG_LEVEL": "error"}, map[string]string{"stage": "prod"}
			for k, v := range s.Env {
				if env[k] == "" {
					env[k] = v
				}
			}
			for k, v := range s.Labels {
				if labels[k] == "" {
					labels[k] = v
				}
			}
			s.Env, s.Labels = env, labels
		},
	},
	{name: "nothing", spec: func(*bake.Spec) {}},
}

// rebindFiles is what the rebinds above name.
func rebindFiles(t testing.TB) fstest.MapFS {
	t.Helper()
	files := scorerFiles()
	files["kafka-prod.json"] = &fstest.MapFile{Data: []byte(otherKafka)}
	files["prod/kafka.json"] = &fstest.MapFile{Data: []byte(otherKafka)}
	files["prod/output.avsc"] = &fstest.MapFile{Data: []byte(longOutput)}
	files["spare.avsc"] = &fstest.MapFile{Data: []byte(`"string"`)}
	archive := tarOf(t, "w/b", "bb", "w/a", "a", "w/link", "->a", "empty/", "")
	files["weights.tar"] = &fstest.MapFile{Data: archive}
	return files
}

// A rebind comes to what a bake with the other files does, and moves no more
// than what changed.
func TestRebindIsABakeOfOtherFiles(t *testing.T) {
	unpacked := func(s *bake.Spec) { s.Unpack = map[string]string{"weights.tar": "weights"} }
	shapes := append(bakes[:len(bakes):len(bakes)], struct {
		name   string
		change func(*bake.Spec)
	}{"unpacked", unpacked}, struct {
		name   string
		change func(*bake.Spec)
	}{"single layer", func(s *bake.Spec) { everything(s); unpacked(s); s.Layers = bake.LayersSingle }}, struct {
		name   string
		change func(*bake.Spec)
	}{"auto with a large layer", func(s *bake.Spec) { everything(s); unpacked(s); s.Layers = bake.LayersAuto }})
	for base, image := range map[string]remote.Taggable{
		"oci":   talkative(t, registrytest.ImageOptions{Layers: 3}),
		"index": registrytest.BaseIndexOf(t, registrytest.ImageOptions{Docker: true}, "linux/amd64", "linux/arm64"),
	} {
		for _, shape := range shapes {
			for _, tc := range rebinds {
				t.Run(base+"/"+shape.name+"/"+tc.name, func(t *testing.T) {
					t.Parallel()
					srv := startWith(t, registrytest.Options{}, image)
					spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
					spec.FS = rebindFiles(t)
					shape.change(&spec)
					doBake(t, spec)
					tc.spec(&spec)
					spec.Tags = []string{srv.Host + "/team/want:1"}
					want := doBake(t, spec)

					srv.Reset()
					opts := tc.opts
					opts.FS = spec.FS
					got, err := bake.Rebind(t.Context(), srv.Host+"/team/scorer:1", nil, opts, srv.Host+"/team/got:1")
					if err != nil {
						t.Fatal(err, foundIn(err))
					}
					if up, down := srv.UploadedBytes(), srv.DownloadedBytes(); up+down > 64<<10 && spec.Layers != bake.LayersSingle {
						t.Errorf("moved %d bytes up and %d down", up, down)
					}
					if got.Digest != want.Digest {
						t.Errorf("digest %s, want %s\n%s\n%s", got.Digest, want.Digest, pullRaw(t, got.Image), pullRaw(t, want.Image))
					}
					if shape.name != "zstd" {
						validAny(t, got.Image)
					}
					changes := map[string]bake.AssetChange{}
					for _, a := range got.Assets {
						if a.Change != bake.Unchanged {
							changes[a.Path] = a.Change
						}
						if a.Change != bake.Removed && (a.Layer == nil || a.SHA256 == "") {
							t.Errorf("%s: no layer or no digest", a.Path)
						}
					}
					if len(tc.changes)+len(changes) > 0 && cmp.Diff(tc.changes, changes) != "" {
						t.Errorf("changes (-want +got):\n%s", cmp.Diff(tc.changes, changes))
					}
				})
			}
		}
	}
}

// The check sees the result, not the files alone.
func TestRebindIsChecked(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, talkative(t, registrytest.ImageOptions{}))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	files := rebindFiles(t)
	files["broken.json"] = &fstest.MapFile{Data: []byte(`{"Transport": {"Type": "Kafkka"}`)}
	files["string.avsc"] = &fstest.MapFile{Data: []byte(`"string"`)}
	files["kafka.json"] = &fstest.MapFile{Data: []byte(otherKafka)}
	files["big/rest.json"] = &fstest.MapFile{Data: []byte(otherKafka)}
	for _, tc := range []struct {
		name string
		opts bake.RebindOptions
		err  error // nil is a CheckError
		says string
	}{
		{"a broken descriptor", bake.RebindOptions{Streams: map[int]string{1: "broken.json"}}, nil, "SD-01"},
		{"no file", bake.RebindOptions{Streams: map[int]string{1: "no.json"}}, bake.ErrNotFound, "no.json"},
		{"a slot that is none", bake.RebindOptions{Streams: map[int]string{-1: "kafka-prod.json"}}, nil, "ENV-07"},
		{"a file of another one's name", bake.RebindOptions{Streams: map[int]string{3: "big/rest.json"}}, bake.ErrUsage, "is baked already, with other content"},
		{"a connect prefix that is none", bake.RebindOptions{ConnectPrefix: "connect:8001"}, nil, "ENV-12"},
		{"no such rule", bake.RebindOptions{Allow: []string{"ENV-99"}}, bake.ErrUsage, "there is no rule"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.opts.FS = files
			_, err := bake.Rebind(t.Context(), srv.Host+"/team/scorer:1", nil, tc.opts, srv.Host+"/team/no:1")
			var check *bake.CheckError
			switch {
			case tc.err != nil && (!errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("got %v, want %v with %q", err, tc.err, tc.says)
			case tc.err == nil && (!errors.As(err, &check) || !hasRule(check.Findings, tc.says)):
				t.Errorf("got %v, want a finding of %s", err, tc.says)
			}
			if _, err := remote.Head(reference(t, srv.Host+"/team/no:1")); err == nil {
				t.Error("the tag exists")
			}
		})
	}
}

// An image without a record gets the new files on top.
func TestRebindWithoutRecord(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{
		Env: []string{"MODEL=/assets/model.py3", "STREAMS=0:/assets/rest.json;1:/assets/kafka.json"},
		Files: map[string]string{
			"/assets/model.py3": "def action(x): yield x\n", "/assets/rest.json": "{}", "/assets/kafka.json": "{}",
		},
	})
	srv := startWith(t, registrytest.Options{}, base)
	opts := bake.RebindOptions{FS: rebindFiles(t), Streams: map[int]string{1: "kafka-prod.json"}}
	report, err := bake.Rebind(t.Context(), srv.Host+"/team/base:1", nil, opts, srv.Host+"/team/rebound:1")
	if err != nil {
		t.Fatal(err, foundIn(err))
	}
	img := pullImage(t, report.Image)
	validImage(t, img)
	if want := "0:/assets/rest.json;1:/assets/kafka-prod.json"; report.Env["STREAMS"] != want {
		t.Errorf("STREAMS is %q, want %q", report.Env["STREAMS"], want)
	}
	if n, m := len(manifestOf(t, img).Layers), len(manifestOf(t, base).Layers); n != m+1 || report.Base.Digest != digestOf(t, base) {
		t.Errorf("%d layers, the base has %d; %+v", n, m, report.Base)
	}
}

// Nothing is bound in an image that is none of ours.
func TestRebindOfAnythingElse(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	_, err := bake.Rebind(t.Context(), srv.Host+"/team/base:1", nil, bake.RebindOptions{}, srv.Host+"/team/no:1")
	if !errors.Is(err, bake.ErrNotFound) || !strings.Contains(err.Error(), "nothing is baked into it") {
		t.Errorf("got %v", err)
	}
}

func hasRule(findings []engine.Finding, rule string) bool {
	return slices.ContainsFunc(findings, func(f engine.Finding) bool { return f.Rule == rule })
}

// foundIn is what a CheckError tells, to be shown.
func foundIn(err error) []engine.Finding {
	var check *bake.CheckError
	_ = errors.As(err, &check)
	if check == nil {
		return nil
	}
	return check.Findings
}
