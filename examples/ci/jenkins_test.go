// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The steps "sh" of the pipeline, in their order.
func jenkinsScripts(t *testing.T) []string {
	t.Helper()
	text := recipe(t, "jenkins/Jenkinsfile")
	if open, end := strings.Count(text, "{"), strings.Count(text, "}"); open != end {
		t.Errorf("%d braces open, and %d close", open, end)
	}
	var scripts []string
	for _, m := range regexp.MustCompile(`(?s)\bsh '''(.*?)'''`).FindAllStringSubmatch(text, -1) {
		// A Groovy string: a backslash at the end of a line takes the line's end
		// away, which is what it does in a shell.
		scripts = append(scripts, strings.ReplaceAll(m[1], "\\\n", ""))
	}
	return scripts
}

// jenkinsEnvironment is the block "environment" of a pipeline whose parameters
// are these. In a job's first build there are no other variables of them.
func jenkinsEnvironment(t *testing.T, params map[string]string) map[string]string {
	t.Helper()
	text := recipe(t, "jenkins/Jenkinsfile")
	block := regexp.MustCompile(`(?s)\n  environment \{\n(.*?)\n  \}\n`).FindStringSubmatch(text)
	if block == nil {
		t.Fatal("there is no environment")
	}
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^    (\w+) = "\$\{params\.(\w+)\}"$`).FindAllStringSubmatch(block[1], -1) {
		value, ok := params[m[2]]
		if !ok || !strings.Contains(text, "string(name: '"+m[2]+"'") {
			t.Errorf("there is no parameter %s", m[2])
		}
		env[m[1]] = value
	}
	return env
}

func TestJenkins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	scripts := jenkinsScripts(t)
	if len(scripts) != 2 {
		t.Fatalf("%d scripts, want check and bake", len(scripts))
	}
	w.env = jenkinsEnvironment(t, map[string]string{
		"FILE": "bake.yaml", "REGISTRY": w.registry.Host, "TAG": w.registry.Host + "/team/scorer:v1",
	})
	w.env["WORKSPACE_TMP"] = filepath.Join(w.dir, "src@tmp")
	w.write(t, "src/crane-bake-results/digest", "of an earlier build")
	w.openUp(t)
	w.mustRun(t, "src", "sh", "-xe", w.write(t, "jenkins/0", scripts[0]))
	if _, err := os.Stat(filepath.Join(w.dir, "src/crane-bake-results/digest")); err == nil {
		t.Error("the results of an earlier build are still there")
	}
	if got := w.read(t, "src/crane-bake-results/check.sarif"); !strings.Contains(got, `"version": "2.1.0"`) {
		t.Errorf("no SARIF: %s", got)
	}
	w.env["REGISTRY_USER"], w.env["REGISTRY_PASSWORD"] = user, password
	w.mustRun(t, "src", "sh", "-xe", w.write(t, "jenkins/1", scripts[1]))
	digest := mustDigest(t, w.registry, "team/scorer:v1")
	for name, want := range map[string]string{
		"digest": digest,
		"images": w.registry.Host + "/team/scorer@" + digest + "\n",
	} {
		if got := w.read(t, "src/crane-bake-results/"+name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := w.read(t, "src@tmp/docker/config.json"); strings.Contains(got, `"auth"`) {
		t.Errorf("credentials stay behind: %s", got)
	}
}
