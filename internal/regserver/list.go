// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

func (s *Server) getTags(w http.ResponseWriter, r *http.Request, t target) error {
	switch ok, err := s.store.exists(t.name); {
	case err != nil:
		return err
	case !ok:
		return refusal(http.StatusNotFound, codeNameUnknown, "repository unknown to the registry")
	}
	tags, err := s.store.tags(t.name)
	if err != nil {
		return err
	}
	page, err := paginate(w, r, tags)
	if err != nil {
		return err
	}
	return writeJSON(w, "application/json", struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{t.name, page})
}

func (s *Server) getCatalog(w http.ResponseWriter, r *http.Request, _ target) error {
	names, err := s.store.repositories()
	if err != nil {
		return err
	}
	page, err := paginate(w, r, names)
	if err != nil {
		return err
	}
	return writeJSON(w, "application/json", map[string][]string{"repositories": page})
}

// paginate cuts the sorted names to the page that n and last ask for, and adds
// the Link to the next one.
func paginate(w http.ResponseWriter, r *http.Request, names []string) ([]string, error) {
	q := r.URL.Query()
	page := append([]string{}, names...) // never null in JSON
	if last := q.Get("last"); last != "" {
		i, found := slices.BinarySearch(page, last)
		if found {
			i++
		}
		page = page[i:]
	}
	if !q.Has("n") {
		return page, nil
	}
	n, err := strconv.Atoi(q.Get("n"))
	if err != nil || n < 0 {
		return nil, refusal(http.StatusBadRequest, codeUnsupported, "n is not a number of results")
	}
	if n >= len(page) {
		return page, nil
	}
	page = page[:n]
	if n > 0 { // the spec: no Link for zero
		next := url.Values{"n": {strconv.Itoa(n)}, "last": {page[n-1]}}
		w.Header().Set("Link", "<"+r.URL.EscapedPath()+"?"+next.Encode()+`>; rel="next"`)
	}
	return page, nil
}

// getReferrers answers an empty index for a digest that nothing refers to,
// even in a repository without content: the spec allows no 404.
func (s *Server) getReferrers(w http.ResponseWriter, r *http.Request, t target) error {
	if s.opts.NoReferrers {
		return refusal(http.StatusNotFound, codeUnsupported, "no referrers API")
	}
	d, err := parseDigest(t.ref)
	if err != nil {
		return err
	}
	found, err := s.store.referrers(t.name, d)
	if err != nil {
		return err
	}
	if filter := r.URL.Query().Get("artifactType"); filter != "" {
		found = slices.DeleteFunc(found, func(d descriptor) bool { return d.ArtifactType != filter })
		w.Header().Set("Oci-Filters-Applied", "artifactType")
	}
	return writeJSON(w, string(types.OCIImageIndex), struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Manifests     []descriptor `json:"manifests"`
	}{2, string(types.OCIImageIndex), found})
}
