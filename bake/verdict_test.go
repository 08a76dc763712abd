// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// finding is the part of an engine.Finding that a caller branches on.
type finding struct {
	rule     string
	severity engine.Severity
}

// offences is ways to break the contract.
var offences = map[string]struct {
	change     func(*bake.Spec, fstest.MapFS)
	finding    finding
	impossible bool
}{
	"no model":        {func(s *bake.Spec, _ fstest.MapFS) { s.Model = "" }, finding{"ENV-01", engine.Error}, false},
	"bad schema name": {func(s *bake.Spec, _ fstest.MapFS) { s.Schemas["a;b"] = "input.avsc" }, finding{"ENV-02", engine.Error}, true},
	"bad character": {func(s *bake.Spec, files fstest.MapFS) {
		files["in put.avsc"] = files["input.avsc"]
		s.Schemas["input"] = "in put.avsc"
	}, finding{"ENV-04", engine.Error}, true},
	"bad slot":      {func(s *bake.Spec, _ fstest.MapFS) { s.Streams[1000] = "rest.json" }, finding{"ENV-07", engine.Error}, true},
	"negative slot": {func(s *bake.Spec, _ fstest.MapFS) { s.Streams[-1] = "rest.json" }, finding{"ENV-07", engine.Error}, true},
	"a directory as model": {func(s *bake.Spec, files fstest.MapFS) {
		files["dir.py3/x"] = files["model.py3"]
		s.Model = "dir.py3"
	}, finding{"ENV-09", engine.Error}, true},
	"an empty schema":    {func(_ *bake.Spec, files fstest.MapFS) { files["input.avsc"] = &fstest.MapFile{} }, finding{"ENV-09", engine.Error}, true},
	"bad CONNECT_PREFIX": {func(s *bake.Spec, _ fstest.MapFS) { s.ConnectPrefix = "connect" }, finding{"ENV-12", engine.Error}, false},
	"too long": {func(s *bake.Spec, files fstest.MapFS) {
		name := strings.Repeat("a", 131072) + ".avsc"
		files[name] = files["input.avsc"]
		s.Schemas["input"] = name
	}, finding{"ENV-13", engine.Error}, false},
	"names alike": {func(s *bake.Spec, _ fstest.MapFS) { s.Schemas["INPUT"] = "output.avsc" }, finding{"ENV-15", engine.Warning}, false},
	"a collision": {func(s *bake.Spec, _ fstest.MapFS) { s.Assets = []bake.Asset{{Path: "rest.json", Dest: "model.py3"}} }, finding{"ENV-17", engine.Error}, true},
}

// offend is the scorer's bake with an offence.
func offend(offence string) bake.Spec {
	spec := scorer("127.0.0.1:1/team/base", "127.0.0.1:1/team/scorer")
	offences[offence].change(&spec, spec.FS.(fstest.MapFS))
	return spec
}

func findingsOf(plan *bake.Plan) []finding {
	var all []finding
	for _, f := range plan.Findings() {
		all = append(all, finding{f.Rule, f.Severity})
	}
	return all
}

// forbidden wants err to be a CheckError that holds what is wanted.
func forbidden(t *testing.T, err error, want finding) {
	t.Helper()
	var check *bake.CheckError
	if !errors.As(err, &check) {
		t.Errorf("got %v, want a CheckError", err)
		return
	}
	if !slices.ContainsFunc(check.Findings, func(f engine.Finding) bool { return f.Rule == want.rule && f.Severity == want.severity }) {
		t.Errorf("findings %v, want %v", check.Findings, want)
	}
	if text := check.Error(); strings.Contains(text, "\n") || !strings.Contains(text, want.severity.String()) {
		t.Errorf("the error reads %q", text)
	}
}

