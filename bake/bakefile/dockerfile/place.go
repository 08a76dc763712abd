// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake"
)

// A destination is where a transfer goes.
type destination struct {
	path  string
	isDir bool // by the way it is written
}

// destination reads the last argument of a transfer.
func (e *evaluation) destination(s string) (destination, error) {
	full := s
	if !path.IsAbs(s) {
		e.needsBase = e.needsBase || e.workdirOfBase
		full = e.workdir + "/" + s
	}
	d := destination{path: path.Clean(full)}
	last := full[strings.LastIndex(full, "/")+1:]
	d.isDir = last == "" || last == "." || last == ".."
	return d, checkPath(d.path)
}

func checkPath(p string) error {
	if len(p) > maxPath {
		return fmt.Errorf("path %s is longer than %d bytes", clip(p), maxPath)
	}
	return nil
}

// put adds a copy to the bake.
func (e *evaluation) put(c bake.Copy) error {
	if len(e.spec.Copies) == maxCopies {
		return fmt.Errorf("the file copies more than %d files and directories", maxCopies)
	}
	e.spec.Copies = append(e.spec.Copies, c)
	e.places.add(c)
	return nil
}

// isDir reports whether the in-image path is known to be a directory: one of
// the base, or one that an earlier instruction makes.
func (e *evaluation) isDir(p string) bool {
	return slices.Contains(baseDirs, p) || e.places.isDir(p)
}

// baseDirs are directories that every engine image has. Docker sees all of
// them; a bake, which reads no layer of the base, takes these for granted.
var baseDirs = []string{
	"/bin", "/boot", "/dev", "/etc", "/fastscore", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc",
	"/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin",
	"/usr/local/lib", "/usr/share", "/var", "/var/lib", "/var/log", "/var/tmp",
}

// places remembers the directories that copies make.
type places struct {
	context *buildContext
	dirs    map[string]bool
	trees   []bake.Copy // of directories of the context
}

func (p *places) add(c bake.Copy) {
	dir := path.Dir(c.Dest)
	switch {
	case c.Path == "", c.Unpack:
		dir = c.Dest
	case c.FS == nil && p.context.isDir(c.Path):
		dir = c.Dest
		p.trees = append(p.trees, c)
	}
	for !p.dirs[dir] {
		p.dirs[dir] = true
		dir = path.Dir(dir)
	}
}

func (p *places) isDir(name string) bool {
	if p.dirs[name] {
		return true
	}
	return slices.ContainsFunc(p.trees, func(c bake.Copy) bool {
		below, ok := strings.CutPrefix(name, strings.TrimSuffix(c.Dest, "/")+"/")
		if !ok {
			return false
		}
		inside := path.Join(c.Path, below)
		return p.context.isDir(inside) && (c.Skip == nil || !c.Skip(inside))
	})
}
