// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// entry is a descriptor of nothing, the nth.
func entry(n int) v1.Descriptor {
	hash := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(fmt.Sprintf("%x", n), 64)}
	return v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: hash, Size: int64(n), ArtifactType: "application/<x>"}
}

func listOf(t testing.TB, entries ...v1.Descriptor) []byte {
	t.Helper()
	raw, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: entries})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// answering is a repository of a registry that answers as serve does, and what
// it was asked for.
func answering(t *testing.T, serve http.HandlerFunc) (*registry.Repository, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		mu.Lock()
		asked = append(asked, strings.TrimPrefix(r.URL.RequestURI(), "/v2/team/app/"))
		mu.Unlock()
		serve(w, r)
	}))
	t.Cleanup(srv.Close)
	return repository(t, client(t, registry.Options{Retries: -1}), srv.Listener.Addr().String()+"/team/app"), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}

func TestReferrersPages(t *testing.T) {
	subject := entry(10).Digest
	api := "referrers/" + subject.String()
	for _, tc := range []struct {
		name  string
		links map[string]string // of the page with a query
		asked []string
		fails string
	}{
		{"one", nil, []string{api}, ""},
		{"two", map[string]string{"": `</v2/team/app/` + api + `?last=1>; rel="next"`}, []string{api, api + "?last=1"}, ""},
		{"relative", map[string]string{"": `<?last=1>;rel=next`}, []string{api, api + "?last=1"}, ""},
		{"another relation", map[string]string{"": `<?last=1>; rel="first"`}, []string{api}, ""},
		{"for ever", map[string]string{"": `<?last=1>; rel="next"`, "last=1": `<?last=1>; rel="next"`}, []string{api, api + "?last=1"}, "never end"},
		{"elsewhere", map[string]string{"": `<http://127.0.0.2/v2/>; rel="next"`}, []string{api}, "another host"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			repo, asked := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", string(types.OCIImageIndex))
				if link, ok := tc.links[r.URL.RawQuery]; ok {
					w.Header().Set("Link", link)
				}
				n := 2
				if r.URL.RawQuery != "" {
					n = 1
				}
				_, _ = w.Write(listOf(t, entry(n), entry(3))) // the client may be gone
			})
			got, err := repo.Referrers(t.Context(), subject)
			if diff := cmp.Diff(tc.asked, asked()); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("got %v, want an error that says %q", err, tc.fails)
				}
				return
			}
			want := []v1.Descriptor{entry(2), entry(3)}
			if len(tc.asked) == 2 {
				want = append([]v1.Descriptor{entry(1)}, want...)
			}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v, referrers (-want +got):\n%s", err, diff)
			}
		})
	}
}

// A list that goes on for ever, in pages that all differ, ends all the same.
func TestReferrersWithoutEnd(t *testing.T) {
	for name, page := range map[string][]byte{"empty pages": listOf(t), "large pages": append(listOf(t, entry(1)), bytes.Repeat([]byte(" "), 8<<20-1000)...)} {
		t.Run(name, func(t *testing.T) {
			n := 0
			repo, asked := answering(t, func(w http.ResponseWriter, r *http.Request) {
				n++
				w.Header().Set("Content-Type", string(types.OCIImageIndex))
				w.Header().Set("Link", fmt.Sprintf(`<?last=%d>; rel="next"`, n))
				_, _ = w.Write(page) // the client may be gone
			})
			if _, err := repo.Referrers(t.Context(), entry(10).Digest); err == nil || !strings.Contains(err.Error(), "never end") {
				t.Errorf("got %v, want that the pages never end", err)
			}
			if got, most := len(asked()), map[string]int{"empty pages": 1000, "large pages": 5}[name]; got > most {
				t.Errorf("%d pages were read, want at most %d", got, most)
			}
		})
	}
}

