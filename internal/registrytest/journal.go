// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Request is what happened to one request.
type Request struct {
	Method string
	Path   string
	Query  string // raw
	Repo   string // empty for requests that are about none
	Header http.Header
	Proto  string

	Status int // what the client was sent; 0 where the connection was cut before

	RequestBytes  int64 // of the body, as far as it was read
	ResponseBytes int64 // of the body, as far as it was sent

	// Start is when the headers arrived. End is when the last byte was about
	// to be sent: a client cannot have had all of the answer before.
	Start, End time.Time
}

// A journal keeps requests in the order of their arrival.
type journal struct {
	mu      sync.Mutex
	entries []*entry
	clock   int // counts the beginnings and ends of requests
	faults  sync.Mutex
}

type entry struct {
	Request
	began, ended int // by the journal's clock
	done         bool
}

var repoInPath = regexp.MustCompile(`^/v2/(.+)/(?:manifests|blobs|tags|referrers)/`)

func repoOf(path string) string {
	if m := repoInPath.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	return ""
}

// begin also counts: the first request since the start or Reset is 1.
func (j *journal) begin(r *http.Request) (int, *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.clock++
	e := &entry{began: j.clock, ended: j.clock}
	e.Request = Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Repo: repoOf(r.URL.Path),
		Header: r.Header.Clone(), Proto: r.Proto, Start: time.Now(),
	}
	e.End = e.Start
	j.entries = append(j.entries, e)
	return len(j.entries), e
}

// touch changes an entry that the journal may be asked about meanwhile.
func (j *journal) touch(change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
}

// sending moves the end of a request. It is called before the bytes go out, or
// else the client's next request could arrive before this one has ended.
func (j *journal) sending(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.clock++
	e.ended, e.End = j.clock, time.Now()
}

func (j *journal) end(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.ended == e.began { // nothing was sent
		j.clock++
		e.ended, e.End = j.clock, time.Now()
	}
	e.done = true
}

// fault asks one request at a time, so that a test's function needs no lock.
func (j *journal) fault(ask func(int, *http.Request) Fault, n int, r *http.Request) Fault {
	j.faults.Lock()
	defer j.faults.Unlock()
	return ask(n, r)
}

// open describes the requests that have not ended.
func (j *journal) open() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var open []string
	for _, e := range j.entries {
		if !e.done {
			open = append(open, e.Method+" "+e.Path)
		}
	}
	return open
}

// Requests are the requests since the start or Reset, as they arrived.
func (s *Server) Requests() []Request {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	var all []Request
	for _, e := range s.journal.entries {
		all = append(all, e.Request)
	}
	return all
}

// Reset forgets the requests so far.
func (s *Server) Reset() {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	s.journal.entries = nil
}

// Count is how many requests had the method (any where empty) and a path that
// matches the pattern, in which each "*" stands for any run of characters.
func (s *Server) Count(method, pathPattern string) int {
	matches := glob(pathPattern)
	n := 0
	for _, r := range s.Requests() {
		if (method == "" || method == r.Method) && matches(r.Path) {
			n++
		}
	}
	return n
}

func glob(pattern string) func(string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString
}

// RoundTrips is the length of the longest chain of requests each of which
// began after the one before it had ended. Requests that a client sends at the
// same time may well be handled one after the other; only with a Latency that
// is longer than that takes does the chain show what waited for what.
func (s *Server) RoundTrips() int {
	type event struct {
		at    int
		chain *int // that ends with the request; counted at its beginning
		ends  bool
	}
	var events []event
	s.journal.touch(func() {
		for _, e := range s.journal.entries {
			chain := new(int)
			events = append(events, event{at: e.began, chain: chain}, event{at: e.ended, chain: chain, ends: true})
		}
	})
	slices.SortFunc(events, func(a, b event) int { return a.at - b.at })
	longest := 0
	for _, e := range events {
		if e.ends {
			longest = max(longest, *e.chain)
		} else {
			*e.chain = longest + 1
		}
	}
	return longest
}

// UploadedBytes is the size of all request bodies, as far as they were read.
func (s *Server) UploadedBytes() int64 {
	return s.sum(func(r Request) int64 { return r.RequestBytes })
}

// DownloadedBytes is the size of all response bodies, as far as they were
// sent.
func (s *Server) DownloadedBytes() int64 {
	return s.sum(func(r Request) int64 { return r.ResponseBytes })
}

// UploadedBlobBytes is what UploadedBytes says of blobs alone.
func (s *Server) UploadedBlobBytes() int64 {
	return s.sum(func(r Request) int64 {
		if !strings.Contains(r.Path, "/blobs/uploads/") {
			return 0
		}
		return r.RequestBytes
	})
}

// DownloadedBlobBytes is what DownloadedBytes says of blobs alone.
func (s *Server) DownloadedBlobBytes() int64 {
	return s.sum(func(r Request) int64 {
		if r.Method != http.MethodGet || r.Status >= 300 || !strings.Contains(r.Path, "/blobs/") {
			return 0
		}
		return r.ResponseBytes
	})
}

func (s *Server) sum(of func(Request) int64) int64 {
	var n int64
	for _, r := range s.Requests() {
		n += of(r)
	}
	return n
}
