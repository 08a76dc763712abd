// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
)

func TestGitLabReport(t *testing.T) {
	misread := engine.Finding{Rule: "SD-06", Severity: engine.Error, File: "d/rest.json", Line: 3, Column: 2, Message: "m", Hint: "h"}
	for name, c := range map[string]struct {
		finding engine.Finding
		bake    string
		want    gitLabIssue // but for the fingerprint
	}{
		"error":      {misread, "", gitLabIssue{Description: "m. h", CheckName: "SD-06", Severity: "critical", Location: gitLabLocation{"d/rest.json", gitLabLines{3}}}},
		"of a fleet": {misread, "a", gitLabIssue{Description: "a: m. h", CheckName: "SD-06", Severity: "critical", Location: gitLabLocation{"d/rest.json", gitLabLines{3}}}},
		"warning, no line": {
			engine.Finding{Rule: "M-05", Severity: engine.Warning, File: "f", Message: "m"},
			"",
			gitLabIssue{Description: "m", CheckName: "M-05", Severity: "minor", Location: gitLabLocation{"f", gitLabLines{1}}},
		},
		"note, no file": {
			engine.Finding{Rule: "X-00", Message: "m", Variable: "STREAMS"},
			"",
			gitLabIssue{Description: "STREAMS: m", CheckName: "X-00", Severity: "info", Location: gitLabLocation{".", gitLabLines{1}}},
		},
		"odd name": {oddFinding, "", gitLabIssue{
			Description: "100%, a:b\ufffd\ufffd::error::c. d", CheckName: "SD-06", Severity: "critical",
			Location: gitLabLocation{"a,b:100%\ufffd\ufffd::error::c\ufffd.json", gitLabLines{2}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := gitLabIssues(t, finding{c.finding, c.bake})
			if len(got) != 1 || len(got[0].Fingerprint) != 64 {
				t.Fatalf("%+v: want one with a fingerprint", got)
			}
			got[0].Fingerprint = ""
			if diff := cmp.Diff(c.want, got[0]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGitLabFingerprints(t *testing.T) {
	f := finding{Finding: engine.Finding{Rule: "SD-06", File: "f", Line: 3, Message: "m"}}
	moved, other, elsewhere, ofFleet := f, f, f, f
	moved.Line, other.Message, elsewhere.File, ofFleet.Bake = 30, "n", "g", "a"
	got := gitLabIssues(t, f, moved, other, elsewhere, ofFleet)
	seen := map[string]int{}
	for i, issue := range got {
		if j, ok := seen[issue.Fingerprint]; ok {
			t.Errorf("issues %d and %d have one fingerprint", j, i)
		}
		seen[issue.Fingerprint] = i
	}
	if again := gitLabIssues(t, moved); again[0].Fingerprint != got[0].Fingerprint {
		t.Error("a finding that moves to another line has another fingerprint")
	}
}

func gitLabIssues(t *testing.T, findings ...finding) (issues []gitLabIssue) {
	t.Helper()
	var b strings.Builder
	if err := writeGitLab(&b, findings, nil); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.String()), &issues); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	return issues
}

func TestGitLabReportsNothing(t *testing.T) {
	var b strings.Builder
	if err := writeGitLab(&b, nil, nil); err != nil {
		t.Fatal(err)
	}
	if b.String() != "[]\n" {
		t.Errorf("%q, want an empty list", b.String())
	}
}

func TestGitLabVerification(t *testing.T) {
	found := &bake.Verification{Mismatches: []bake.Mismatch{
		{Part: "asset", Name: "/assets/m.py3", Problem: "p"},
		{Part: "variable", Name: "STREAMS", Problem: "q"},
	}}
	r := gitLabVerification("r.example.com/a:1", found, []finding{
		{Finding: engine.Finding{Rule: "SD-06", Severity: engine.Error, File: "/assets/s.json", Line: 1, Message: "m"}},
		{Finding: engine.Finding{Rule: "ENV-08", Severity: engine.Warning, Variable: "STREAMS", Message: "n"}},
	})
	var got []string
	for _, i := range r.issues {
		got = append(got, strings.Join([]string{i.Severity, i.CheckName, i.Location.Path, i.Description}, " | "))
	}
	want := []string{
		"blocker | mismatch | /assets/m.py3 | asset /assets/m.py3: p",
		"blocker | mismatch | r.example.com/a:1 | variable STREAMS: q",
		"critical | SD-06 | /assets/s.json | m",
		"minor | ENV-08 | r.example.com/a:1 | STREAMS: n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNameBelow(t *testing.T) {
	top := t.TempDir()
	if err := os.MkdirAll(filepath.Join(top, "repo", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("repo", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	repo, sub := filepath.Join(top, "repo"), filepath.Join(top, "repo", "sub")
	for name, c := range map[string]struct {
		root, dir, file string
		want            string // empty is that it is not below
	}{
		"in the root":         {repo, repo, "a.json", "a.json"},
		"in a directory":      {repo, sub, "a.json", "sub/a.json"},
		"above":               {repo, sub, "../a.json", "a.json"},
		"absolute":            {repo, sub, filepath.ToSlash(repo) + "/x/a.json", "x/a.json"},
		"root behind a link":  {filepath.Join(top, "link"), sub, "a.json", "sub/a.json"},
		"file behind a link":  {repo, filepath.Join(top, "link", "sub"), "a.json", "sub/a.json"},
		"outside":             {repo, sub, "../../a.json", ""},
		"the whole":           {repo, sub, "", ""},
		"directory not there": {repo, repo, "none/a.json", "none/a.json"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := nameBelow(c.root, c.dir, c.file); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
