// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake"
)

// A field is a key of a bake.
type field struct {
	name string
	kind kind // scalar, list or mapping
	// key checks a mapping's key and gives its canonical form; nil takes any.
	key func(string) (string, error)
	// check checks an expanded value; nil takes any. label says where.
	check func(label, value string) error
	// parts are the keys of a list's items, which are mappings then.
	parts []member
	put   put
}

// put sets expanded, checked values; dir is the file's directory.
type put func(s *bake.Spec, dir string, vs []value)

// A value is a scalar's text, alone or with its key in a mapping.
type value struct{ key, text string }

// fields are the keys of a bake, in the order of the reference.
var fields = []field{
	{name: "base", kind: scalar, put: one(func(s *bake.Spec) *string { return &s.Base })},
	{name: "tags", kind: list, check: notEmpty, put: many(func(s *bake.Spec) *[]string { return &s.Tags })},
	{name: "model", kind: scalar, check: boundFile, put: local(one(func(s *bake.Spec) *string { return &s.Model }))},
	{name: "schemas", kind: mapping, check: boundFile, put: local(keyed(func(s *bake.Spec) *map[string]string { return &s.Schemas }))},
	{name: "streams", kind: mapping, key: slot, check: boundFile, put: local(putStreams)},
	{name: "attachments", kind: list, check: boundFile, put: local(many(func(s *bake.Spec) *[]string { return &s.Attachments }))},
	{name: "unpack", kind: mapping, key: archive, put: putUnpack},
	{name: "assets", kind: list, check: asset, put: putAssets},
	{name: "copies", kind: list, parts: copyMembers, put: putCopies},
	{name: "directories", kind: mapping, key: directory, check: directoryMode, put: putDirectories},
	{name: "connectPrefix", kind: scalar, put: one(func(s *bake.Spec) *string { return &s.ConnectPrefix })},
	{name: "assetsDir", kind: scalar, put: one(func(s *bake.Spec) *string { return &s.AssetsDir })},
	{name: "env", kind: mapping, key: variable, put: keyed(func(s *bake.Spec) *map[string]string { return &s.Env })},
	{name: "labels", kind: mapping, put: keyed(func(s *bake.Spec) *map[string]string { return &s.Labels })},
	{name: "annotations", kind: mapping, put: keyed(func(s *bake.Spec) *map[string]string { return &s.Annotations })},
	{name: "user", kind: scalar, check: notEmpty, put: one(func(s *bake.Spec) *string { return &s.Settings.User })},
	{name: "workdir", kind: scalar, check: notEmpty, put: one(func(s *bake.Spec) *string { return &s.Settings.WorkingDir })},
	{name: "entrypoint", kind: list, put: words(func(s *bake.Spec) *[]string { return &s.Settings.Entrypoint })},
	{name: "cmd", kind: list, put: words(func(s *bake.Spec) *[]string { return &s.Settings.Cmd })},
	{name: "stopSignal", kind: scalar, check: notEmpty, put: one(func(s *bake.Spec) *string { return &s.Settings.StopSignal })},
	{name: "ports", kind: list, check: notEmpty, put: many(func(s *bake.Spec) *[]string { return &s.Settings.ExposedPorts })},
	{name: "volumes", kind: list, check: notEmpty, put: many(func(s *bake.Spec) *[]string { return &s.Settings.Volumes })},
	{name: "platforms", kind: list, check: platform, put: many(func(s *bake.Spec) *[]string { return &s.Platforms })},
	{name: "compression", kind: scalar, check: compression, put: putCompression},
	{name: "layers", kind: scalar, check: layers, put: putLayers},
	{name: "created", kind: scalar, check: created, put: putCreated},
	{name: "mediaTypes", kind: scalar, check: mediaTypes, put: putMediaTypes},
	{name: "allow", kind: list, check: notEmpty, put: many(func(s *bake.Spec) *[]string { return &s.Allow })},
}

// fieldNames are the names of fields, in their order.
var fieldNames = func() (names []string) {
	for _, f := range fields {
		names = append(names, f.name)
	}
	return names
}()

func fieldNamed(name string) *field {
	if i := slices.Index(fieldNames, name); i >= 0 {
		return &fields[i]
	}
	return nil
}

func one(of func(*bake.Spec) *string) put {
	return func(s *bake.Spec, _ string, vs []value) { *of(s) = vs[0].text }
}

