// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/crane-bake/crane-bake/bake"
)

// copyMembers are the keys of an item of copies.
var copyMembers = []member{
	{"from", localPath},
	{"tree", boundFile},
	{"unpack", boundFile},
	{"to", absolute},
	{"owner", owner},
	{"mode", mode},
}

// checkCopy checks which keys an item of copies has.
func checkCopy(has map[string]bool) error {
	sources := 0
	for _, source := range []string{"from", "tree", "unpack"} {
		if has[source] {
			sources++
		}
	}
	switch {
	case !has["to"]:
		return &fault{"no destination", `add "to: PATH", an absolute in-image path`}
	case sources > 1:
		return &fault{"more than one of from, tree and unpack", "write an item for each"}
	}
	return nil
}

func putCopies(s *bake.Spec, dir string, vs []value) {
	for _, item := range itemsOf(vs) {
		c := bake.Copy{Path: item["from"], Dest: item["to"], Instruction: "copy to " + item["to"]}
		for name, flag := range map[string]*bool{"tree": &c.Tree, "unpack": &c.Unpack} {
			if file, ok := item[name]; ok {
				c.Path, *flag = file, true
			}
		}
		if c.Path != "" {
			c.Path = path.Join(dir, c.Path)
		}
		if text, ok := item["owner"]; ok {
			o, _ := parseOwner(text) // checked by owner
			c.Owner = &o
		}
		if text, ok := item["mode"]; ok {
			m, _ := parseMode(text) // checked by mode
			c.Mode = &m
		}
		s.Copies = append(s.Copies, c)
	}
}

func putDirectories(s *bake.Spec, _ string, vs []value) {
	for _, v := range vs {
		if s.Dirs == nil {
			s.Dirs = make(map[string]bake.Dir, len(vs))
		}
		s.Dirs[v.key], _ = parseDirectory(v.text) // checked by directoryMode
	}
}

// words is many for a list whose emptiness says something.
func words(of func(*bake.Spec) *[]string) put {
	return func(s *bake.Spec, _ string, vs []value) {
		*of(s) = []string{}
		for _, v := range vs {
			*of(s) = append(*of(s), v.text)
		}
	}
}

func putCreated(s *bake.Spec, _ string, vs []value) {
	s.Created, _ = parseCreated(vs[0].text) // checked by created
}

func putMediaTypes(s *bake.Spec, _ string, vs []value) { s.OCI = vs[0].text == "oci" }

func absolute(label, p string) error {
	if !path.IsAbs(p) {
		return fmt.Errorf("%s: %q is no absolute in-image path", label, p)
	}
	return nil
}

func directory(key string) (string, error) {
	clean := path.Clean(key)
	if err := absolute("directories", key); err != nil || clean != "/" {
		return clean, err
	}
	return "", fmt.Errorf("directories: %q is no directory of the bake", key)
}

func directoryMode(label, s string) error {
	_, err := parseDirectory(s)
	if err != nil {
		return fmt.Errorf("%s: %w", label, err)
	}
	return nil
}

// parseDirectory reads MODE [UID:GID].
func parseDirectory(s string) (bake.Dir, error) {
	text, rest, owned := strings.Cut(s, " ")
	d := bake.Dir{}
	var err error
	if d.Mode, err = parseMode(text); err == nil && owned {
		d.Owner, err = parseOwner(rest)
	}
	return d, err
}

func owner(label, s string) error {
	if _, err := parseOwner(s); err != nil {
		return fmt.Errorf("%s: %w", label, err)
	}
	return nil
}

func mode(label, s string) error {
	if _, err := parseMode(s); err != nil {
		return fmt.Errorf("%s: %w", label, err)
	}
	return nil
}

// parseOwner reads UID:GID. Names would be those of the base, which is not
// read.
func parseOwner(s string) (bake.Owner, error) {
	user, group, _ := strings.Cut(s, ":")
	uid, err := strconv.ParseUint(user, 10, 31)
	gid, err2 := strconv.ParseUint(group, 10, 31)
	if err != nil || err2 != nil {
		return bake.Owner{}, fmt.Errorf("owner %q: want UID:GID, in numbers", s)
	}
	return bake.Owner{UID: int(uid), GID: int(gid)}, nil
}

// parseMode reads permissions in octal, setuid, setgid and sticky included.
func parseMode(s string) (fs.FileMode, error) {
	bits, err := strconv.ParseUint(s, 8, 12)
	if err != nil {
		return 0, fmt.Errorf("mode %q: want permissions in octal, such as 0644", s)
	}
	m := fs.FileMode(bits & 0o777)
	for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			m |= flag
		}
	}
	return m, nil
}

func created(_, s string) error {
	_, err := parseCreated(s)
	return err
}

// parseCreated reads a time that a layer and SOURCE_DATE_EPOCH can hold.
func parseCreated(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() < 0 || t.Unix() > 1<<33 || t.Nanosecond() != 0 {
		return time.Time{}, fmt.Errorf("created %q: want a time from 1970 on in whole seconds, such as 2026-01-31T12:00:00Z", s)
	}
	return t.UTC(), nil
}

func mediaTypes(_, s string) error {
	if s != "oci" && s != "base" {
		return fmt.Errorf("mediaTypes %q: want base or oci", s)
	}
	return nil
}
