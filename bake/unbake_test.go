// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A record of what no bake records is refused whoever reads it.
func TestUnsoundRecord(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{})
	srv := startWith(t, registrytest.Options{}, base)
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	baked := pullImage(t, srv.Host+"/team/scorer:1")
	sum := sha256Hex(scorerFiles()["rest.json"].Data)
	commands := map[string]func(ctx context.Context, ref string) error{
		"inspect": func(ctx context.Context, ref string) error {
			_, err := bake.Inspect(ctx, ref, nil, bake.InspectOptions{})
			return err
		},
		"extract": func(ctx context.Context, ref string) error {
			_, err := bake.Extract(ctx, ref, filepath.Join(t.TempDir(), "out"), nil, bake.ExtractOptions{})
			return err
		},
		"diff": func(ctx context.Context, ref string) error {
			_, err := bake.Compare(ctx, srv.Host+"/team/scorer:1", ref, nil, bake.CompareOptions{})
			return err
		},
		"verify": func(ctx context.Context, ref string) error {
			_, err := bake.Verify(ctx, ref, nil, bake.VerifyOptions{})
			return err
		},
		"rebase": func(ctx context.Context, ref string) error {
			_, err := bake.Rebase(ctx, ref, nil, bake.RebaseOptions{Base: srv.Host + "/team/base:1"}, srv.Host+"/team/new:1")
			return err
		},
		"rebind": func(ctx context.Context, ref string) error {
			_, err := bake.Rebind(ctx, ref, nil, bake.RebindOptions{Labels: map[string]string{"a": "b"}}, srv.Host+"/team/new:1")
			return err
		},
	}
	const stream = `"role":"stream","name":"0","path":"/assets/rest.json","size":`
	for i, tc := range []struct{ old, new, says string }{
		{`"role":"stream"`, `"role":"boss"`, `role "boss", path "/assets/rest.json": no such role`},
		{`"role":"stream"`, `"role":"stream\u001b[2J"`, `role "stream\x1b[2J"`},
		{`"name":"0"`, `"name":"zero"`, `name "zero"`},
		{`"name":"0"`, `"name":"-2"`, `name "-2"`},
		{`"name":"input"`, `"name":"in\u0000put"`, `name "in\x00put"`},
		{`"/assets/rest.json"`, `"assets/rest.json"`, "the path is none of a file"},
		{`"/assets/rest.json"`, `"/assets/../rest.json"`, "the path is none of a file"},
		{stream, stream + "-", "bytes"},
		{sum, sum[:63], `sha256 "` + sum[:63] + `"`},
		{sum, strings.ToUpper(sum), "sha256"},
		{sum, "", `sha256 ""`},
		{sum, `link:a","tree":true,"x":"`, `sha256 "link:a"`},
		{stream, `"files":-1,` + stream, "-1 files"},
		{stream, `"files":2,` + stream, "2 files"},
		{`"assetsDir":"/assets"`, `"assetsDir":"assets"`, `the assets directory "assets"`},
		{`"assetsDir":"/assets"`, `"assetsDir":"/"`, `the assets directory "/"`},
	} {
		ref := srv.Push(t, fmt.Sprintf("team/scorer:unsound%d", i), edit(t, baked, inRecord(t, tc.old, tc.new))).String()
		for name, run := range commands {
			if err := run(t.Context(), ref); !errors.Is(err, bake.ErrIntegrity) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "digest") {
				t.Errorf("%s with %s: got %v, want %q", name, tc.new, err, tc.says)
			}
		}
	}
}

// Bytes that are the right ones and no layer are what is wrong with the image,
// which is named once.
func TestNoLayer(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Env: []string{"MODEL=/assets/model.py3"}})
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	for i, tc := range []struct {
		content []byte
		says    string
	}{
		{[]byte(strings.Repeat("no tar ", 512)), "tar"},
		{tarOfHeaders(t, reg("../x")), `entry "../x": name has ".." in it`},
		{sized(t, 1<<40), "is truncated"},
	} {
		image := must[v1.Image](t)(mutate.AppendLayers(base, static.NewLayer(tc.content, types.OCIUncompressedLayer)))
		ref := srv.Push(t, fmt.Sprintf("team/broken:%d", i), image).String()
		_, inspecting := bake.Inspect(t.Context(), ref, nil, bake.InspectOptions{})
		_, extracting := bake.Extract(t.Context(), ref, filepath.Join(t.TempDir(), "out"), nil, bake.ExtractOptions{})
		_, comparing := bake.Compare(t.Context(), ref, srv.Push(t, "team/broken:a", edit(t, image, func(config, _ map[string]any) { config["author"] = "me" })).String(), nil, bake.CompareOptions{})
		_, verifying := bake.Verify(t.Context(), ref, nil, bake.VerifyOptions{})
		for what, err := range map[string]error{"inspect": inspecting, "extract": extracting, "diff": comparing, "verify": verifying} {
			if !errors.Is(err, bake.ErrIntegrity) || !strings.Contains(err.Error(), tc.says) || strings.Count(err.Error(), "team/broken") != 1 {
				t.Errorf("%s: got %v, want %q", what, err, tc.says)
			}
		}
	}
}

// An old base helps nobody who has no bake to put on a new one.
func TestRebaseOfNothing(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	_, err := bake.Rebase(t.Context(), srv.Host+"/team/base:1", nil, bake.RebaseOptions{Base: srv.Host + "/team/base:1"}, srv.Host+"/team/new:1")
	if !errors.Is(err, bake.ErrNotFound) || !strings.Contains(err.Error(), "nothing is baked into it") || strings.Contains(err.Error(), "old base") {
		t.Errorf("got %v", err)
	}
}
