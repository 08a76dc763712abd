// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// maxText is the largest model, schema or descriptor that is read.
const maxText = 64 << 20

// Options are the choices of a check. The zero value is what the contract
// recommends.
type Options struct {
	// StrictSecrets turns a secret in plain text (SD-54) into an error.
	StrictSecrets bool
}

// Check applies all rules of the contract to an image and returns what it
// found in the order of evaluation: the environment, then each file (model,
// schemas by name, streams by slot, attachments), then how they fit together.
// A check across files is left out where a file that it needs has errors; a
// note says so.
func Check(img Image, opts Options) []Finding {
	c := &checker{img: img, opts: opts, loaded: make(map[part]*loaded)}
	c.readVariables()
	c.files = newTree(img, c.bound())
	for _, f := range c.found {
		if f.Severity == Error {
			c.brokenLists = append(c.brokenLists, f.Variable)
		}
	}
	c.checkBindings()
	c.checkVariables()
	c.checkPlaces()
	c.checkFiles()
	c.checkTogether()
	c.checkPinned()
	return c.found
}

// checker is one run of Check.
type checker struct {
	img      Image
	opts     Options
	bindings Bindings
	kept     map[string]bool // variables that have the base image's value
	files    *tree
	found    []Finding

	brokenLists []string // variables that have errors
	loaded      map[part]*loaded

	model       *model // nil if its type is unknown
	modelOK     bool
	schemas     map[string]*boundSchema
	streams     map[int]*boundStream
	attachments []*archive
}

// boundSchema is a schema of SCHEMAS; type is nil if it cannot be used.
type boundSchema struct {
	file string // for findings
	typ  *schema
}

// boundStream is a stream of STREAMS; desc is nil if it cannot be used.
type boundStream struct {
	*descriptor
	ok bool
}

// part is a file in one of its roles. The role is named by the rule for
// content of it that cannot be read.
type part struct {
	role ruleID
	path string
}

// loaded is a bound file that was looked for.
type loaded struct {
	*page
	content []byte
	read    bool // content is all there is

	schema     *schema
	descriptor *descriptor
}

// take hands the content over to the check of its role, so that it is not kept
// any longer than that needs it.
func (l *loaded) take() []byte {
	content := l.content
	l.content = nil
	return content
}

// bound are the paths of all variables, in order.
func (c *checker) bound() []string {
	b := c.bindings
	var paths []string
	if b.Model != "" {
		paths = append(paths, b.Model)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Schemas)) {
		paths = append(paths, b.Schemas[name])
	}
	for _, n := range slices.Sorted(maps.Keys(b.Streams)) {
		paths = append(paths, b.Streams[n])
	}
	return append(paths, b.Attachments...)
}

func (c *checker) add(f Finding) { c.found = append(c.found, f) }

// broken tells whether a variable has errors, so that what it lacks may only
// be unreadable.
func (c *checker) broken(variable string) bool { return slices.Contains(c.brokenLists, variable) }

// checkFiles is the rules for each file on its own.
func (c *checker) checkFiles() {
	if p := c.bindings.Model; p != "" {
		l := c.load(part{m04, p})
		if l.read {
			c.model = checkModelFile(l.page, p, l.take())
			c.modelOK = c.model != nil && !l.failed
		}
		c.finish(l)
	}
	c.checkSchemas()
	c.checkStreams()
	c.checkAttachments()
}

func (c *checker) checkSchemas() {
	c.schemas = make(map[string]*boundSchema)
	for _, name := range slices.Sorted(maps.Keys(c.bindings.Schemas)) {
		at := part{s01, c.bindings.Schemas[name]}
		_, again := c.loaded[at]
		l := c.load(at)
		if !again && l.read {
			l.schema = checkSchemaFile(l.page, l.take())
		}
		c.finish(l)
		c.schemas[name] = &boundSchema{file: l.name, typ: l.schema}
	}
}

func (c *checker) checkStreams() {
	c.streams = make(map[int]*boundStream)
	slots := slices.Sorted(maps.Keys(c.bindings.Streams))
	for _, n := range slots {
		at := part{sd01, c.bindings.Streams[n]}
		_, again := c.loaded[at]
		l := c.load(at)
		if !again && l.read {
			l.descriptor = checkDescriptorFile(l.page, l.take(), c.opts.StrictSecrets)
		}
		if l.descriptor != nil {
			l.descriptor.checkSlot(n)
		}
		c.finish(l)
		c.streams[n] = &boundStream{descriptor: l.descriptor}
	}
	// What one slot finds wrong makes the file wrong for all.
	for _, n := range slots {
		l := c.loaded[part{sd01, c.bindings.Streams[n]}]
		c.streams[n].ok = l.descriptor != nil && !l.failed
	}
}

// load finds and reads a bound file, once for each role.
func (c *checker) load(at part) *loaded {
	if l := c.loaded[at]; l != nil {
		return l
	}
	l := &loaded{page: newPage(at.path)}
	c.loaded[at] = l
	kind, f := c.files.stat(path.Clean("/" + at.path))
	if kind != isFile {
		return l // ENV-08, ENV-09
	}
	l.name = f.name()
	switch {
	case f.Open == nil:
		l.add(x00.says("the content is not at hand and was not checked"))
	case f.Size > maxText:
		l.add(x00.says("larger than %d MB: the content was not checked", maxText>>20))
	default:
		content, err := readAll(f)
		if err != nil {
			l.add(at.role.says("cannot be read: %v", cause(err)).hint("check the file and its permissions"))
			return l
		}
		l.content, l.read = content, true
	}
	return l
}

// finish moves the findings about a file to the result.
func (c *checker) finish(l *loaded) {
	c.found = append(c.found, l.findings()...)
	l.found = nil
	l.count = make(map[string]int)
}

// cause is err without the system call and the name, which a finding has.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

func readAll(f *File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	// One buffer of the right size; io.ReadAll would fill several.
	var content bytes.Buffer
	content.Grow(int(min(max(f.Size, 0), maxText)) + bytes.MinRead)
	_, err = content.ReadFrom(io.LimitReader(r, maxText+1))
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err == nil && content.Len() > maxText {
		err = fmt.Errorf("more than %d MB", maxText>>20)
	}
	return content.Bytes(), err
}
