// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
)

// An explicit source is used or refused; a refusal does not show it.
func TestSourceFlag(t *testing.T) {
	for _, tc := range []struct{ source, uri, revision string }{
		{"https://u:secret@git.example.com/a@b/c@v1", "git+https://git.example.com/a@b/c", "v1"},
		{"git+ssh://git@git.example.com/a@feature/x", "git+ssh://git.example.com/a", "feature/x"},
		{"git@git.example.com:team/a.git@v1", "git+ssh://git.example.com/team/a.git", "v1"},
		{"git@git.example.com:/srv/a.git@v1", "git+ssh://git.example.com/srv/a.git", "v1"},
		{"https://u:secret@git.example.com/a", "", ""},
		{"https://secret@git.example.com/a", "", ""},
		{"https://secret@git.example.com", "", ""},
		{"https://git.example.com/a@", "", ""},
		{"https://git.example.com/a", "", ""},
		{"https://git.example.com/a@v1:secret", "", ""},
		{"git@git.example.com:team/secret", "", ""},
		{"user:secret@git.example.com:o/r@v1", "", ""},
		{"user:secret@git.example.com/o/r@v1", "", ""},
		{"secret:x-oauth@host/foo@v1", "", ""},
		{"./secret@v1", "", ""},
		{"secret/a:b@v1", "", ""},
		{`C:\secret@v1`, "", ""},
		{"C:/secret@v1", "", ""},
		{"//host/secret@v1", "", ""},
		{"file:///secret@v1", "", ""},
		{"https://git.example.com/secret%zz@v1", "", ""},
		{"@v1", "", ""},
	} {
		t.Run(tc.source, func(t *testing.T) {
			flags := documentFlags{provenance: true, source: tc.source}
			_, got, err := flags.read(&environment{lookup: func(string) (string, bool) { return "", false }})
			if tc.uri == "" {
				if !errors.Is(err, bake.ErrUsage) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want a usage error that does not tell the source", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(bake.Source{URI: tc.uri, Revision: tc.revision}, got.Source); diff != "" {
				t.Errorf("source (-want +got):\n%s", diff)
			}
		})
	}
}

// What CIs say of a run, without the secrets that their URLs may hold.
func TestProvenanceOf(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  map[string]string
		want bake.Provenance
	}{
		{"no CI", map[string]string{"GIT_COMMIT": "1", "CI_COMMIT_SHA": "2", "GITHUB_SHA": "3"}, bake.Provenance{}},
		{"GitHub", map[string]string{
			"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/scorer", "GITHUB_SHA": "abc",
			"GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_WORKFLOW_REF": "team/scorer/.github/workflows/bake.yaml@refs/heads/main",
		}, bake.Provenance{
			Builder:    "https://github.com/team/scorer/.github/workflows/bake.yaml@refs/heads/main",
			Invocation: "https://github.com/team/scorer/actions/runs/7/attempts/2",
			Source:     bake.Source{URI: "git+https://github.com/team/scorer", Revision: "abc"},
		}},
		{"GitHub, little of it", map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_SHA": "abc"}, bake.Provenance{}},
		{"GitLab", map[string]string{
			"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com", "CI_PROJECT_URL": "https://job:tok@gitlab.example.com/team/scorer",
			"CI_COMMIT_SHA": "abc", "CI_JOB_URL": "https://gitlab.example.com/team/scorer/-/jobs/7?private_token=tok", "CI_RUNNER_ID": "12",
		}, bake.Provenance{
			Builder:    "https://gitlab.example.com/team/scorer/-/runners/12",
			Invocation: "https://gitlab.example.com/team/scorer/-/jobs/7",
			Source:     bake.Source{URI: "git+https://gitlab.example.com/team/scorer", Revision: "abc"},
		}},
		{"GitLab without a runner", map[string]string{"GITLAB_CI": "true", "CI_SERVER_URL": "https://gitlab.example.com"}, bake.Provenance{
			Builder: "https://gitlab.example.com",
		}},
		{"Jenkins", map[string]string{
			"JENKINS_URL": "https://jenkins.example.com/", "BUILD_URL": "https://jenkins.example.com/job/bake/7/",
			"GIT_URL": "https://user:tok@git.example.com/team/scorer.git", "GIT_COMMIT": "abc",
		}, bake.Provenance{
			Builder: "https://jenkins.example.com", Invocation: "https://jenkins.example.com/job/bake/7",
			Source: bake.Source{URI: "git+https://git.example.com/team/scorer.git", Revision: "abc"},
		}},
		{"Jenkins with a clone by ssh", map[string]string{"BUILD_URL": "https://jenkins.example.com/job/1/", "GIT_URL": "git@git.example.com:team/scorer.git", "GIT_COMMIT": "abc"}, bake.Provenance{
			Builder: "https://jenkins.example.com", Invocation: "https://jenkins.example.com/job/1", Source: bake.Source{URI: "git+ssh://git.example.com/team/scorer.git", Revision: "abc"},
		}},
		{"Jenkins with a password", map[string]string{"JENKINS_URL": "https://j", "GIT_URL": "user:tok@git.example.com/o/r", "GIT_COMMIT": "abc"}, bake.Provenance{
			Builder: "https://j",
		}},
		{"Jenkins' commit of a build elsewhere", map[string]string{"GIT_URL": "https://git.example.com/o/r", "GIT_COMMIT": "abc"}, bake.Provenance{}},
		{"Jenkins with a local clone", map[string]string{"JENKINS_URL": "https://jenkins.example.com/", "GIT_URL": "/srv/git/scorer", "GIT_COMMIT": "abc"}, bake.Provenance{
			Builder: "https://jenkins.example.com",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := &environment{lookup: func(key string) (string, bool) { v, ok := tc.env[key]; return v, ok }}
			if diff := cmp.Diff(tc.want, provenanceOf(env)); diff != "" {
				t.Errorf("provenance (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDocumentFlags(t *testing.T) {
	source := bake.Source{URI: "git+https://git.example.com/a@b/c", Revision: "v1"}
	for _, tc := range []struct {
		name  string
		flags documentFlags
		want  bake.Options
		says  string
	}{
		{"none", documentFlags{}, bake.Options{}, ""},
		{"SPDX", documentFlags{sbom: "spdx"}, bake.Options{SBOM: bake.SBOMSPDX}, ""},
		{"another format", documentFlags{sbom: "xml"}, bake.Options{}, "--sbom=xml: want cyclonedx or spdx"},
		{"provenance", documentFlags{provenance: true}, bake.Options{Provenance: &bake.Provenance{}}, ""},
		{"with a source", documentFlags{provenance: true, source: "https://u:secret@git.example.com/a@b/c@v1"}, bake.Options{Provenance: &bake.Provenance{Source: source}}, ""},
		{"source alone", documentFlags{source: "https://git.example.com/a@v1"}, bake.Options{}, "--source is about --provenance"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got bake.Options
			var err error
			got.SBOM, got.Provenance, err = tc.flags.read(&environment{lookup: func(string) (string, bool) { return "", false }})
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != tc.says {
				t.Errorf("error %q, want %q", text, tc.says)
			}
			if diff := cmp.Diff(tc.want, got); err == nil && diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}
