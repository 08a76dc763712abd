// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Ref is the reference of REPO, REPO:TAG or REPO@DIGEST in the registry.
func (s *Server) Ref(t testing.TB, repoTag string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s.Host + "/" + repoTag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// Push stores an image or an index with everything in it under REPO:TAG. It
// goes around the network, the rights, policies and faults, and leaves no
// requests in the journal: it is for what a test starts from.
func (s *Server) Push(t testing.TB, repoTag string, img remote.Taggable) name.Digest {
	t.Helper()
	ref := s.Ref(t, repoTag)
	err := remote.Push(ref, img, remote.WithContext(t.Context()), remote.WithTransport(backdoor{s}))
	if err != nil {
		t.Fatalf("pushing %s: %v", repoTag, err)
	}
	desc, err := remote.Head(ref, remote.WithContext(t.Context()), remote.WithTransport(backdoor{s}))
	if err != nil {
		t.Fatalf("pushing %s: %v", repoTag, err)
	}
	return ref.Context().Digest(desc.Digest.String())
}

// PushBlob stores a blob the way that Push stores an image.
func (s *Server) PushBlob(t testing.TB, repo, content string) name.Digest {
	t.Helper()
	layer := static.NewLayer([]byte(content), types.OCILayer)
	err := remote.WriteLayer(s.Ref(t, repo).Context(), layer, remote.WithContext(t.Context()), remote.WithTransport(backdoor{s}))
	if err != nil {
		t.Fatalf("pushing a blob to %s: %v", repo, err)
	}
	digest, err := layer.Digest()
	if err != nil {
		t.Fatalf("pushing a blob to %s: %v", repo, err)
	}
	return s.Ref(t, repo).Context().Digest(digest.String())
}

// A backdoor is a transport straight to the registry.
type backdoor struct{ server *Server }

func (b backdoor) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody // as a server's requests have it
	}
	w := httptest.NewRecorder()
	b.server.registry.ServeHTTP(w, in)
	if err := in.Body.Close(); err != nil {
		return nil, err
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}
