// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package dockerfile reads Dockerfiles as descriptions of bakes. What would run
// something, or take files from elsewhere than the build context, is refused.
// docs/dockerfile.md is the reference of what is read, and how.
package dockerfile

import (
	"io/fs"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/crane-bake/crane-bake/bake"
)

// Bounds on what a Dockerfile may ask for. A Dockerfile is written by hand or
// by a small script; what exceeds these is a mistake or an attack.
const (
	maxSize     = 1 << 20  // bytes of a file, and of an ignore file
	maxLines    = 50_000   // of a file
	maxLine     = 65_535   // bytes; the parser's own limit
	maxText     = 16 << 20 // bytes of all expanded words of a file
	maxOperands = 200      // ${NAME:-...} and the like in a file: each may be within the one before
	maxTriggers = 100      // "ONBUILD" in a file: each may be within the one before
	maxPath     = 4096     // bytes of a path; PATH_MAX of Linux
	maxCopies   = 100_000  // sources of all copies of a file
)

// BaseConfig is what a Dockerfile can see of its base.
type BaseConfig struct {
	Env        []string // each NAME=VALUE
	WorkingDir string
	User       string
	Cmd        []string // which an ENTRYPOINT clears
	Shell      []string // of shell forms; Docker's addition to the OCI config
}

// Options are what a Dockerfile is evaluated with.
type Options struct {
	// Context is the build context. It should be an fs.ReadLinkFS, such as that
	// of an os.Root, for symbolic links to be seen.
	Context fs.FS
	// Ignore is the content of the Dockerfile's own ignore file, NAME.dockerignore
	// beside it. Nil looks for that file, and then for .dockerignore, at the top
	// of Context.
	Ignore []byte
	// BuildArgs are the values of ARG instructions; a name that the file does
	// not declare is ignored, as docker build does.
	BuildArgs map[string]string
	// Platform is the one to bake for, OS/ARCH[/VARIANT]: the value of
	// TARGETPLATFORM and its parts. Empty is the platform that FROM names, or
	// else none; the variables are errors then.
	Platform string
	// Base is the base's config; nil is one that is not known yet. Its
	// working directory is then taken to be /fastscore, that of engines, and
	// everything else to be empty.
	Base *BaseConfig
}

// A File is a Dockerfile of one stage that runs nothing. Its methods may be
// called concurrently.
type File struct {
	name   string
	escape rune
	global []*parser.Node // ARG instructions above FROM
	from   *parser.Node
	body   []*parser.Node // instructions below FROM
}

// Parse reads a Dockerfile's content; name is for messages. The error is a
// *bakefile.Error with all that is wrong: syntax, instructions that a bake
// cannot follow, and what nobody can mean.
func Parse(data []byte, name string) (*File, error) {
	ps := problems{file: name}
	f := &File{name: name}
	if result := readSyntax(data, &ps); result != nil {
		f.escape = result.EscapeToken
		f.sort(result.AST.Children, &ps)
	}
	if err := ps.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// From returns the base image that the file names, and the platform of its
// --platform, or "" where it has none. The error is a *bakefile.Error. Only
// BuildArgs and Platform of opts count.
func (f *File) From(opts Options) (image, platform string, err error) {
	ps := problems{file: f.name}
	_, base := f.stage(opts, &ps)
	return base.image, base.platform, ps.err()
}

// Spec evaluates the file. The copies in spec are in the file's order and
// absolute, and spec.Env has final values. needsBase reports that the result
// depends on the base's config: without opts.Base it is an assumption.
//
// An error about the file is or wraps a *bakefile.Error, and wraps
// fs.ErrNotExist too where a source is missing; any other is about reading an
// ignore file.
func (f *File) Spec(opts Options) (spec bake.Spec, needsBase bool, err error) {
	ps := problems{file: f.name}
	args, base := f.stage(opts, &ps)
	e, err := newEvaluation(f, opts, args, base, &ps)
	if err != nil {
		return bake.Spec{}, false, err
	}
	e.run()
	if err := ps.err(); err != nil {
		return bake.Spec{}, false, err
	}
	return e.spec, e.needsBase, nil
}
