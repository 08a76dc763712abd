// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// The grammar of section 1 of the engine contract, as far as a pattern tells
// it. A path's segments are checked by fs.ValidPath as well.
var (
	slotPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,2})$`)
	namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	pathPattern = regexp.MustCompile(`^/[A-Za-z0-9._~+@=/-]+$`)
)

// A binding is one item of a list variable.
type binding struct {
	key   string // schema name or slot
	path  string // absolute
	where string // the item's place, for problems
}

// bindings reads a list of KEY:PATH items, kind being what a key is. Items that are not well-formed are
// noted as problems and left out, as are keys that were bound before.
func (in *inspection) bindings(variable, value string, key *regexp.Regexp, kind string) []binding {
	var bound []binding
	for _, item := range listItems(value) {
		k, path, ok := strings.Cut(item, ":")
		if !ok || strings.Contains(path, ":") {
			in.problem(variable, `item %q needs exactly one ":"`, item)
			continue
		}
		if !key.MatchString(k) {
			in.problem(variable, "%q is not a %s", k, kind)
			continue
		}
		where := variable + " " + kind + " " + k
		if !in.validPath(where, path) {
			continue
		}
		i := slices.IndexFunc(bound, func(b binding) bool { return b.key == k })
		switch {
		case i < 0:
			bound = append(bound, binding{key: k, path: path, where: where})
		case bound[i].path != path:
			in.problem(where, "bound twice, to %s and %s", bound[i].path, path)
		}
	}
	return bound
}

// listItems splits a list variable. One semicolon at the end is ignored.
func listItems(value string) []string {
	if value == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(value, ";"), ";")
}

// validPath tells whether path is absolute and normalised, in the characters
// that need no escape.
func (in *inspection) validPath(where, path string) bool {
	if pathPattern.MatchString(path) && fs.ValidPath(path[1:]) && path != "/." {
		return true
	}
	in.problem(where, "%q is not an absolute, normalised path of plain characters", path)
	return false
}
