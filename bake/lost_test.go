// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A rebind of an image without a record makes that image the base of what was
// bound. A rebase from there would leave the model behind, and is refused.
func TestRebaseThatLosesTheModel(t *testing.T) {
	built := registrytest.BaseImage(t, registrytest.ImageOptions{
		Env:   []string{"MODEL=/assets/model.py3", "STREAMS=0:/assets/rest.json", "CONNECT_PREFIX=https://c:8001"},
		Files: map[string]string{"/assets/model.py3": "def action(x): yield x\n", "/assets/rest.json": "{}"},
	})
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 2}))
	srv.Push(t, "team/built:1", built)
	opts := bake.RebindOptions{FS: rebindFiles(t), Streams: map[int]string{1: "kafka.json"}}
	report, err := bake.Rebind(t.Context(), srv.Host+"/team/built:1", nil, opts, srv.Host+"/team/rebound:1")
	if err != nil {
		t.Fatal(err, foundIn(err))
	}
	if len(report.Notes) == 0 || !strings.Contains(report.Notes[len(report.Notes)-1], "no record of all of its bake") {
		t.Errorf("notes %q", report.Notes)
	}
	_, err = bake.Rebase(t.Context(), srv.Host+"/team/rebound:1", nil, bake.RebaseOptions{Base: srv.Host + "/team/base:1"}, srv.Host+"/team/lost:1")
	if !hasRule(foundIn(err), "ENV-01") {
		t.Errorf("got %v %v, want ENV-01", err, foundIn(err))
	}
	if _, err := remote.Head(reference(t, srv.Host+"/team/lost:1")); err == nil {
		t.Error("the tag exists")
	}
	rebase := bake.RebaseOptions{Base: srv.Host + "/team/base:1", NoCheck: true}
	if _, err := bake.Rebase(t.Context(), srv.Host+"/team/rebound:1", nil, rebase, srv.Host+"/team/lost:1"); err != nil {
		t.Errorf("without a check: %v", err)
	}
}

// What a rebind says is unchanged was read, not believed.
func TestRebindOfALyingRecord(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, talkative(t, registrytest.ImageOptions{}))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	img := pullImage(t, srv.Host+"/team/scorer:1")
	sum := ""
	for _, f := range recordOf(t, img).Assets {
		if f.Role == bake.RoleModel {
			sum = f.SHA256
		}
	}
	srv.Push(t, "team/lying:1", edit(t, img, func(config, _ map[string]any) {
		labels := config["config"].(map[string]any)["Labels"].(map[string]any)
		labels[bake.RecordLabel] = strings.Replace(labels[bake.RecordLabel].(string), sum, strings.Repeat("0", 64), 1)
	}))
	opts := bake.RebindOptions{FS: rebindFiles(t), Streams: map[int]string{1: "kafka-prod.json"}}
	_, err := bake.Rebind(t.Context(), srv.Host+"/team/lying:1", nil, opts, srv.Host+"/team/rebound:1")
	if !errors.Is(err, bake.ErrIntegrity) || !strings.Contains(err.Error(), "/assets/model.py3 is not the file that the image's record names") {
		t.Errorf("got %v", err)
	}
	opts.Labels = map[string]string{bake.RecordLabel: "x"}
	if _, err := bake.Rebind(t.Context(), srv.Host+"/team/scorer:1", nil, opts, srv.Host+"/team/rebound:1"); !errors.Is(err, bake.ErrUsage) {
		t.Errorf("a record as a label: %v", err)
	}
}

// upon is base with a layer of files; see tarOf.
func upon(t *testing.T, base v1.Image, pairs ...string) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(base, static.NewLayer(tarOf(t, pairs...), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// A file below a directory that an upper layer replaces is not there.
func TestFilesBelowWhatIsReplaced(t *testing.T) {
	for name, tc := range map[string]struct {
		upper []string
		lost  bool
	}{
		"nothing":                  {[]string{"other", "x"}, false},
		"a file":                   {[]string{"assets", "x"}, true},
		"a link to nowhere":        {[]string{"assets", "->/evil"}, true},
		"a whiteout":               {[]string{".wh.assets", ""}, true},
		"an opaque directory":      {[]string{"assets/.wh..wh..opq", ""}, true},
		"a whiteout of the file":   {[]string{"assets/.wh.model.py3", ""}, true},
		"a directory in its place": {[]string{"assets/model.py3/x", "x"}, true},
		"a link and what it is to": {[]string{"assets", "->/evil", "evil/model.py3", "def action(x): yield x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			base := registrytest.BaseImage(t, registrytest.ImageOptions{Env: []string{"MODEL=/assets/model.py3"}})
			srv := startWith(t, registrytest.Options{}, upon(t, upon(t, base, "assets/model.py3", "def action(x): yield x"), tc.upper...))
			found, err := bake.Inspect(t.Context(), srv.Host+"/team/base:1", nil, bake.InspectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			lost := true
			for _, f := range found.Platforms[0].Files {
				lost = lost && f.Role != bake.RoleModel
			}
			if lost != tc.lost || lost != hasRule(found.Platforms[0].Findings, "ENV-08") {
				t.Errorf("files %+v, findings %v", found.Platforms[0].Files, found.Platforms[0].Findings)
			}
		})
	}
}

// Many whiteouts over many files take no more time than they have entries.
func TestManyWhiteouts(t *testing.T) {
	const n = 60_000
	var files, whiteouts []string
	for i := range n {
		files = append(files, fmt.Sprintf("d/f%d", i), "")
		whiteouts = append(whiteouts, fmt.Sprintf("e/.wh.f%d", i), "")
	}
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Env: []string{"MODEL=/assets/model.py3"}})
	srv := startWith(t, registrytest.Options{}, upon(t, upon(t, base, files...), whiteouts...))
	start := time.Now()
	if _, err := bake.Inspect(t.Context(), srv.Host+"/team/base:1", nil, bake.InspectOptions{}); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

// What Docker writes for nothing is no change of the engine's settings.
func TestRebaseOfDockersDefaults(t *testing.T) {
	old := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 2})
	srv := startWith(t, registrytest.Options{}, old)
	fresh := edit(t, registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 3}), func(config, _ map[string]any) {
		config["config"].(map[string]any)["Cmd"] = []any{"/run-engine"}
	})
	srv.Push(t, "team/base:2", fresh)
	built := edit(t, upon(t, old, "assets/model.py3", "m"), func(config, _ map[string]any) {
		c := config["config"].(map[string]any)
		c["Env"] = append(c["Env"].([]any), "MODEL=/assets/model.py3")
		for k, v := range map[string]any{"Cmd": []any{}, "OnBuild": []any{}, "Hostname": "c7c371970fca", "Image": "x", "Tty": false, "AttachStdin": true} {
			c[k] = v
		}
	})
	srv.Push(t, "team/built:1", built)
	opts := bake.RebaseOptions{Base: srv.Host + "/team/base:2", OldBase: srv.Host + "/team/base:1"}
	if _, err := bake.Rebase(t.Context(), srv.Host+"/team/built:1", nil, opts, srv.Host+"/team/rebased:1"); err != nil {
		t.Fatal(err, foundIn(err))
	}
	if c := configOf(t, pullImage(t, srv.Host+"/team/rebased:1")).Config; len(c.Cmd) != 1 || c.Hostname != "" {
		t.Errorf("Cmd %q, Hostname %q", c.Cmd, c.Hostname)
	}
}
