// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

var kinds = map[string]error{
	"not found": registry.ErrNotFound, "denied": registry.ErrDenied, "conflict": registry.ErrConflict,
	"unavailable": registry.ErrUnavailable, "integrity": registry.ErrIntegrity,
}

// kindsOf is the names of the kinds that err is of.
func kindsOf(err error) []string {
	var is []string
	for _, name := range []string{"not found", "denied", "conflict", "unavailable", "integrity"} {
		if errors.Is(err, kinds[name]) {
			is = append(is, name)
		}
	}
	return is
}

func TestErrorKinds(t *testing.T) {
	for _, test := range []struct {
		status        int
		code, message string
		want          string
	}{
		{400, "MANIFEST_INVALID", "no", ""},
		{400, "TAG_INVALID", "tag v1 is immutable", "conflict"},
		{400, "TAG_INVALID", "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because the repository is Immutable.", "conflict"},
		{401, "UNAUTHORIZED", "authentication required", "denied"},
		{403, "DENIED", "requested access to the resource is denied", "denied"},
		{403, "DENIED", "repository has IMMUTABLE tags", "conflict"},
		{404, "MANIFEST_UNKNOWN", "manifest unknown", "not found"},
		{404, "NAME_UNKNOWN", "immutable", "not found"},
		{405, "UNSUPPORTED", "the registry is read-only", "denied"},
		{405, "UNSUPPORTED", "immutable", "conflict"},
		{408, "", "", "unavailable"},
		{409, "CONFLICT", "tag exists", "conflict"},
		{409, "", "", "conflict"},
		{412, "PRECONDITION_FAILED", "tag is immutable", "conflict"},
		{413, "MANIFEST_INVALID", "too large", ""},
		{416, "", "", ""},
		{418, "", "", ""},
		{429, "TOOMANYREQUESTS", "slow down", "unavailable"},
		{500, "UNKNOWN", "immutable", "unavailable"},
		{501, "UNSUPPORTED", "", "unavailable"},
		{503, "", "", "unavailable"},
		{507, "UNKNOWN", "no space left on device", "unavailable"},
		{304, "", "", ""},
	} {
		t.Run(fmt.Sprintf("%d %s %s", test.status, test.code, test.message), func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/" {
					return
				}
				w.WriteHeader(test.status)
				if test.code != "" {
					fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q,"detail":{"token":"SECRET"}}]}`, test.code, test.message)
				}
			}))
			defer srv.Close()
			repo := repository(t, client(t, registry.Options{Retries: -1}), srv.Listener.Addr().String()+"/team/app")
			var want []string
			if test.want != "" {
				want = []string{test.want}
			}
			_, _, err := repo.Manifest(t.Context(), "v1")
			for op, err := range map[string]error{"reading": err, "writing": repo.PutManifest(t.Context(), "v1", types.OCIImageIndex, manifest)} {
				if diff := cmp.Diff(want, kindsOf(err)); diff != "" {
					t.Errorf("%s: kinds of %v (-want +got):\n%s", op, err, diff)
				}
				var e *registry.Error
				if !errors.As(err, &e) || e.Status != test.status {
					t.Fatalf("%s: got %#v, want an Error with the status", op, err)
				}
				text := fmt.Sprintf("%s manifest v1 %s %s: %d %s", op, map[string]string{"reading": "of", "writing": "to"}[op], repo.Name(), test.status, http.StatusText(test.status))
				if test.code != "" {
					text += ": " + strings.ToLower(test.code)
				}
				if test.message != "" {
					text += ": " + test.message
				}
				if diff := cmp.Diff(text, err.Error()); diff != "" {
					t.Errorf("text (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// The kind of an error does not depend on an answer's body.
func TestErrorKindOfOddAnswer(t *testing.T) {
	for name, body := range map[string]string{
		"page":       "<html>Not here</html>",
		"large page": "<html>" + strings.Repeat("Not here.", 100_000) + "</html>",
		"none":       "",
		"null":       "null",
		"no list":    `{"errors":"gone"}`,
		"empty list": `{"errors":[]}`,
		"no code":    `{"errors":[{}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/" {
					return
				}
				n++
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, body) // a client that knows enough hangs up
			}))
			repo := repository(t, client(t, registry.Options{}), srv.Listener.Addr().String()+"/team/app")
			_, _, err := repo.Manifest(t.Context(), "v1")
			srv.Close()
			if diff := cmp.Diff([]string{"not found"}, kindsOf(err)); diff != "" {
				t.Errorf("kinds of %v (-want +got):\n%s", err, diff)
			}
			if n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestRegistryOutOfReach(t *testing.T) {
	srv := httptest.NewServer(nil)
	host := srv.Listener.Addr().String()
	srv.Close()
	repo := repository(t, client(t, registry.Options{Retries: 1}), host+"/team/app")
	if _, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(small)).Digest); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if err := repo.Upload(t.Context(), registry.Bytes(small)); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// What the content fails with is the content's: it is neither tried again nor