func TestVerdict(t *testing.T) {
	for offence, tc := range offences {
		t.Run(offence, func(t *testing.T) {
			plan := newPlan(t, offend(offence))
			if !slices.Contains(findingsOf(plan), tc.finding) {
				t.Fatalf("findings %v, want %v", plan.Findings(), tc.finding)
			}
			forbidden(t, plan.Verdict(true), tc.finding)
			if tc.finding.severity == engine.Error {
				forbidden(t, plan.Verdict(false), tc.finding)
				_, err := plan.Bake(t.Context(), nil, bake.Options{})
				forbidden(t, err, tc.finding)
			} else if err := plan.Verdict(false); err != nil {
				t.Errorf("a warning: %v", err)
			}
			_, err := plan.Bake(t.Context(), nil, bake.Options{Strict: true})
			forbidden(t, err, tc.finding)
		})
	}
}

func TestNoOffence(t *testing.T) {
	plan := newPlan(t, scorer("127.0.0.1:1/team/base", "127.0.0.1:1/team/scorer"))
	for _, f := range plan.Findings() {
		if f.Severity > engine.Note {
			t.Errorf("finding %v", f)
		}
	}
	if err := plan.Verdict(true); err != nil {
		t.Error(err)
	}
}

// NoCheck and Allow let everything pass but what cannot be expressed.
func TestLeave(t *testing.T) {
	t.Parallel()
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	for offence, tc := range offences {
		for _, leave := range []string{"no check", "allow"} {
			t.Run(offence+", "+leave, func(t *testing.T) {
				spec := offend(offence)
				spec.Base, spec.Tags = srv.Host+"/team/base:1", []string{srv.Host + "/team/" + strings.ReplaceAll(leave+offence, " ", "-") + ":1"}
				spec.Tags[0] = strings.ToLower(strings.ReplaceAll(spec.Tags[0], "_", "-"))
				opts := bake.Options{NoCheck: leave == "no check"}
				if leave == "allow" {
					opts.Strict = true
					for _, f := range findingsOf(newPlan(t, spec)) { // with what follows from the offence
						spec.Allow = append(spec.Allow, f.rule)
					}
				}
				plan := newPlan(t, spec)
				want := tc.finding
				if leave == "allow" && !tc.impossible {
					want.severity = engine.Note
				}
				if !slices.Contains(findingsOf(plan), want) {
					t.Errorf("findings %v, want %v", plan.Findings(), want)
				}
				_, err := plan.Bake(t.Context(), nil, opts)
				if tc.impossible {
					forbidden(t, err, tc.finding)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				pullImage(t, spec.Tags[0])
			})
		}
	}
}

// What cannot be expressed is refused by every way to an image.
func TestImpossible(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	spec := offend("bad slot")
	spec.Base, spec.Tags = srv.Host+"/team/base:1", []string{srv.Host + "/team/scorer:1"}
	plan := newPlan(t, spec)
	base, err := bake.Open(t.Context(), spec.Base, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	_, err = bake.Build(base, plan)
	forbidden(t, err, finding{"ENV-07", engine.Error})
	_, err = plan.DryRun(t.Context(), nil)
	forbidden(t, err, finding{"ENV-07", engine.Error})
	if got := digestAt(t, spec.Tags[0]); got != (v1.Hash{}) {
		t.Errorf("the tag was written: %s", got)
	}
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*bake.Spec)
		says   string
	}{
		{"relative assets directory", func(s *bake.Spec) { s.AssetsDir = "assets" }, `"assets"`},
		{"unclean assets directory", func(s *bake.Spec) { s.AssetsDir = "/assets/" }, `"/assets/"`},
		{"the root as assets directory", func(s *bake.Spec) { s.AssetsDir = "/" }, `"/"`},
		{"layer mode", func(s *bake.Spec) { s.Layers = "many" }, `"many"`},
		{"algorithm", func(s *bake.Spec) { s.Compression.Algorithm = "bzip2" }, `"bzip2"`},
		{"gzip level", func(s *bake.Spec) { s.Compression.Level = 10 }, "10"},
		{"negative level", func(s *bake.Spec) { s.Compression.Level = -1 }, "-1"},
		{"zstd level", func(s *bake.Spec) { s.Compression = bake.Compression{Algorithm: bake.Zstd, Level: 23} }, "23"},
		{"level of none", func(s *bake.Spec) { s.Compression = bake.Compression{Algorithm: bake.None, Level: 1} }, "none"},
		{"empty variable", func(s *bake.Spec) { s.Env = map[string]string{"": "x"} }, `""`},
		{"variable with =", func(s *bake.Spec) { s.Env = map[string]string{"A=B": "x"} }, `"A=B"`},
		{"variable with NUL", func(s *bake.Spec) { s.Env = map[string]string{"A": "x\x00"} }, `"A"`},
		{"variable of the contract", func(s *bake.Spec) { s.Env = map[string]string{"STREAMS": "0:/x"} }, "STREAMS"},
		{"the record's label", func(s *bake.Spec) { s.Labels = map[string]string{bake.RecordLabel: "{}"} }, bake.RecordLabel},
		{"platform without architecture", func(s *bake.Spec) { s.Platforms = []string{"linux"} }, `"linux"`},
		{"platform of nothing", func(s *bake.Spec) { s.Platforms = []string{""} }, `""`},
		{"platform of too much", func(s *bake.Spec) { s.Platforms = []string{"linux/arm/v7/x"} }, `"linux/arm/v7/x"`},
		{"unknown rule", func(s *bake.Spec) { s.Allow = []string{"ENV-99"} }, "ENV-99"},
		{"asset without a path", func(s *bake.Spec) { s.Assets = []bake.Asset{{Dest: "x"}} }, "asset"},
		{"asset in the place of the root", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "rest.json", Dest: "/."}} }, `"/."`},
		{"tag", func(s *bake.Spec) { s.Tags = []string{"UPPER/case"} }, `"UPPER/case"`},
		{"digest as a tag", func(s *bake.Spec) { s.Tags = []string{"127.0.0.1:1/x@sha256:" + strings.Repeat("0", 64)} }, "not under a digest"},
		{"no tag", func(s *bake.Spec) { s.Tags = nil }, "no destination"},
		{"base", func(s *bake.Spec) { s.Base = "oci:" }, "oci:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := scorer("127.0.0.1:1/team/base", "127.0.0.1:1/team/scorer")
			tc.change(&spec)
			_, err := bake.Bake(t.Context(), spec, nil, bake.Options{})
			if !errors.Is(err, bake.ErrUsage) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want a usage error that says %s", err, tc.says)
			}
		})
	}
}

