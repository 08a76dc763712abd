// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
)

// hostileValue fills every string in v that is to be shown.
func hostileValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("a\x1b[31mb\nfake line\tc")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		hostileValue(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			hostileValue(v.Index(0))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[v1.Hash]() {
			v.Set(reflect.ValueOf(v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}))
			return
		}
		for i := range v.NumField() {
			hostileValue(v.Field(i))
		}
	}
}

// clean wants a text that a terminal may have, with no more lines than there
// should be.
func clean(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsRune(text, '\x1b') || strings.Contains(text, "\nfake line") {
		t.Errorf("not printable: %q", text)
	}
}

func TestDiffTextIsPrintable(t *testing.T) {
	var d bake.Difference
	hostileValue(reflect.ValueOf(&d).Elem())
	clean(t, diffText(&d))
	d.Platforms = append(d.Platforms, bake.PlatformDifference{Platform: "x\x1b\n"})
	clean(t, diffText(&d))
}

func TestVerifyTextIsPrintable(t *testing.T) {
	var found bake.Verification
	hostileValue(reflect.ValueOf(&found).Elem())
	found.Platforms = append(found.Platforms, bake.VerifiedPlatform{})
	var b strings.Builder
	if err := (&verify{format: "text"}).write(&b, "image", &found, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "mismatch ") {
		t.Errorf("no mismatch in %q", b.String())
	}
	for _, line := range strings.Split(b.String(), "\n") {
		if strings.ContainsRune(line, '\x1b') || strings.HasPrefix(line, "fake line") {
			t.Errorf("not printable: %q", line)
		}
	}
}

// Each kind of difference, and platforms that share theirs.
func TestDiffText(t *testing.T) {
	digest := func(c string) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(c, 64)} }
	text := func(s string) *string { return &s }
	image := func(c string) bake.ComparedImage {
		return bake.ComparedImage{Image: "r/i@sha256:" + c, Digest: digest(c)}
	}
	env := []bake.Change{{Name: "A", A: text("1"), B: text("2")}}
	layer := func(class string, size int64, c string) bake.ReportLayer {
		return bake.ReportLayer{Class: class, Size: size, Digest: digest(c)}
	}
	base := func(c string) *bake.BaseChange {
		index, manifest := digest("d"), digest(c)
		return &bake.BaseChange{A: bake.InspectedBase{Name: "r/engine:1", Digest: &manifest, Index: &index}, B: bake.InspectedBase{Name: "r/engine:2"}}
	}
	for _, tc := range []struct {
		name string
		d    bake.Difference
		want string
	}{
		{"one digest", bake.Difference{A: image("a"), B: image("a"), Identical: true}, "identical: " + digest("a").String() + "\n"},
		{"the same platform", bake.Difference{A: image("a"), B: image("b"), Identical: true}, "---  r/i@sha256:a\n+++  r/i@sha256:b\n\nidentical for every platform that was compared\n"},
		{
			"platforms",
			bake.Difference{A: image("a"), B: image("b"), OnlyA: []string{"linux/amd64"}, OnlyB: []string{"linux/arm64"}},
			"---  r/i@sha256:a\n+++  r/i@sha256:b\n\nplatforms\n  - linux/amd64\n  + linux/arm64\n",
		},
		{
			"nothing that is baked",
			bake.Difference{A: image("a"), B: image("b"), Platforms: []bake.PlatformDifference{{Platform: "p"}}},
			"---  r/i@sha256:a\n+++  r/i@sha256:b\n\nthe bakes are the same; the images differ in something else\n",
		},
		{
			"grouped",
			bake.Difference{A: image("a"), B: image("b"), Platforms: []bake.PlatformDifference{
				{Platform: "p", Env: env, Base: base("1"), Layers: bake.LayerDifference{OnlyB: []bake.ReportLayer{layer("files", 7, "c")}, NewBytes: 1}},
				{Platform: "q", Env: env, Base: base("2"), Layers: bake.LayerDifference{OnlyB: []bake.ReportLayer{layer("files", 7, "c")}, NewBytes: 2}},
				{Platform: "r", Identical: true},
			}},
			"---  r/i@sha256:a\n+++  r/i@sha256:b\n\np, q:\n\nbase\n  - r/engine:1@" + digest("d").String() + "\n  + r/engine:2\n\nenv\n  ~ A  1 → 2\n\nlayers\n  + files  7 B  sha256:cccccccccccc\n\nr:\nidentical\n",
		},
		{
			"layers and schemas",
			bake.Difference{A: image("a"), B: image("b"), Platforms: []bake.PlatformDifference{{
				Platform: "p",
				Schemas: []bake.SchemaChange{
					{Name: "s", Slots: []int{0, 2}, Direction: bake.DirectionInput, Verdict: bake.SchemaCompatible},
					{Name: "long", Direction: bake.DirectionBoth, Verdict: bake.SchemaNotCompared, Reason: "why"},
				},
				Layers: bake.LayerDifference{
					Shared: []bake.ReportLayer{layer("model", 100, "a")}, OnlyA: []bake.ReportLayer{layer("files", 7, "b")},
					OnlyB: []bake.ReportLayer{layer("files", 8, "c")}, NewBytes: 8,
				},
			}}},
			"---  r/i@sha256:a\n+++  r/i@sha256:b\n\nschemas\n  ~ s     (input, slot 0, 2)  compatible\n  ~ long  (input and output)  not compared: why\n\nlayers\n  = model  100 B  sha256:aaaaaaaaaaaa\n  - files  7 B    sha256:bbbbbbbbbbbb\n  + files  8 B    sha256:cccccccccccc\n  new to a host that has A: 8 B\n",
		},
	} {
		if diff := cmp.Diff(tc.want, diffText(&tc.d)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestVerifiedText(t *testing.T) {
	warning := []finding{{Finding: engine.Finding{Severity: engine.Warning}}}
	two := bake.Verification{Platforms: make([]bake.VerifiedPlatform, 2), Layers: 3, Assets: 5, ReadBytes: 1_200_000, Mismatches: []bake.Mismatch{}}
	broken := two
	broken.Mismatches = make([]bake.Mismatch, 1)
	for _, tc := range []struct {
		v        bake.Verification
		findings []finding
		failed   bool
		want     string
	}{
		{two, nil, false, "verified 2 platforms, 3 layers, 5 assets, 1.2 MB read"},
		{two, warning, false, "verified 2 platforms, 3 layers, 5 assets, 1.2 MB read; 1 warning"},
		{two, warning, true, "not verified: 0 mismatches, 0 errors, 1 warning (2 platforms, 3 layers, 5 assets, 1.2 MB read)"},
		{broken, nil, true, "not verified: 1 mismatch, 0 errors, 0 warnings (2 platforms, 3 layers, 5 assets, 1.2 MB read)"},
	} {
		if got := verifiedText(&tc.v, tc.findings, tc.failed); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
