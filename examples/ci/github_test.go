// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGitHubAction(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"tags": "REGISTRY/team/scorer:v1\nREGISTRY/team/scorer:latest\n\nREGISTRY/other/scorer:v1\n",
		"args": "--label\ntitle=a b $c\n--strict\n--sbom\n--provenance", "base": "REGISTRY/fastscore/engine:1.10",
		"registry": "REGISTRY", "username": user, "password": password,
	})
	if code := j.run(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, j.log)
	}
	got := map[string]string{}
	for name, out := range j.action.Outputs {
		got[name] = j.eval(t, out.Value)
	}
	digest := mustDigest(t, j.registry, "team/scorer:v1")
	image := j.registry.Host + "/team/scorer@" + digest
	want := map[string]string{
		"digest": digest, "image": image, "images": image + "\n" + j.registry.Host + "/other/scorer@" + digest,
		"sarif":    filepath.Join(j.dir, "runner/crane-bake.sarif"),
		"metadata": strings.TrimSuffix(j.read(t, "runner/crane-bake.json"), "\n"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	var metadata struct {
		Digest string `json:"containerimage.digest"`
		Name   string `json:"image.name"`
	}
	if err := json.Unmarshal([]byte(got["metadata"]), &metadata); err != nil {
		t.Fatal(err)
	}
	host := j.registry.Host
	if metadata.Digest != digest || metadata.Name != host+"/team/scorer:v1,"+host+"/team/scorer:latest,"+host+"/other/scorer:v1" {
		t.Errorf("metadata: %+v", metadata)
	}
	if latest := digestOf(t, j.registry, "team/scorer:latest"); latest != digest {
		t.Errorf("latest is %s", latest)
	}
}

// What the check finds reaches the reviewer, although the job fails.
func TestGitHubFindings(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"registry": "REGISTRY", "username": user, "password": password})
	j.write(t, "src/kafka.json", `{"Version": "1.2", "Transport": {"Type": "Kafkka"}, "Encoding": "json"}`)
	if code := j.run(t); code != 3 {
		t.Fatalf("exit code %d, want 3\n%s", code, j.log)
	}
	if !strings.Contains(j.log, "::error file=kafka.json,line=1") {
		t.Errorf("no annotation:\n%s", j.log)
	}
	var sarif struct {
		Version string
		Runs    []struct{ Results []struct{ RuleID string } }
	}
	content, err := os.ReadFile(j.outputs["check"]["sarif"])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &sarif); err != nil {
		t.Fatal(err)
	}
	if sarif.Version != "2.1.0" || len(sarif.Runs) != 1 || len(sarif.Runs[0].Results) == 0 || sarif.Runs[0].Results[0].RuleID != "SD-06" {
		t.Errorf("SARIF: %+v", sarif)
	}
	if digest := digestOf(t, j.registry, "team/scorer:dev"); digest != "" {
		t.Errorf("published %s", digest)
	}
}

// A bake that cannot be checked ends the job with the check's exit code.
func TestGitHubMissingFile(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"file": "none.yaml"})
	if code := j.run(t); code != 5 {
		t.Errorf("exit code %d, want 5\n%s", code, j.log)
	}
}

// Where a runner has no crane-bake, it is installed with Go.
func TestGitHubInstall(t *testing.T) {
	t.Parallel()
	j := newJob(t, nil)
	fake := j.write(t, "bin/go", "#!/bin/sh\necho \"$GOBIN $*\"\n")
	j.openUp(t)
	if err := os.Chmod(fake, 0o755); err != nil {
		t.Fatal(err)
	}
	j.env = map[string]string{
		"PATH": filepath.Dir(fake) + ":/usr/bin:/bin", "VERSION": "v1.2.3",
		"RUNNER_TEMP": filepath.Join(j.dir, "runner"), "GITHUB_PATH": filepath.Join(j.dir, "runner/path"),
	}
	script := j.write(t, "runner/install.sh", j.action.Runs.Steps[0].Run)
	o := j.mustRun(t, "src", "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	bin := filepath.Join(j.dir, "runner/crane-bake-bin")
	if want := bin + " install github.com/crane-bake/crane-bake/cmd/crane-bake@v1.2.3\n"; o.stdout != want {
		t.Errorf("ran %q, want %q", o.stdout, want)
	}
	if got := j.read(t, "runner/path"); got != bin+"\n" {
		t.Errorf("PATH gets %q", got)
	}
}