func many(of func(*bake.Spec) *[]string) put {
	return func(s *bake.Spec, _ string, vs []value) {
		for _, v := range vs {
			*of(s) = append(*of(s), v.text)
		}
	}
}

func keyed(of func(*bake.Spec) *map[string]string) put {
	return func(s *bake.Spec, _ string, vs []value) {
		m := make(map[string]string, len(vs))
		for _, v := range vs {
			m[v.key] = v.text
		}
		if len(m) > 0 {
			*of(s) = m
		}
	}
}

// local is p for values that are paths relative to the file.
func local(p put) put {
	return func(s *bake.Spec, dir string, vs []value) {
		for i := range vs {
			vs[i].text = path.Join(dir, vs[i].text)
		}
		p(s, dir, vs)
	}
}

func putStreams(s *bake.Spec, _ string, vs []value) {
	for _, v := range vs {
		if s.Streams == nil {
			s.Streams = make(map[int]string, len(vs))
		}
		n, _ := strconv.Atoi(v.key) // checked by slot
		s.Streams[n] = v.text
	}
}

func putUnpack(s *bake.Spec, dir string, vs []value) {
	for _, v := range vs {
		if s.Unpack == nil {
			s.Unpack = make(map[string]string, len(vs))
		}
		s.Unpack[path.Join(dir, v.key)] = v.text
	}
}

func putAssets(s *bake.Spec, dir string, vs []value) {
	for _, v := range vs {
		a, _ := bake.ParseAsset(v.text) // checked by asset
		a.Path = path.Join(dir, a.Path)
		s.Assets = append(s.Assets, a)
	}
}

func putCompression(s *bake.Spec, _ string, vs []value) {
	s.Compression, _ = bake.ParseCompression(vs[0].text) // checked by compression
}

func putLayers(s *bake.Spec, _ string, vs []value) {
	s.Layers, _ = bake.ParseLayerMode(vs[0].text) // checked by layers
}

func slot(key string) (string, error) {
	if n, err := strconv.Atoi(key); err != nil || n < 0 || strconv.Itoa(n) != key {
		return "", &fault{fmt.Sprintf("slot %q: want 0 or a positive decimal number", key), "even slots are inputs, odd slots are outputs"}
	}
	return key, nil
}

func archive(key string) (string, error) {
	return path.Clean(key), boundFile("unpack", key)
}

func variable(key string) (string, error) {
	if strings.Contains(key, "=") {
		return "", fmt.Errorf("env %q: a variable's name has no =", key)
	}
	return key, nil
}

func notEmpty(label, s string) error {
	if s == "" {
		return fmt.Errorf("%s is empty", label)
	}
	return nil
}

// boundFile checks the path of a file, asset that of a file or directory.
func boundFile(label, p string) error {
	if err := localPath(label, p); err != nil {
		return err
	}
	switch p[strings.LastIndex(p, "/")+1:] {
	case "", ".", "..":
		return fmt.Errorf("%s: path %q names a directory; want a file", label, p)
	}
	return nil
}

func asset(label, s string) error {
	a, err := bake.ParseAsset(s)
	if err != nil {
		return err
	}
	return localPath(label, a.Path)
}

// localPath refuses what leaves the bake file's directory by its spelling.
// Symbolic links are up to the file system.
func localPath(label, p string) error {
	clean := path.Clean(p)
	drive := len(p) > 1 && p[1] == ':' && 'a' <= p[0]|0x20 && p[0]|0x20 <= 'z'
	switch {
	case p == "":
		return fmt.Errorf("%s: path is empty", label)
	case strings.HasPrefix(p, "/") || drive:
		return &fault{fmt.Sprintf("%s: path %q is absolute", label, p), "paths are relative to the bake file"}
	case strings.Contains(p, `\`):
		return &fault{fmt.Sprintf("%s: path %q has a backslash", label, p), `separate directories with "/"`}
	case clean == ".." || strings.HasPrefix(clean, "../"):
		return &fault{fmt.Sprintf("%s: path %q leaves the directory of the bake file", label, p), "move the bake file up, or the file down"}
	}
	return nil
}

func platform(_, s string) error {
	parts := strings.Split(s, "/")
	if n := len(parts); n < 2 || n > 3 || slices.Contains(parts, "") {
		return fmt.Errorf("platform %q: want OS/ARCH or OS/ARCH/VARIANT", s)
	}
	return nil
}

func compression(_, s string) error {
	_, err := bake.ParseCompression(s)
	return err
}

func layers(_, s string) error {
	_, err := bake.ParseLayerMode(s)
	return err
}
