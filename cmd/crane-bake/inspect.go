// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
)

func inspectCommand() *command {
	i := &inspect{}
	return &command{
		name: "inspect", group: groupLook, args: "IMAGE",
		short: "Show what is baked into an image",
		long: `
Works on any image whose environment has the variables of the engine contract,
whoever built it. Of an image with a record of its bake, a few kilobytes are read;
of any other, layers from the top down until every bound file is found.

  crane-bake inspect registry.example.com/team/scorer:v1
  crane-bake inspect --format json IMAGE | jq '.platforms[0].bindings'
  crane-bake inspect --format mermaid IMAGE > scorer.mmd

The formats are text, json, bakefile (a bake.yaml that would make the image),
dockerfile (the same as a Dockerfile) and mermaid (streams, slots and model as a
flowchart).`,
		flags: i.register,
		run:   i.run,
	}
}

// inspect is the flags of one inspection.
type inspect struct {
	remote   remoteFlags
	format   string
	platform string
}

func (i *inspect) register(fs *pflag.FlagSet) {
	fs.StringVar(&i.format, "format", "text", "`text|json|bakefile|dockerfile|mermaid` form of the result")
	fs.StringVar(&i.platform, "platform", "", "`OS/ARCH[/VARIANT]` choose a platform of an index; default all")
	i.remote.register(fs)
}

// bakeFormats are the formats that show one bake, whatever its platforms.
var bakeFormats = map[string]func(*bakeOf) (string, error){
	"bakefile":   bakefileText,
	"dockerfile": dockerfileText,
	"mermaid":    mermaidText,
}

// A bakeOf is what was baked into an image for some of its platforms, all of
// them the same.
type bakeOf struct {
	image     string // by digest
	index     bool   // the image is an index
	whole     bool   // of all its platforms
	platforms []string
	bake.InspectedPlatform
}

func (i *inspect) run(ctx context.Context, env *environment, args []string) error {
	if len(args) != 1 {
		return withHint(errUsage("inspect: want one image, have %d", len(args)), "see crane-bake help inspect")
	}
	show, ofOne := bakeFormats[i.format]
	if !ofOne && i.format != "text" && i.format != "json" {
		return errUsage("--format %q: want text, json, %s", i.format, strings.Join(slices.Sorted(maps.Keys(bakeFormats)), ", "))
	}
	remote, err := i.remote.remote(env)
	if err != nil {
		return err
	}
	opts := bake.InspectOptions{Slots: i.format == "mermaid", Referrers: !ofOne}
	if i.platform != "" {
		opts.Platforms = []string{i.platform}
	}
	found, err := bake.Inspect(ctx, args[0], remote, opts)
	if err != nil {
		return err
	}
	if i.format == "json" {
		line, err := encodeJSON(found)
		if err != nil {
			return err
		}
		_, err = env.stdout.Write(line)
		return err
	}
	bakes := grouped(found)
	bakes[0].whole = len(bakes) == 1 && i.platform == ""
	var text string
	switch {
	case !ofOne:
		text = inspectText(bakes) + referrersText(found.Referrers)
	case len(bakes) > 1:
		var lists []string
		for _, b := range bakes {
			lists = append(lists, strings.Join(b.platforms, ", "))
		}
		return withHint(errUsage("inspect: --format %s shows one bake, and the image's platforms differ: %s", i.format, strings.Join(lists, "; ")),
			"choose one with --platform")
	default:
		if text, err = show(bakes[0]); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprint(env.stdout, text); err != nil {
		return err
	}
	if !i.remote.quiet {
		for _, n := range found.Notes {
			fmt.Fprintf(env.stderr, "note: %s\n", printable(n))
		}
	}
	return nil
}

// grouped joins platforms that were baked the same.
func grouped(found *bake.Inspection) []*bakeOf {
	var bakes []*bakeOf
	for _, p := range found.Platforms {
		i := slices.IndexFunc(bakes, func(b *bakeOf) bool { return sameBake(b.InspectedPlatform, p) })
		if i < 0 {
			i = len(bakes)
			bakes = append(bakes, &bakeOf{image: found.Image, index: found.Index, InspectedPlatform: p})
		}
		bakes[i].platforms = append(bakes[i].platforms, p.Platform)
	}
	return bakes
}

// sameBake reports whether two platforms differ in nothing but what platforms
// always differ in: their own manifest and their base's.
func sameBake(a, b bake.InspectedPlatform) bool {
	for _, p := range []*bake.InspectedPlatform{&a, &b} {
		p.Platform, p.Digest, p.Record = "", b.Digest, nil
		p.Base.Digest, p.Base.Layers = nil, 0
	}
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && reflect.DeepEqual(x, y)
}
