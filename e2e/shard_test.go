// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

const (
	fleetSize = 40
	shards    = 4
)

// writeFleet writes a fleet file onto a base in the registry at host: bakes that
// differ in a file, each with a repository of its own.
func writeFleet(t *testing.T, host string) string {
	t.Helper()
	dir := copyScorer(t, t.TempDir())
	var b strings.Builder
	fmt.Fprintf(&b, "defaults:\n  base: %s/engine:v1\n  model: model.py3\n"+
		"  schemas: {inputsch: input.avsc, outputsch: output.avsc}\n  streams: {0: rest.json, 1: kafka.json}\nbakes:\n", host)
	for i := range fleetSize {
		name := fmt.Sprintf("data%d.txt", i)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  m%d: {assets: [%s], tags: [\"%s/fleet/m%d:v1\"]}\n", i, name, host, i)
	}
	file := filepath.Join(dir, "fleet.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// A shardRun is one process that bakes a part of a fleet.
type shardRun struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

func startShard(t *testing.T, file string, i int, flags ...string) *shardRun {
	t.Helper()
	args := []string{"build", "--quiet", "--format", "json", "-f", file, "--shard", fmt.Sprintf("%d/%d", i, shards)}
	r := &shardRun{cmd: command(t, craneBake, append(args, flags...)...)}
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// wait is the reports of a process that must succeed, by repository.
func (r *shardRun) wait(t *testing.T) map[string]shardReport {
	t.Helper()
	if err := r.cmd.Wait(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(r.cmd.Args, " "), err, &r.stderr)
	}
	reports := map[string]shardReport{}
	for line := range bytes.Lines(r.stdout.Bytes()) {
		var report shardReport
		if err := json.Unmarshal(line, &report); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if _, twice := reports[report.repo()]; twice {
			t.Errorf("%s is reported twice", report.repo())
		}
		reports[report.repo()] = report
	}
	return reports
}

type shardReport struct {
	Image        string
	AlreadyThere bool
}

func (r shardReport) repo() string {
	_, path, _ := strings.Cut(r.Image, "/")
	repo, _, _ := strings.Cut(path, "@")
	return repo
}

func fleetRepos() []string {
	var repos []string
	for i := range fleetSize {
		repos = append(repos, fmt.Sprintf("fleet/m%d", i))
	}
	slices.Sort(repos)
	return repos
}

// tagged is how often each repository's tag was written.
func tagged(s *registrytest.Server) map[string]int {
	n := map[string]int{}
	for _, r := range s.Requests() {
		if m := manifestPut.FindStringSubmatch(r.Path); m != nil && r.Method == http.MethodPut && r.Status == http.StatusCreated {
			n[m[1]]++
		}
	}
	return n
}

var manifestPut = regexp.MustCompile(`^/v2/(fleet/m\d+)/manifests/v1$`)

// Processes that share a fleet, all at once on one registry, bake each image
// once. All together bake the same as one.
func TestShards(t *testing.T) {
	t.Parallel()
	s := registrytest.Start(t, registrytest.Options{})
	s.Push(t, "engine:v1", registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	file := writeFleet(t, s.Host)
	var runs []*shardRun
	for i := range shards {
		runs = append(runs, startShard(t, file, i))
	}
	var got []string
	for i, r := range runs {
		reports := r.wait(t)
		if len(reports) == 0 || len(reports) == fleetSize {
			t.Errorf("shard %d has %d of %d bakes", i, len(reports), fleetSize)
		}
		got = slices.AppendSeq(got, maps.Keys(reports))
	}
	slices.Sort(got)
	if diff := cmp.Diff(fleetRepos(), got); diff != "" {
		t.Errorf("the shards' images (-want +got):\n%s", diff)
	}
	for repo, n := range tagged(s) {
		if n != 1 {
			t.Errorf("%s was published %d times", repo, n)
		}
	}

	out := run(t, craneBake, "build", "--quiet", "--format", "json", "-f", file)
	if n := bytes.Count(out, []byte(`"alreadyThere":true`)); n != fleetSize {
		t.Errorf("%d of %d images are those that one process bakes", n, fleetSize)
	}
}

// A shard that is killed in the middle completes when it runs again, and what it
// had published is not made again. The other shards do not notice.
func TestKilledShard(t *testing.T) {
	t.Parallel()
	const killed = 1
	k := &killer{after: 3}
	s := registrytest.Start(t, registrytest.Options{Faults: k.next})
	s.Push(t, "engine:v1", registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	file := writeFleet(t, s.Host)

	others := map[string]shardReport{}
	for i := range shards {
		if i != killed {
			maps.Copy(others, startShard(t, file, i).wait(t))
		}
	}
	s.Reset()
	var victim *shardRun
	k.arm(s, func() *os.Process {
		victim = startShard(t, file, killed, "--jobs", "1")
		return victim.cmd.Process
	})
	if err := victim.cmd.Wait(); err == nil {
		t.Fatalf("the shard was not killed\n%s", &victim.stdout)
	}
	before := tagged(s)
	k.arm(s, func() *os.Process { return nil })
	if len(before) == 0 || len(before)+len(others) >= fleetSize {
		t.Fatalf("the shard had published %d images beside the others' %d, want some and not all", len(before), len(others))
	}

	again := startShard(t, file, killed).wait(t)
	if len(again)+len(others) != fleetSize {
		t.Errorf("%d and %d images, want %d", len(again), len(others), fleetSize)
	}
	got := slices.Sorted(maps.Keys(again))
	got = slices.AppendSeq(got, maps.Keys(others))
	slices.Sort(got)
	if diff := cmp.Diff(fleetRepos(), got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	for repo, n := range tagged(s) {
		if n != 1 {
			t.Errorf("%s was published %d times", repo, n)
		}
		if report := again[repo]; report.AlreadyThere != (before[repo] == 1) {
			t.Errorf("%s: already there %v, was published before the kill %v", repo, report.AlreadyThere, before[repo] == 1)
		}
	}
}

// A killer kills a process at the request that follows some that moved a tag.
type killer struct {
	after int

	mu     sync.Mutex
	server *registrytest.Server
	victim *os.Process
	moved  int
}

// arm starts the process to kill, which finds the killer waiting.
func (k *killer) arm(server *registrytest.Server, start func() *os.Process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.server, k.victim, k.moved = server, start(), 0
}

func (k *killer) next(_ int, r *http.Request) registrytest.Fault {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.victim == nil || r.Method != http.MethodPut || !manifestPut.MatchString(r.URL.Path) {
		return registrytest.Fault{}
	}
	if k.moved++; k.moved <= k.after {
		return registrytest.Fault{}
	}
	// Those before it may still be under way, and would be done after its death.
	for len(tagged(k.server)) < k.after {
		runtime.Gosched()
	}
	_ = k.victim.Kill() // it may be dead already
	return registrytest.Fault{Before: true}
}
