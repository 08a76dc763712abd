// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
)

// An inspection collects the problems of one run.
type inspection struct {
	fsys     fs.FS
	problems []string
}

// problem notes one fault: where is a variable's name and, where there is
// one, the place in it.
func (in *inspection) problem(where, format string, args ...any) {
	in.problems = append(in.problems, where+": "+fmt.Sprintf(format, args...))
}

// Inspect loads what the contract's variables name, as a starting engine
// does. env is the engine's environment, an unset variable being empty; fsys
// is its file system, rooted at "/". Files are read whole. Process is left
// zero, and no list of the report itself is nil.
//
// A problem is what keeps an engine from loading the bake or from finding a
// file. What the contract only warns of is none, and neither are the finer
// points of the model's language, of stream parameters and of schema
// compatibility.
func Inspect(env func(string) string, fsys fs.FS) *Report {
	in := &inspection{fsys: fsys}
	r := &Report{
		Attachments:   in.attachments(env("ATTACHMENTS")),
		ConnectPrefix: in.connectPrefix(env("CONNECT_PREFIX")),
		Model:         in.model(env("MODEL")),
		Schemas:       in.schemas(env("SCHEMAS")),
		Streams:       in.streams(env("STREAMS")),
	}
	in.cross(r)
	slices.Sort(in.problems)
	r.Problems = append([]string{}, slices.Compact(in.problems)...)
	return r
}

// connectPrefix is the value as given, checked against the contract's grammar:
// scheme, host, optional port, at most one slash.
func (in *inspection) connectPrefix(value string) string {
	const variable = "CONNECT_PREFIX"
	if value == "" {
		in.problem(variable, "not set")
		return value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		in.problem(variable, "%v", err)
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "", strings.HasSuffix(u.Host, ":"):
		in.problem(variable, "%q is not a URL like https://host:8001", value)
	case u.Path != "" && u.Path != "/", u.RawQuery != "" || u.ForceQuery, u.User != nil, strings.Contains(value, "#"):
		in.problem(variable, "%q has more than scheme, host and port", value)
	}
	return value
}

// cross checks the parts of the bake against each other: names used are
// bound, and each slot in use has a stream and no other slot has one. A part
// that could not be read is left out; its own problem is noted already.
func (in *inspection) cross(r *Report) {
	bound := map[string]bool{}
	for _, s := range r.Schemas {
		bound[s.Name] = true
	}
	streamed := map[string]bool{}
	for _, s := range r.Streams {
		slot := fmt.Sprint(s.Slot)
		streamed[slot] = true
		if name, ok := schemaRef(s.Schema); ok && !bound[name] {
			in.problem("STREAMS slot "+slot, "%s: schema %q is not bound by SCHEMAS", s.File.Path, name)
		}
		if r.Model != nil && r.Model.Slots != nil && !slices.Contains(r.Model.Slots, slot) {
			in.problem("STREAMS slot "+slot, "%s: the model does not use this slot", s.File.Path)
		}
	}
	if r.Model == nil {
		return
	}
	for _, slot := range r.Model.Slots {
		if !streamed[slot] {
			in.problem("STREAMS", "no stream for slot %s, which the model uses", slot)
		}
		name, ok := r.Model.Schemas[slot]
		if ok && !isInline(name) && !bound[name] {
			in.problem("MODEL", "%s: schema %q of slot %s is not bound by SCHEMAS", r.Model.File.Path, name, slot)
		}
	}
}
