// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package lazyregexp compiles regular expressions when they are used for the
// first time: most runs of a command use few of those that it has, and pay for
// all at start-up otherwise.
package lazyregexp

import (
	"regexp"
	"sync"
)

// A Regexp is a function that returns the regular expression.
type Regexp func() *regexp.Regexp

// New returns the regular expression expr, whose first use panics if it is none.
func New(expr string) Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
