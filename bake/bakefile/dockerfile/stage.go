// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// baseName is what FROM says.
type baseName struct{ image, platform string }

// stage expands FROM. args are the values of the global scope: those of ARG
// above FROM, and of the variables that describe platforms.
func (f *File) stage(opts Options, ps *problems) (args map[string]string, base baseName) {
	for _, name := range slices.Sorted(maps.Keys(opts.BuildArgs)) {
		if v := opts.BuildArgs[name]; !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			ps.add(0, fmt.Sprintf("build argument %q is not UTF-8 text", name), "")
		}
	}
	args = map[string]string{"TARGETSTAGE": "default"}
	if opts.Platform != "" {
		setTarget(args, opts.Platform)
	}
	for _, name := range automatic {
		if v, ok := opts.BuildArgs[name]; ok {
			args[name] = v
		}
	}
	x := newExpander(f.escape)
	lookup := func(name string) (string, bool, error) {
		v, ok := args[name]
		if !ok {
			return "", false, checkAutomatic(name)
		}
		return v, true, nil
	}
	for _, n := range f.global {
		for _, a := range command(n).(*instructions.ArgCommand).Args {
			if v, ok := opts.BuildArgs[a.Key]; ok {
				args[a.Key] = v
			} else if a.Value != nil {
				v, err := x.word(*a.Value, lookup)
				if err != nil {
					ps.addError(n.StartLine, err)
				}
				args[a.Key] = v
			}
		}
	}
	base = f.expandFrom(args, x, lookup, ps)
	if opts.Platform == "" && base.platform != "" {
		target := map[string]string{}
		setTarget(target, base.platform)
		for name, v := range target {
			if _, ok := args[name]; !ok {
				args[name] = v
			}
		}
	}
	return args, base
}

func (f *File) expandFrom(args map[string]string, x *expander, lookup lookup, ps *problems) (base baseName) {
	from := command(f.from).(*instructions.Stage)
	at := f.from.StartLine
	image, err := x.word(from.BaseName, lookup)
	switch {
	case err != nil:
		ps.addError(at, err)
	case image == "":
		hint := "name the engine image"
		if name := strings.Trim(from.BaseName, "${}"); name != from.BaseName {
			hint = fmt.Sprintf("give --build-arg %s=IMAGE, or a default above: ARG %s=IMAGE", name, name)
		}
		ps.add(at, fmt.Sprintf("FROM %s names no image", from.BaseName), hint)
	case image == "scratch":
		ps.refuse(at, scratch)
	}
	// All platforms are targets where none is chosen.
	_, chosen := args["TARGETPLATFORM"]
	if from.Platform == "" || !chosen && strings.Trim(from.Platform, "${}") == "TARGETPLATFORM" {
		return baseName{image: image}
	}
	platform, err := x.word(from.Platform, lookup)
	if err == nil {
		platform, err = normalPlatform(platform)
	}
	if err != nil {
		ps.addError(at, err)
	}
	return baseName{image, platform}
}

// command is a node that Parse has found to be good.
func command(n *parser.Node) any {
	c, err := instructions.ParseInstruction(n)
	if err != nil {
		panic(err)
	}
	return c
}

// automatic are the variables that a builder sets, besides TARGETSTAGE.
var automatic = []string{
	"BUILDARCH", "BUILDOS", "BUILDOSVERSION", "BUILDPLATFORM", "BUILDVARIANT",
	"TARGETARCH", "TARGETOS", "TARGETOSVERSION", "TARGETPLATFORM", "TARGETVARIANT",
}

// checkAutomatic is why name has no value, if it is one of automatic.
func checkAutomatic(name string) error {
	switch {
	case !slices.Contains(automatic, name):
		return nil
	case strings.HasPrefix(name, "BUILD"):
		return buildPlatform.fault()
	}
	return &fault{message: name + " has no value: no platform is chosen", hint: "give one with --platform"}
}

// setTarget sets the variables that describe platform, which may be wrong: it
// comes from a flag, and is refused where that is read.
func setTarget(args map[string]string, platform string) {
	if p, err := normalPlatform(platform); err == nil {
		platform = p
	}
	parts := append(strings.SplitN(platform, "/", 3), "", "")
	args["TARGETPLATFORM"] = platform
	args["TARGETOS"], args["TARGETARCH"], args["TARGETVARIANT"] = parts[0], parts[1], parts[2]
	args["TARGETOSVERSION"] = ""
}

// architectures are other names of the architectures of OCI.
var architectures = map[string]string{
	"aarch64": "arm64", "arm64/v8": "arm64", "armel": "arm/v6", "armhf": "arm/v7", "i386": "386",
	"x86-64": "amd64", "x86_64": "amd64",
}

// normalPlatform is s as OS/ARCH[/VARIANT]; Docker lets linux go without
// saying.
func normalPlatform(s string) (string, error) {
	os, arch, ok := strings.Cut(strings.ToLower(s), "/")
	if !ok && os != "linux" {
		os, arch = "linux", os
	}
	if a, ok := architectures[arch]; ok {
		arch = a
	}
	parts := strings.Split(arch, "/")
	if os == "" || len(parts) > 2 || slices.Contains(parts, "") {
		return "", fmt.Errorf("platform %s: want OS/ARCH[/VARIANT]", clip(s))
	}
	return os + "/" + arch, nil
}
