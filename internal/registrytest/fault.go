// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"net/http"
	"sync/atomic"
	"time"
)

// A Fault is what goes wrong with one request. The zero value is nothing.
// To cut is to close the connection (HTTP/1) or reset the stream (HTTP/2).
type Fault struct {
	Before bool // cut before the request is handled
	After  bool // handle the request, answer nothing and cut

	CutRequest  int64 // cut when that many bytes of the request's body were read
	CutResponse int64 // cut when that many bytes of the response's body were sent

	// Status is answered, with Header, instead of handling the request.
	Status int
	Header http.Header

	Delay time.Duration // passes before anything else
	// Corrupt flips a bit in the middle of the response's body.
	Corrupt bool
}

// First is a Faults function: f happens to the first times requests that have
// the method (any where empty) and a path that matches the pattern, in which
// each "*" stands for any run of characters.
func First(times int, method, pathPattern string, f Fault) func(int, *http.Request) Fault {
	matches := glob(pathPattern)
	var seen atomic.Int64
	return func(_ int, r *http.Request) Fault {
		if (method != "" && method != r.Method) || !matches(r.URL.Path) || seen.Add(1) > int64(times) {
			return Fault{}
		}
		return f
	}
}
