// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake"
)

// override puts the flags over what the bake file said.
func (f *specFlags) override(s *bake.Spec, host *hostFS) error {
	var err error
	set := func(to *string, from string) {
		if from != "" {
			*to = from
		}
	}
	set(&s.Base, f.base)
	set(&s.ConnectPrefix, f.connectPrefix)
	set(&s.AssetsDir, f.assetsDir)
	if f.model != "" {
		if s.Model, err = host.add(f.model); err != nil {
			return err
		}
	}
	if err := f.overrideFiles(s, host); err != nil {
		return err
	}
	for _, kv := range []struct {
		flag  string
		to    *map[string]string
		pairs []string
	}{{"--env", &s.Env, f.env}, {"--label", &s.Labels, f.labels}, {"--annotation", &s.Annotations, f.annotations}} {
		set, err := parsePairs(kv.flag, "KEY=VALUE", kv.pairs)
		if err != nil {
			return err
		}
		*kv.to = merged(*kv.to, set)
	}
	if len(f.tags) > 0 {
		s.Tags = f.tags
	}
	if len(f.platforms) > 0 {
		s.Platforms = f.platforms
	}
	s.Allow = append(s.Allow, f.allow...)
	if f.compression != "" {
		if s.Compression, err = bake.ParseCompression(f.compression); err != nil {
			return errUsage("--%v", err)
		}
	}
	if f.layers != "" {
		if s.Layers, err = bake.ParseLayerMode(f.layers); err != nil {
			return errUsage("--%v", err)
		}
	}
	return nil
}

// overrideFiles puts the files that flags name over those of the bake file.
func (f *specFlags) overrideFiles(s *bake.Spec, host *hostFS) error {
	schemas, err := parseSchemas(host, f.schemas)
	if err != nil {
		return err
	}
	s.Schemas = merged(s.Schemas, schemas)

	streams, err := parseStreams(host, f.streams)
	if err != nil {
		return err
	}
	s.Streams = merged(s.Streams, streams)

	for _, a := range f.attachments {
		name, err := host.add(a)
		if err != nil {
			return err
		}
		s.Attachments = append(s.Attachments, name)
	}
	unpack := map[string]string{}
	for _, u := range f.unpack {
		file, dir := cutPath(u)
		if file == "" {
			return errUsage("--unpack %q: want FILE or FILE=DIR", u)
		}
		name, err := host.add(file)
		if err != nil {
			return err
		}
		unpack[name] = dir
	}
	s.Unpack = merged(s.Unpack, unpack)
	for _, text := range f.assets {
		file, dest := cutPath(text)
		if file == "" {
			return errUsage("--asset %q: want PATH or PATH=DEST", text)
		}
		name, err := host.add(file)
		if err != nil {
			return err
		}
		s.Assets = append(s.Assets, bake.Asset{Path: name, Dest: dest})
	}
	return nil
}

// cutPath takes PATH[=DEST] apart at the first = that has no backslash before
// it; "\=" is an = of the path.
func cutPath(text string) (file, dest string) {
	end := len(text)
	for i := range text {
		if text[i] == '=' && (i == 0 || text[i-1] != '\\') {
			end, dest = i, text[i+1:]
			break
		}
	}
	return strings.ReplaceAll(text[:end], `\=`, "="), dest
}

// parseSchemas reads the values of --schema; their files become readable.
func parseSchemas(host *hostFS, values []string) (map[string]string, error) {
	schemas, err := parsePairs("--schema", "NAME=FILE", values)
	if err != nil {
		return nil, err
	}
	return schemas, addAll(host, schemas)
}

// parseStreams reads the values of --stream; their files become readable.
func parseStreams(host *hostFS, values []string) (map[int]string, error) {
	streams, err := parsePairs("--stream", "SLOT=FILE", values)
	if err != nil {
		return nil, err
	}
	slots := map[int]string{}
	for text, file := range streams {
		slot, err := strconv.Atoi(text)
		if err != nil || slot < 0 || strconv.Itoa(slot) != text {
			return nil, withHint(errUsage("--stream %s=%s: %q is no slot", text, file, text), "slots are 0, 1, 2 …: even ones are inputs, odd ones outputs")
		}
		if slots[slot], err = host.add(file); err != nil {
			return nil, err
		}
	}
	return slots, nil
}

// addAll replaces the files of a map by their names in host.
func addAll(host *hostFS, files map[string]string) error {
	for k, file := range files {
		name, err := host.add(file)
		if err != nil {
			return err
		}
		files[k] = name
	}
	return nil
}

// parsePairs reads the values of a repeatable flag that are of the given form.
func parsePairs(flag, form string, values []string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, v := range values {
		k, val, ok := strings.Cut(v, "=")
		if !ok || k == "" {
			return nil, errUsage("%s %q: want %s", flag, v, form)
		}
		if _, twice := pairs[k]; twice {
			return nil, errUsage("%s names %s twice", flag, k)
		}
		pairs[k] = val
	}
	return pairs, nil
}

// merged is base with what over says instead or in addition.
func merged[K comparable](base, over map[K]string) map[K]string {
	if len(over) == 0 {
		return base
	}
	out := maps.Clone(base)
	if out == nil {
		out = map[K]string{}
	}
	maps.Copy(out, over)
	return out
}
