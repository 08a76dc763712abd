// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

const (
	// maxAttachment is the size above which attachments are advised against.
	maxAttachment = 20_000_000
	// maxMembers, maxUnpacked and maxRatio bound what listing an archive may
	// cost; small archives may unpack to freeUnpacked at any ratio.
	maxMembers   = 200_000 // and directories, those that are only implied too
	maxName      = 4096    // Linux's PATH_MAX
	maxNames     = 32 << 20
	maxUnpacked  = 16 << 30
	maxRatio     = 200
	freeUnpacked = 256 << 20
)

// An archive is an attachment and what it holds.
type archive struct {
	*page
	members map[string]bool // clean names of files and links
	dirs    map[string]bool // directories, implied ones too
	names   int             // bytes of all names
	partial bool            // it may hold more
}

// checkAttachmentFile is for a file bound as name.
func checkAttachmentFile(p *page, name string, f *File) *archive {
	a := &archive{page: p, members: make(map[string]bool), dirs: make(map[string]bool)}
	if f.Size > maxAttachment {
		p.add(a05.says("the attachment is %d MB", f.Size/1_000_000).hint("bake the files into the image instead, with --unpack"))
	}
	kind := archiveKind(name)
	if kind == "" {
		p.add(a01.says("attachments must be .zip, .tgz or .tar.gz").hint("repack %s", path.Base(name)))
		return a
	}
	if f.Open == nil {
		p.add(x00.says("the content is not at hand and was not checked"))
		a.partial = true
		return a
	}
	r, err := f.Open()
	if err != nil {
		p.add(a02.says("the attachment cannot be read: %v", cause(err)).hint("check the file and its permissions"))
		return a
	}
	if kind == "zip" {
		err = a.zip(r, f.Size)
	} else {
		err = a.tarGz(r, f.Size)
	}
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	var wrong *wrongKind
	switch {
	case errors.As(err, &wrong):
		p.add(a02.says("the attachment is %s, not %s as its name says", wrong.is, wrong.want).hint("rename or repack it"))
	case errors.Is(err, errTooMuch):
		a.partial = true
		p.add(a05.says("listing the attachment was given up: it unpacks to too much").hint("bake the files into the image instead, with --unpack"))
	case err != nil:
		p.add(a02.says("the attachment is damaged or truncated: %v", err).hint("pack it again"))
	}
	return a
}

// member is A-03 for one member, and remembers it. The error is errTooMuch.
func (a *archive) member(name string, mode fs.FileMode, link string, hard bool) error {
	clean := path.Clean(strings.TrimPrefix(name, "./"))
	bad := func(why string) {
		a.add(a03.says("member %s %s", quote(name), why).hint("pack it again with plain relative names"))
	}
	switch {
	case len(name) > maxName:
		bad("is longer than any file name")
		return nil
	case strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':':
		bad("has an absolute name")
		return nil
	case clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(name, "/../") || strings.HasPrefix(name, "../"):
		bad("escapes the archive")
		return nil
	case mode&(fs.ModeDevice|fs.ModeCharDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0:
		bad("is a device")
		return nil
	case hard && escapes("/", link), !hard && (path.IsAbs(link) || escapes(path.Join("/", path.Dir(clean)), link)):
		bad("links to something outside of the archive")
		return nil
	}
	dir := path.Dir(clean)
	if mode.IsDir() {
		dir = clean
	} else {
		a.members[clean] = true
	}
	for dir != "" && dir != "." && !a.dirs[dir] {
		a.dirs[dir] = true
		dir = dir[:max(strings.LastIndexByte(dir, '/'), 0)] // path.Dir would clean the whole of it again
	}
	if a.names += len(name); a.names > maxNames || len(a.members)+len(a.dirs) > maxMembers {
		return errTooMuch
	}
	return nil
}

// has tells whether the archive has a file or a directory of that name.
func (a *archive) has(name string) bool {
	return a.members[name] || a.dirs[name]
}

// checkAttachments is the A rules.
func (c *checker) checkAttachments() {
	if len(c.bindings.Attachments) > 0 {
		c.add(a06.says("the format of ATTACHMENTS is not documented").of(varAttachments).
			hint("unpack the archive into the image with --unpack and use absolute paths"))
	}
	owners := make(map[string]string)
	for _, p := range c.bindings.Attachments {
		at := part{a02, p}
		kind, f := c.files.stat(path.Clean("/" + p))
		if kind != isFile || c.loaded[at] != nil {
			continue
		}
		l := &loaded{page: newPage(f.name())}
		c.loaded[at] = l
		a := checkAttachmentFile(l.page, p, f)
		c.attachments = append(c.attachments, a)
		c.sharedMembers(a, owners)
		c.finish(l)
	}
	c.checkModules()
}

// sharedMembers is A-04.
func (c *checker) sharedMembers(a *archive, owners map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(a.members)) {
		if other, ok := owners[name]; ok {
			a.page.add(a04.says("member %s is in %s and %s", quote(name), other, a.name).hint("rename one of the two"))
		}
		owners[name] = a.name
		if name == path.Base(c.bindings.Model) {
			a.page.add(a04.says("member %s has the name of the model file", quote(name)).hint("rename it"))
		}
	}
}

// checkModules is A-07.
func (c *checker) checkModules() {
	if c.model == nil {
		return
	}
	for _, module := range c.model.modules {
		if !c.provides(module) {
			c.add(a07.says("module %s must already be installed in the base image", quote(module)).in(c.model.name).
				hint("or bake it inside an attachment"))
		}
	}
}

// provides tells whether an attachment or a baked file is the module.
func (c *checker) provides(module string) bool {
	first, _, _ := strings.Cut(module, ".")
	for _, a := range c.attachments {
		if a.has(first) || a.has(first+".py") || a.failed || a.partial {
			return true
		}
	}
	for p, f := range c.files.files {
		if base := path.Base(p); f.Baked && (base == first+".py" || base == first || strings.Contains(p, "/"+first+"/")) {
			return true
		}
	}
	return false
}
