// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/examples/scorer"
)

// runCheck checks in this process, and returns what was said, the exit code
// and how long it took.
func runCheck(t *testing.T, args ...string) (stdout, stderr string, code int, took time.Duration) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &environment{stdout: &out, stderr: &errs, lookup: func(string) (string, bool) { return "", false }}
	start := time.Now()
	code = run(t.Context(), env, append([]string{"check"}, args...))
	return out.String(), errs.String(), code, time.Since(start)
}

// limit is d, or what the race detector makes of it.
func limit(d time.Duration) time.Duration {
	info, ok := debug.ReadBuildInfo()
	if ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 10 * d
	}
	return d
}

// inTime runs the check up to three times: a busy machine is slow once.
func inTime(t *testing.T, most time.Duration, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var took time.Duration
	for range 3 {
		if stdout, stderr, code, took = runCheck(t, args...); took < limit(most) {
			return stdout, stderr, code
		}
	}
	t.Errorf("took %v, want less than %v", took, limit(most))
	return stdout, stderr, code
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// writeExample writes the files of the example, and returns the flags that bind
// them.
func writeExample(t *testing.T, dir string) []string {
	t.Helper()
	for _, name := range []string{"model.py3", "input.avsc", "output.avsc", "rest.json", "kafka.json"} {
		content, err := scorer.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, string(content))
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	return []string{
		"-b", "fastscore/engine:1.10", "-m", in("model.py3"), "-s", "inputsch=" + in("input.avsc"), "-s", "outputsch=" + in("output.avsc"),
		"--stream", "0=" + in("rest.json"), "--stream", "1=" + in("kafka.json"), "--connect-prefix", "https://connect:8001",
	}
}

// A fleet of 1,000 bakes of five files each, a pull request's whole team.
func TestCheckFleetIsFast(t *testing.T) {
	dir := t.TempDir()
	var fleet strings.Builder
	fleet.WriteString("defaults: {base: 'fastscore/engine:1.10', connectPrefix: 'https://connect:8001'}\nbakes:\n")
	for i := range 1000 {
		name := fmt.Sprintf("bake%d", i)
		writeExample(t, filepath.Join(dir, name))
		fmt.Fprintf(&fleet, "  %[1]s:\n    model: %[1]s/model.py3\n    schemas: {inputsch: %[1]s/input.avsc, outputsch: %[1]s/output.avsc}\n"+
			"    streams: {0: %[1]s/rest.json, 1: %[1]s/kafka.json}\n", name)
	}
	// They are all looked at: the last one is wrong.
	write(t, dir, "bake999/rest.json", `{"Transport": "RETS"}`)
	stdout, stderr, code := inTime(t, 2*time.Second, "-f", write(t, dir, "fleet.yaml", fleet.String()))
	if code != exitFindings || stderr != "" || !strings.HasPrefix(stdout, "bake999: error SD-06 "+filepath.ToSlash(dir)+"/bake999/rest.json:1: ") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	if !strings.HasSuffix(stdout, "\n1 error, 0 warnings\n") {
		t.Errorf("not just that: %q", stdout)
	}
}
