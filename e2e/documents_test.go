// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// regctl runs regctl against registries that speak plain HTTP.
func regctl(t testing.TB, hosts []string, args ...string) []byte {
	t.Helper()
	var flags []string
	for _, h := range hosts {
		flags = append(flags, "--host", "reg="+h+",tls=disabled")
	}
	return output(t, withHome(t, command(t, peer(t, "regctl"), append(flags, args...)...)))
}

// serveRegistry runs crane-bake registry until t ends and returns its HOST:PORT.
func serveRegistry(t testing.TB) string {
	t.Helper()
	cmd := command(t, craneBake, "registry", "--address", "127.0.0.1:0")
	lines := &lineWatcher{word: []byte("127.0.0.1:"), line: make(chan string, 1)}
	cmd.Stdout = lines
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the test's context has killed it
	}()
	t.Cleanup(func() { <-ended })
	select {
	case line := <-lines.line:
		return strings.TrimSpace(line)
	case <-ended:
		t.Fatal("crane-bake registry has ended")
	}
	return ""
}

// An SBOM and provenance resolve for regctl, on a registry with the referrers
// API and on one without, for the index and for each of its images; they say
// the same on both, and stay with an image that regctl copies.
func TestDocuments(t *testing.T) {
	plain, modern := startRegistry(t), serveRegistry(t)
	hosts := []string{plain, modern}
	var sboms [][]byte
	for _, host := range hosts {
		push(t, host+"/engine:v1", registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
		// The base's name is in the documents.
		bakeScorer(t, plain+"/engine:v1", host+"/scorer:v1", "--sbom", "--provenance", "--source", "https://git.example.com/team/scorer@"+strings.Repeat("1", 40))
		for _, platform := range []string{"", "linux/amd64", "linux/arm64"} {
			args := []string{"artifact", "list", host + "/scorer:v1", "--format", "{{json .Descriptors}}"}
			if platform != "" {
				args = append(args, "--platform", platform)
			}
			var listed []struct{ ArtifactType, Digest string }
			if err := json.Unmarshal(regctl(t, hosts, args...), &listed); err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, d := range listed {
				kinds = append(kinds, d.ArtifactType)
			}
			slices.Sort(kinds)
			if diff := cmp.Diff([]string{"application/vnd.cyclonedx+json", "application/vnd.in-toto+json"}, kinds); diff != "" {
				t.Errorf("%s %q lists (-want +got):\n%s", host, platform, diff)
			}
		}
		bill := regctl(t, hosts, "artifact", "get", "--subject", host+"/scorer:v1", "--filter-artifact-type", "application/vnd.cyclonedx+json")
		if !bytes.Contains(bill, []byte(`"type":"machine-learning-model"`)) {
			t.Errorf("the SBOM in %s lacks the model:\n%s", host, bill)
		}
		sboms = append(sboms, bill)
		run(t, craneBake, "verify", "--quiet", host+"/scorer:v1")
	}
	if diff := cmp.Diff(string(sboms[0]), string(sboms[1])); diff != "" {
		t.Errorf("the SBOMs differ (-without the API +with):\n%s", diff)
	}
	regctl(t, hosts, "image", "copy", "--referrers", plain+"/scorer:v1", modern+"/copy:v1")
	found := run(t, craneBake, "inspect", modern+"/copy:v1")
	if n := bytes.Count(found, []byte("\nreferrer ")); n != 2 {
		t.Errorf("%d referrers after regctl has copied the image, want 2:\n%s", n, found)
	}
	promoteAll(t, modern+"/scorer:v1", plain+"/promoted:v1", "--require-referrer", "application/vnd.in-toto+json")
}