// taken for an answer of the registry that the content was meant for.
func TestContentFails(t *testing.T) {
	base := registrytest.Start(t, registrytest.Options{})
	source := repository(t, client(t, registry.Options{}), base.Host+"/base/engine")
	_, missing := source.Blob(t.Context(), descriptor(t, registry.Bytes(small)))
	if !errors.Is(missing, registry.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", missing)
	}
	unavailable := &registry.Error{Op: "reading blob", Status: 503, Err: errors.New("down")}
	for _, reason := range []struct {
		name string
		err  error
		kind []string
	}{
		{"missing file", fs.ErrNotExist, nil},
		{"blob missing in the base", missing, []string{"not found"}},
		{"base unavailable", unavailable, []string{"unavailable"}},
		{"corrupt base", fmt.Errorf("blob: %w", registry.ErrIntegrity), []string{"integrity"}},
		{"short base", io.ErrUnexpectedEOF, nil},
	} {
		for _, blob := range []struct {
			name  string
			data  []byte
			known bool
		}{{"small", small, true}, {"large", large, true}, {"unknown", large, false}} {
			for _, at := range []int{-1, 0, 500} {
				t.Run(fmt.Sprintf("%s/%s at %d", reason.name, blob.name, at), func(t *testing.T) {
					srv, repo := open(t, registrytest.Options{}, "team/app")
					content, opens := opened(registry.Content{
						Open: func(context.Context) (io.ReadCloser, error) {
							if at < 0 {
								return nil, reason.err
							}
							return io.NopCloser(io.MultiReader(bytes.NewReader(blob.data[:at]), iotest.ErrReader(reason.err))), nil
						},
						Descriptor: func() (v1.Descriptor, bool) {
							desc, _ := registry.Bytes(blob.data).Descriptor()
							return desc, blob.known
						},
					})
					err := repo.Upload(t.Context(), content)
					if !errors.Is(err, reason.err) {
						t.Errorf("got %v, want %v", err, reason.err)
					}
					if diff := cmp.Diff(reason.kind, kindsOf(err)); diff != "" {
						t.Errorf("kinds of %v (-want +got):\n%s", err, diff)
					}
					if err != nil && !strings.HasSuffix(err.Error(), reason.err.Error()) {
						t.Errorf("text %q hides %q", err, reason.err)
					}
					if opens.Load() != 1 || srv.Count("HEAD", "*") != 0 {
						t.Errorf("opened %d times, want once; %q", opens.Load(), requests(srv))
					}
				})
			}
		}
	}
}

// A content that does not know itself after its end is no failure of the
// registry.
func TestContentStaysUnknown(t *testing.T) {
	_, repo := open(t, registrytest.Options{}, "team/app")
	content, opens := opened(streamed(small))
	content.Descriptor = func() (v1.Descriptor, bool) { return v1.Descriptor{}, false }
	err := repo.Upload(t.Context(), content)
	if err == nil || kindsOf(err) != nil || opens.Load() != 1 {
		t.Errorf("got %v of the kinds %q after %d times", err, kindsOf(err), opens.Load())
	}
}

// A content that differs from its descriptor is refused, once.
func TestContentDiffers(t *testing.T) {
	for _, test := range []struct {
		name string
		data []byte
		kind []string
	}{{"other bytes", sized(len(small), 9), nil}, {"shorter", small[1:], []string{"integrity"}}, {"empty", nil, []string{"integrity"}}} {
		t.Run(test.name, func(t *testing.T) {
			srv, repo := open(t, registrytest.Options{}, "team/app")
			content, opens := opened(registry.Bytes(test.data))
			content.Descriptor = registry.Bytes(small).Descriptor
			err := repo.Upload(t.Context(), content)
			if diff := cmp.Diff(test.kind, kindsOf(err)); err == nil || diff != "" {
				t.Errorf("kinds of %v (-want +got):\n%s", err, diff)
			}
			if opens.Load() != 1 {
				t.Errorf("opened %d times, want once", opens.Load())
			}
			if found, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(small)).Digest); err != nil || found {
				t.Errorf("there: %v, %v; %q", found, err, requests(srv))
			}
		})
	}
}
