// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

type args = map[string]string

func TestFrom(t *testing.T) {
	for name, c := range map[string]struct {
		text            string
		args            args
		target          string
		image, platform string
	}{
		"plain":              {text: "FROM a/b:1@sha256:00", image: "a/b:1@sha256:00"},
		"stage name":         {text: "from a AS engine", image: "a"},
		"default":            {text: "ARG TAG=1\nFROM a:$TAG", image: "a:1"},
		"default of default": {text: "ARG A=x B=2\nARG TAG=${A}-$B\nFROM a:$TAG", image: "a:x-2"},
		"build argument":     {text: "ARG TAG=1\nFROM a:${TAG}", args: args{"TAG": "2"}, image: "a:2"},
		"only declared ones": {text: "FROM a:${TAG:-1}", args: args{"TAG": "2"}, image: "a:1"},
		"pattern":            {text: "ARG V=1.10.0\nFROM a:${V%.*}-${V//./_}", image: "a:1.10-1_10_0"},
		"platform":           {text: "FROM --platform=linux/arm64/v8 a", image: "a", platform: "linux/arm64"},
		"short platform":     {text: "FROM --platform=aarch64 a", image: "a", platform: "linux/arm64"},
		"platform variable":  {text: "ARG P=linux/arm/v7\nFROM --platform=$P a", image: "a", platform: "linux/arm/v7"},
		"target":             {text: "FROM --platform=$TARGETPLATFORM a", target: "linux/x86_64", image: "a", platform: "linux/amd64"},
		"every target":       {text: "FROM --platform=${TARGETPLATFORM} a", image: "a"},
		"target in image":    {text: "FROM a:${TARGETOS}-$TARGETARCH$TARGETVARIANT", target: "linux/arm/v7", image: "a:linux-armv7"},
		"build platform":     {text: "FROM --platform=$BUILDPLATFORM a", args: args{"BUILDPLATFORM": "linux/s390x"}, image: "a", platform: "linux/s390x"},
		"escape":             {text: "# escape=`\nARG A=x\nFROM a:`\n$A", image: "a:x"},
		"mirrored frontend":  {text: "# syntax=registry.example.com/hub/docker/dockerfile:1.7-labs@sha256:00\nFROM a", image: "a"},
		"check comments":     {text: "# a\n# check=skip=all;error=true\nFROM a\n# check=skip=x\nLABEL a=b", image: "a"},
		"carriage returns":   {text: "ARG A=1\r\nFROM a:$A\r\nENV A=b \\\r\n C=d\r\n", image: "a:1"},
		"byte order mark":    {text: "\ufeffFROM a", image: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := dockerfile.Parse([]byte(c.text), "Dockerfile")
			if err != nil {
				t.Fatal(err)
			}
			opts := dockerfile.Options{BuildArgs: c.args, Platform: c.target}
			image, platform, err := f.From(opts)
			if err != nil || image != c.image || platform != c.platform {
				t.Errorf("got %q, %q, %v; want %q, %q", image, platform, err, c.image, c.platform)
			}
			spec, _, err := f.Spec(opts)
			if err != nil || spec.Base != c.image || c.platform != "" && spec.Platforms[0] != c.platform {
				t.Errorf("spec has base %q, platforms %q, %v", spec.Base, spec.Platforms, err)
			}
		})
	}
}

func TestFromProblems(t *testing.T) {
	const target = "TARGETARCH has no value: no platform is chosen (give one with --platform)"
	const build = "BUILDPLATFORM and its parts have no value; crane-bake runs nothing, so it builds on no platform (write TARGETPLATFORM, or leave it out)"
	for name, c := range map[string]struct {
		text string
		opts dockerfile.Options
		want []string
	}{
		"no value":          {text: "ARG BASE\nFROM ${BASE}", want: []string{"2: FROM ${BASE} names no image (give --build-arg BASE=IMAGE, or a default above: ARG BASE=IMAGE)"}},
		"empty":             {text: `FROM ""`, want: []string{`1: FROM "" names no image (name the engine image)`}},
		"syntax":            {text: "ARG A=${\nFROM ${A", want: []string{`1: "${": syntax error: missing '}'`, `2: "${A": syntax error: missing '}'`}},
		"required":          {text: "FROM ${A:?unset}", want: []string{`1: "${A:?unset}": A: unset`}},
		"platform":          {text: "FROM --platform=a/b/c/d a", want: []string{`1: platform "a/b/c/d": want OS/ARCH[/VARIANT]`}},
		"empty platform":    {text: "ARG P\nFROM --platform=$P a", want: []string{`2: platform "": want OS/ARCH[/VARIANT]`}},
		"build platform":    {text: "FROM --platform=$BUILDPLATFORM a", want: []string{"1: " + build}},
		"no target":         {text: "FROM a:$TARGETARCH", want: []string{"1: " + target}},
		"no target, later":  {text: "FROM a\nARG TARGETARCH\nLABEL a=$TARGETARCH", want: []string{"3: " + target}},
		"no target, in ARG": {text: "ARG A=$TARGETARCH\nFROM a", want: []string{"1: " + target}},
		"binary argument": {text: "FROM a", opts: dockerfile.Options{BuildArgs: args{"A": "\xff", "B": "a\x00"}}, want: []string{
			`0: build argument "A" is not UTF-8 text`, `0: build argument "B" is not UTF-8 text`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, problems(t, c.text, c.opts)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTargetOfFrom(t *testing.T) {
	text := "FROM --platform=linux/arm64 a\nARG TARGETARCH\nARG TARGETPLATFORM TARGETVARIANT=none\nENV A=$TARGETARCH B=$TARGETPLATFORM C=$TARGETVARIANT\n"
	for target, want := range map[string]args{
		"":             {"A": "arm64", "B": "linux/arm64", "C": "none"},
		"linux/arm/v7": {"A": "arm", "B": "linux/arm/v7", "C": "none"},
	} {
		got := evaluate(t, text, dockerfile.Options{Platform: target})
		if diff := cmp.Diff(want, got.Env); diff != "" {
			t.Errorf("platform %q (-want +got):\n%s", target, diff)
		}
	}
}
