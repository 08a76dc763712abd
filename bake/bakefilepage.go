// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBakeFile is how many bytes a bake file may have.
const maxBakeFile = 1 << 20

// bakeFile is s as a bake file, without what unsayable lists, below lines of
// comment. See docs/bakefile.md.
func (s Spec) bakeFile(heading []string) ([]byte, error) {
	p := &page{}
	for _, line := range heading {
		p.line("# %s", line)
	}
	p.scalar("base", s.Base)
	p.list("tags", s.Tags)
	p.scalar("model", local(s.Model))
	p.mapping("schemas", paths(s.Schemas))
	p.open("streams", len(s.Streams))
	for _, slot := range sortedKeys(s.Streams) {
		p.entry(strconv.Itoa(slot), local(s.Streams[slot]))
	}
	p.list("attachments", each(s.Attachments, local))
	p.mapping("unpack", s.Unpack)
	p.list("assets", each(s.Assets, func(a Asset) string {
		if a.Dest == "" {
			return local(a.Path)
		}
		return local(a.Path) + "=" + a.Dest
	}))
	p.copies(s.Copies)
	dirs := map[string]string{}
	for dir, d := range s.Dirs {
		dirs[dir] = fmt.Sprintf("%04o %s", octal(d.Mode), d.Owner.text())
	}
	p.mapping("directories", dirs)
	p.scalar("connectPrefix", s.ConnectPrefix)
	if s.AssetsDir != DefaultAssetsDir {
		p.scalar("assetsDir", s.AssetsDir)
	}
	p.mapping("env", s.Env)
	p.mapping("labels", s.Labels)
	p.mapping("annotations", s.Annotations)
	p.settings(s.Settings)
	p.list("platforms", s.Platforms)
	if s.Compression != (Compression{}) && s.Compression != (Compression{Algorithm: Gzip}) {
		p.scalar("compression", s.Compression.String())
	}
	if s.Layers != LayersAuto {
		p.scalar("layers", string(s.Layers))
	}
	if !s.Created.IsZero() {
		p.scalar("created", s.Created.UTC().Format(time.RFC3339))
	}
	if s.OCI {
		p.scalar("mediaTypes", "oci")
	}
	p.list("allow", s.Allow)
	if n := p.text.Len(); n > maxBakeFile {
		return nil, fmt.Errorf("what it says besides its files has %d bytes, more than a bake file may have (%d)", n, maxBakeFile)
	}
	return []byte(p.text.String()), nil
}

// text is UID:GID.
func (o Owner) text() string { return fmt.Sprintf("%d:%d", o.UID, o.GID) }

// unsayable removes from s the variables, labels and annotations that no bake
// file can have, and names them.
func (s *Spec) unsayable() []string {
	var names []string
	for _, m := range []struct {
		what string
		m    map[string]string
	}{{"variable", s.Env}, {"label", s.Labels}, {"annotation", s.Annotations}} {
		for _, k := range sortedKeys(m.m) {
			if k == "" || strings.Contains(k, "${") || !sayable(k) || !sayable(m.m[k]) {
				names = append(names, fmt.Sprintf("%s %q", m.what, k))
				delete(m.m, k)
			}
		}
	}
	return names
}

func sayable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// paths is files as a bake file names them.
func paths[K comparable](files map[K]string) map[K]string {
	out := map[K]string{}
	for k, file := range files {
		out[k] = local(file)
	}
	return out
}

func each[T any](list []T, text func(T) string) []string {
	var out []string
	for _, v := range list {
		out = append(out, text(v))
	}
	return out
}

// local keeps the start of a name from being taken for a drive.
func local(file string) string {
	if len(file) > 1 && file[1] == ':' {
		return "./" + file
	}
	return file
}