// Every file that is missing is told at once, and by the part that it plays.
func TestMissingFiles(t *testing.T) {
	spec := bake.Spec{
		FS:          fstest.MapFS{"there.py": {Data: []byte("x")}, "loop": {Mode: fs.ModeSymlink, Data: []byte("loop")}},
		Model:       "none.py",
		Schemas:     map[string]string{"in": "none/in.avsc"},
		Streams:     map[int]string{1: "none.json"},
		Attachments: []string{"there.py", "none.zip"},
		Unpack:      map[string]string{"none.tar": ""},
		Assets:      []bake.Asset{{Path: "none.csv"}},
	}
	_, err := bake.NewPlan(t.Context(), spec)
	if !errors.Is(err, bake.ErrNotFound) {
		t.Fatalf("got %v, want not found", err)
	}
	var said []string
	for _, s := range []string{"model none.py", "schema in none/in.avsc", "stream 1 none.json", "attachment none.zip", "none.tar", "none.csv"} {
		if strings.Contains(err.Error(), s) {
			said = append(said, s)
		}
	}
	if len(said) != 6 || strings.Contains(err.Error(), "there.py") {
		t.Errorf("got %v, which says %q", err, said)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 6 {
		t.Errorf("lines (-want +got):\n%s", cmp.Diff(6, len(lines)))
	}
}
