// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLongestChain(t *testing.T) {
	for name, test := range map[string]struct {
		spans [][2]int
		want  int
	}{
		"none":                     {nil, 0},
		"one":                      {[][2]int{{0, 5}}, 1},
		"side by side":             {[][2]int{{0, 5}, {1, 6}, {4, 7}}, 1},
		"one after the other":      {[][2]int{{5, 9}, {0, 5}, {10, 12}}, 3},
		"a long one beside others": {[][2]int{{0, 100}, {1, 5}, {6, 9}, {10, 12}}, 3},
		"the short of two waits":   {[][2]int{{0, 5}, {0, 9}, {6, 10}, {10, 15}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var spans []span
			for _, s := range test.spans {
				spans = append(spans, span{time.Unix(int64(s[0]), 0), time.Unix(int64(s[1]), 0)})
			}
			if got := longestChain(spans); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

func TestScopes(t *testing.T) {
	for name, test := range map[string]struct {
		method, target string
		want           []string
	}{
		"ping":     {"GET", "/v2/", nil},
		"manifest": {"GET", "/v2/a/b/manifests/v1", []string{"repository:a/b:pull"}},
		"head":     {"HEAD", "/v2/a/blobs/sha256:0", []string{"repository:a:pull"}},
		"upload":   {"POST", "/v2/a/b/blobs/uploads/", []string{"repository:a/b:pull,push"}},
		"mount":    {"POST", "/v2/a/blobs/uploads/?mount=sha256:0&from=b/c", []string{"repository:a:pull,push", "repository:b/c:pull"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := scopes(httptest.NewRequest(test.method, test.target, nil))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("scopes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCovers(t *testing.T) {
	for name, test := range map[string]struct {
		token string
		needs []string
		want  bool
	}{
		"nothing needed":     {"", nil, true},
		"no scope":           {"", []string{"repository:a:pull"}, false},
		"the same":           {"repository:a:pull", []string{"repository:a:pull"}, true},
		"more":               {"repository:a:push,pull", []string{"repository:a:pull"}, true},
		"less":               {"repository:a:pull", []string{"repository:a:pull,push"}, false},
		"a longer name":      {"repository:ab:pull", []string{"repository:a:pull"}, false},
		"one of two":         {"repository:a:pull,push", []string{"repository:a:pull,push", "repository:b:pull"}, false},
		"both":               {"repository:b:pull repository:a:pull,push", []string{"repository:a:pull,push", "repository:b:pull"}, true},
		"in several entries": {"repository:a:pull repository:a:push", []string{"repository:a:pull,push"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := covers(test.token, test.needs); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// What passes a proxy is counted: bodies both ways, and requests by when they
// were answered.
func TestProxyCounts(t *testing.T) {
	registry := httptest.NewServer(http.HandlerFunc(discard))
	defer registry.Close()
	p, err := startProxy(strings.TrimPrefix(registry.URL, "http://"), 0, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}()
	for _, body := range []string{"", "12345", "678"} {
		res, err := http.Post("http://"+p.host+"/v2/a/blobs/uploads/?digest=sha256:0", "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusCreated {
			t.Fatal(res.Status)
		}
	}
	want := traffic{requests: 3, sent: 8, trips: 3}
	if diff := cmp.Diff(want, p.take(), cmp.AllowUnexported(traffic{})); diff != "" {
		t.Errorf("traffic (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(traffic{}, p.take(), cmp.AllowUnexported(traffic{})); diff != "" {
		t.Errorf("traffic that was taken already (-want +got):\n%s", diff)
	}
}

// The check of the huge row sees a file that is open for writing, even one that
// no directory shows any more, and a file that was there for a moment.
func TestTemporaryFilesShow(t *testing.T) {
	if _, err := os.Stat("/proc/self/fdinfo"); err != nil {
		t.Skip("needs Linux's /proc")
	}
	home := t.TempDir()
	tmp := filepath.Join(home, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Unix(1, 0)
	if err := os.Chtimes(tmp, long, long); err != nil {
		t.Fatal(err)
	}
	before, err := listing(home)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(tmp, "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		t.Fatal(err)
	}
	opened := func(except string) bool {
		return slices.ContainsFunc(writesTo("/proc/self", except), func(name string) bool { return strings.HasPrefix(name, f.Name()) })
	}
	if !opened("/nonexistent") {
		t.Errorf("%s is open for writing and was not seen", f.Name())
	}
	if opened(home) {
		t.Errorf("%s was seen although it is excepted", f.Name())
	}
	after, err := listing(home)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(before, after) {
		t.Error("a file that was there for a moment did not change the listing")
	}
}

func TestBounds(t *testing.T) {
	one := func(name string, wall time.Duration) *series {
		return &series{name: name, runs: []usage{{wall: wall, memory: 5 << 20}}, times: 1}
	}
	l := line{
		work: "w", peer: one("crane", time.Second), own: one("crane-bake", 300*time.Millisecond), bare: true,
		bounds: []bound{{"requests", 21, 20}, {"round trips", 6, 6}},
	}
	l = l.atMost(0.25)
	want := "| w | crane 1.00 s | 0.3 s | 0.3 | **≤ 0.25**, missed: 0.3; **≤ 20 requests**, missed: 21; ≤ 6 round trips |  |  |  | 5 / 5 |\n"
	got := render([]line{l})
	if rows := strings.SplitAfter(got, "\n"); rows[2] != want {
		t.Errorf("line (-want +got):\n%s", cmp.Diff(want, rows[2]))
	}
	var missed []string
	for _, err := range l.missed() {
		missed = append(missed, err.Error())
	}
	wantMissed := []string{"w: 0.3 of the time of crane, want at most 0.25", "w: 21 requests, want at most 20"}
	if diff := cmp.Diff(wantMissed, missed); diff != "" {
		t.Errorf("missed (-want +got):\n%s", diff)
	}
}
