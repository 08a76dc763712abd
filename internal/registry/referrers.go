// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Referrers lists the manifests whose subject is the manifest digest, sorted by
// their digests: by the referrers API (distribution spec, end-12a), or by the
// tag that clients keep where a registry has none. The tag is also looked at
// where the API answers an empty list: the registry may have learned the API
// after the tag was written.
func (r *Repository) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	found, _, err := r.askReferrers(ctx, digest)
	if err == nil && len(found) == 0 {
		var raw []byte
		if raw, err = r.fallback(ctx, digest); err == nil && raw != nil {
			found, err = ParseReferrers(raw)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing the referrers of %s: %w", digest, err)
	}
	return found, nil
}

// Bounds on the list of one subject: a hostile registry could go on for ever.
const (
	maxPages         = 1000
	maxReferrers     = 10_000
	maxReferrersSize = 4 * MaxManifest // in bytes
)

// askReferrers asks the referrers API alone; it reports false where there is
// none.
func (r *Repository) askReferrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, bool, error) {
	if r.host.noReferrers.Load() {
		return nil, false, nil
	}
	var all []v1.Descriptor
	at := r.url("referrers/"+digest.String(), nil)
	seen, size := map[string]bool{}, 0
	for !seen[at.String()] && len(seen) < maxPages && len(all) <= maxReferrers && size <= maxReferrersSize {
		seen[at.String()] = true
		page, err := r.referrersPage(ctx, digest, at)
		switch status := statusOf(err); {
		case err == nil:
		case len(seen) == 1 && (errors.Is(err, errNoReferrers) || hasNoReferrers(status)):
			r.host.noReferrers.Store(true)
			return nil, false, nil
		default:
			return nil, true, err
		}
		all, size = append(all, page.entries...), size+page.size
		if page.next == nil {
			return sortReferrers(all), true, nil
		}
		at = *page.next
	}
	return nil, true, fmt.Errorf("the pages of %s never end", r.name)
}

// hasNoReferrers reports what registries that predate the referrers API answer:
// the spec says 404, some refuse the path otherwise.
func hasNoReferrers(status int) bool {
	return slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusNotImplemented}, status)
}

// errNoReferrers is a success that is no index, such as a page for people.
var errNoReferrers = errors.New("the answer is no index")

// referrersPage is one page of the answer.
type referrersPage struct {
	entries []v1.Descriptor
	size    int      // in bytes
	next    *url.URL // nil after the last one
}

func (r *Repository) referrersPage(ctx context.Context, digest v1.Hash, at url.URL) (referrersPage, error) {
	op := fmt.Sprintf("reading the referrers of %s in %s", digest, r.name)
	var raw []byte
	var answer *http.Response
	err := r.host.client.retry(ctx, func(ctx context.Context) error {
		res, err := r.host.send(ctx, request{
			op:     op,
			method: http.MethodGet,
			url:    at,
			scopes: r.pullScopes(),
			header: http.Header{"Accept": {string(types.OCIImageIndex)}},
			expect: []int{http.StatusOK},
		})
		if err != nil {
			return err
		}
		defer res.Body.Close()
		answer = res
		if raw, err = io.ReadAll(io.LimitReader(res.Body, MaxManifest+1)); err != nil {
			return &Error{Op: op, Err: err}
		}
		return nil
	})
	if err != nil {
		return referrersPage{}, err
	}
	if t, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";"); types.MediaType(t) != types.OCIImageIndex {
		return referrersPage{}, &Error{Op: op, Err: errNoReferrers}
	}
	page, err := ParseReferrers(raw)
	if err != nil {
		return referrersPage{}, &Error{Op: op, Err: err}
	}
	next, err := nextPage(answer)
	if err != nil {
		return referrersPage{}, &Error{Op: op, Err: err}
	}
	return referrersPage{page, len(raw), next}, nil
}

// nextPage is where the Link of an answer leads (RFC 8288; the distribution
// spec has only rel="next"); nil without one.
func nextPage(res *http.Response) (*url.URL, error) {
	for _, link := range res.Header.Values("Link") {
		target, params, ok := strings.Cut(link, ">")
		if !ok || !strings.HasPrefix(strings.TrimSpace(target), "<") {
			continue
		}
		if rel := strings.ReplaceAll(strings.ReplaceAll(params, `"`, ""), " ", ""); !strings.Contains(rel, "rel=next") {
			continue
		}
		next, err := res.Request.URL.Parse(strings.TrimPrefix(strings.TrimSpace(target), "<"))
		if err != nil {
			return nil, fmt.Errorf("its Link is no URL: %w", err)
		}
		// The token of this registry is not for another.
		if next.Host != res.Request.URL.Host {
			return nil, fmt.Errorf("its Link leads to another host, %s", next.Host)
		}
		return next, nil
	}
	return nil, nil
}

// ParseReferrers reads the index that a referrers list is, of the API or of a
// tag, and sorts its entries by digest, each once.
func ParseReferrers(raw []byte) ([]v1.Descriptor, error) {
	if len(raw) > MaxManifest {
		return nil, fmt.Errorf("the list is larger than %d bytes", MaxManifest)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("reading the list: %w", err)
	}
	return sortReferrers(index.Manifests), nil
}

func sortReferrers(all []v1.Descriptor) []v1.Descriptor {
	slices.SortStableFunc(all, byDigest)
	return slices.CompactFunc(all, func(a, b v1.Descriptor) bool { return a.Digest == b.Digest })
}

func byDigest(a, b v1.Descriptor) int { return strings.Compare(a.Digest.String(), b.Digest.String()) }