// Where the API is not known, the tag is read, and the API is not asked again.
func TestReferrersWithoutAPI(t *testing.T) {
	first, second := entry(10).Digest, entry(11).Digest
	for _, tc := range []struct {
		name   string
		status int
		denied bool
	}{
		{"404", 404, false},
		{"400", 400, false},
		{"405", 405, false},
		{"406", 406, false},
		{"501", 501, false},
		{"a page", 200, false},
		{"403", 403, true},
		{"500", 500, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			repo, asked := answering(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.Contains(r.URL.Path, "/referrers/"):
					w.Header().Set("Content-Type", "text/html")
					w.WriteHeader(tc.status)
				case strings.HasSuffix(r.URL.Path, registry.ReferrersTag(first)):
					w.Header().Set("Content-Type", string(types.OCIImageIndex))
					_, _ = w.Write(listOf(t, entry(1))) // the client may be gone
				default:
					w.WriteHeader(http.StatusNotFound)
				}
			})
			got, err := repo.Referrers(t.Context(), first)
			if tc.denied {
				if err == nil || len(asked()) != 1 {
					t.Errorf("error %v after %q, want one after one request", err, asked())
				}
				return
			}
			if diff := cmp.Diff([]v1.Descriptor{entry(1)}, got); err != nil || diff != "" {
				t.Errorf("error %v, referrers (-want +got):\n%s", err, diff)
			}
			if got, err := repo.Referrers(t.Context(), second); err != nil || len(got) != 0 {
				t.Errorf("got %v, %v, want none", got, err)
			}
			want := []string{"referrers/" + first.String(), "manifests/" + registry.ReferrersTag(first), "manifests/" + registry.ReferrersTag(second)}
			if diff := cmp.Diff(want, asked()); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}

// A tag in the place of the referrers tag that is something else stays.
func TestReferrersTagIsAnImage(t *testing.T) {
	repo, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		_, _ = w.Write([]byte(`{}`)) // the client may be gone
	})
	if _, err := repo.Referrers(t.Context(), entry(1).Digest); err == nil || !strings.Contains(err.Error(), "no index of referrers") {
		t.Errorf("got %v", err)
	}
}

// Many attach to one subject at once, and every one is listed, with what was.
func TestAttach(t *testing.T) {
	for _, noAPI := range []bool{false, true} {
		t.Run(fmt.Sprintf("API %t", !noAPI), func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoReferrers: noAPI}})
			c := client(t, registry.Options{})
			subject := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: entry(10).Digest, Size: 2}
			referrer := func(n int) registry.Referrer {
				raw := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[],"subject":{"mediaType":%q,"digest":%q,"size":2},"annotations":{"n":"%d"}}`,
					types.OCIImageIndex, subject.MediaType, subject.Digest, n)
				d := descriptor(t, registry.Bytes(raw))
				d.MediaType = types.OCIImageIndex
				return registry.Referrer{Descriptor: d, Raw: raw}
			}
			var wg sync.WaitGroup
			want := map[v1.Hash]bool{}
			for n := range 10 {
				pair := []registry.Referrer{referrer(2 * n), referrer(2*n + 1)}
				want[pair[0].Digest], want[pair[1].Digest] = true, true
				wg.Go(func() {
					repo := repository(t, c, srv.Host+"/team/app")
					if err := repo.Attach(t.Context(), subject.Digest, pair); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			repo := repository(t, client(t, registry.Options{}), srv.Host+"/team/app")
			listed, err := repo.Referrers(t.Context(), subject.Digest)
			if err != nil {
				t.Fatal(err)
			}
			got := map[v1.Hash]bool{}
			for _, d := range listed {
				got[d.Digest] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("listed (-want +got):\n%s", diff)
			}
			srv.Reset()
			stored := referrer(0)
			stored.Stored = true
			if err := repo.Attach(t.Context(), subject.Digest, []registry.Referrer{stored}); err != nil {
				t.Fatal(err)
			}
			if n := srv.Count(http.MethodPut, "*"); n != 0 {
				t.Errorf("%d PUTs of what is there", n)
			}
		})
	}
}

// Entries that are there stay as they are, whatever they say.
func TestMergeReferrers(t *testing.T) {
	old := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","annotations":{"a":"<b>"},"manifests":[` +
		`{"digest":"` + entry(3).Digest.String() + `","mediaType":"x","size":3,"unknown":{"n":9007199254740993}}]}`
	got, changed, err := registry.MergeReferrers([]byte(old), []v1.Descriptor{entry(3), entry(2), entry(1), entry(2)})
	if err != nil || !changed {
		t.Fatalf("changed %t, error %v", changed, err)
	}
	added := func(n int) string {
		return fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":%d,"digest":"%s","artifactType":"application/<x>"}`, n, entry(n).Digest)
	}
	want := `{"annotations":{"a":"<b>"},"manifests":[{"digest":"` + entry(3).Digest.String() + `","mediaType":"x","size":3,"unknown":{"n":9007199254740993}},` +
		added(1) + "," + added(2) + `],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	again, changed, err := registry.MergeReferrers(got, []v1.Descriptor{entry(1)})
	if err != nil || changed || string(again) != string(got) {
		t.Errorf("changed %t to %s, error %v", changed, again, err)
	}
	if _, _, err := registry.MergeReferrers([]byte("{"), nil); err == nil {
		t.Error("a broken list is taken for one")
	}
}
