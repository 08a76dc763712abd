// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// checkBindings is ENV-08 to ENV-10 for every bound path.
func (c *checker) checkBindings() {
	b := c.bindings
	if b.Model != "" {
		c.checkBound(varModel, "", b.Model)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Schemas)) {
		c.checkBound(varSchemas, "schema "+quote(name), b.Schemas[name])
	}
	for _, n := range slices.Sorted(maps.Keys(b.Streams)) {
		c.checkBound(varStreams, fmt.Sprintf("slot %d", n), b.Streams[n])
	}
	for i, p := range b.Attachments {
		c.checkBound(varAttachments, fmt.Sprintf("item %d", i+1), p)
	}
}

func (c *checker) checkBound(variable, label, p string) {
	if whyNotNormal(p) != "" {
		return // ENV-05
	}
	where := c.label(variable) + ": "
	if label != "" {
		where += label + " -> "
	}
	where += p
	kind, f := c.files.stat(p)
	switch kind {
	case missing:
		c.add(env08.says("%s: no such file in the image", where).of(variable).hint("%s", c.missingHint(variable, p)))
	case unseen:
		c.add(env08.says("%s: not part of the bake; whether the base image has it was not looked at", where).of(variable).as(Note))
	case isDir:
		c.add(env09.says("%s is a directory", where).of(variable).from(f).hint("name a file in it"))
	case isOther:
		c.add(env09.says("%s is no regular file", where).of(variable).hint("bake a regular file"))
	case outside:
		c.add(env09.says("%s is a symbolic link that leaves the image", where).of(variable).hint("bake the file itself"))
	case linkCycle:
		c.add(env09.says("%s is a symbolic link that leads nowhere", where).of(variable).hint("bake the file itself"))
	case isFile:
		if f.Size == 0 {
			c.add(env09.says("%s is an empty file", where).of(variable).from(f).hint("bake a file with content"))
		}
		if at, mode := c.files.unreadable(f.Path); at != "" {
			c.add(env10.says("%s has mode %04o: the engine user cannot read %s", at, mode, f.name()).of(variable).
				hint("files need o+r and directories o+x"))
		}
	}
}

// missingHint says which files there are.
func (c *checker) missingHint(variable, p string) string {
	var names []string
	for q, f := range c.files.files {
		if f.Baked && f.Mode.IsRegular() {
			names = append(names, path.Base(q))
		}
	}
	if len(names) == 0 {
		return "add the file to the bake"
	}
	slices.Sort(names)
	names = slices.Compact(names)
	hint := fmt.Sprintf("add %s; files added: %s", path.Base(p), strings.Join(names[:min(len(names), 12)], ", "))
	if len(names) > 12 {
		hint += fmt.Sprintf(" and %d more", len(names)-12)
	}
	if better := nearest(path.Base(p), names); better != "" {
		return hint + fmt.Sprintf("; did you mean %q?", better)
	}
	if variable == varStreams {
		for _, n := range slices.Sorted(maps.Keys(c.bindings.Streams)) {
			if q := c.bindings.Streams[n]; q != p {
				return hint + ", or bind the slot to " + q
			}
		}
	}
	return hint
}

// checkVariables is ENV-11, ENV-14 and ENV-16.
func (c *checker) checkVariables() {
	if c.bindings.ConnectPrefix == "" {
		c.add(env11.says("CONNECT_PREFIX is not set: engines since 1.8.2 do not work without it").of(varConnectPrefix).
			hint("set it to the base URL of Connect, for example https://connect:8001, which crane-bake build sets by itself where neither the bake nor its base has one"))
	}
	before := lookup(c.img.BaseEnv)
	for _, name := range variables {
		switch {
		case c.kept[name] && name != varConnectPrefix: // which is the deployment's, and may well stay
			c.add(env14.says("%s stays as the base image sets it", name).of(name).as(Note))
		case !c.kept[name] && before[name] != "":
			c.add(env14.says("%s from the base image is replaced", name).of(name).hint("bake onto a base without it, if it should stay"))
		}
	}
	c.checkBase()
}

// checkBase is ENV-16.
func (c *checker) checkBase() {
	repository, _ := splitReference(c.img.Base)
	if repository == "" || strings.Contains(path.Base(repository), "engine") {
		return
	}
	f := env16.says("base image %s does not look like a FastScore engine; it may ignore MODEL, SCHEMAS and STREAMS", repository).
		hint("use an image of fastscore/engine, or one built on it")
	if !c.img.BaseListed {
		c.add(f.as(Note)) // only its name says so
		return
	}
	for _, dir := range []string{"/fastscore", "/root/engine"} {
		if kind, _ := c.files.stat(dir); kind == isDir {
			return
		}
	}
	c.add(f)
}

// splitReference takes tag and digest off an image reference.
func splitReference(reference string) (repository, tag string) {
	repository, _, _ = strings.Cut(reference, "@")
	if i := strings.LastIndexByte(repository, ':'); i > strings.LastIndexByte(repository, '/') {
		return repository[:i], repository[i+1:]
	}
	return repository, ""
}

// checkPinned is ENV-18. It comes last: it is about the next bake, not this one.
func (c *checker) checkPinned() {
	_, tag := splitReference(c.img.Base)
	if c.img.Base == "" || strings.Contains(c.img.Base, "@") || tag != "" && tag != "latest" {
		return
	}
	c.add(env18.says("base image %s is whatever was pushed last: the same bake may give another image tomorrow", c.img.Base).
		hint("pin the base by its digest, %s@sha256:…", c.img.Base))
}
