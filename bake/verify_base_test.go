// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// inConfig changes the part of the config that a container runs with.
func inConfig(change func(config map[string]any)) func(config, manifest map[string]any) {
	return func(config, _ map[string]any) { change(config["config"].(map[string]any)) }
}

// layersOf is an image some of whose layers are another one's.
type layersOf struct {
	v1.Image
	other v1.Image
}

func (l layersOf) Layers() ([]v1.Layer, error) {
	m, err := l.Manifest()
	if err != nil {
		return nil, err
	}
	var layers []v1.Layer
	for _, desc := range m.Layers {
		one, err := l.other.LayerByDigest(desc.Digest)
		if err != nil {
			one, err = l.Image.LayerByDigest(desc.Digest)
		}
		if err != nil {
			return nil, err
		}
		layers = append(layers, one)
	}
	return layers, nil
}

// What an image says of itself fits together in all of these; the base tells.
func TestVerifyTamperedBase(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3})
	srv := startWith(t, registrytest.Options{}, base)
	foreign := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3, Seed: 9})
	srv.Push(t, "team/base:foreign", foreign)
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	baked := pullImage(t, srv.Host+"/team/scorer:1")
	own, other := manifestOf(t, base).Layers, manifestOf(t, foreign).Layers
	descriptor := func(d v1.Descriptor) map[string]any {
		return map[string]any{"mediaType": d.MediaType, "digest": d.Digest.String(), "size": d.Size}
	}
	layerOf := func(n int, got v1.Descriptor, want string) string {
		return "base layer " + got.Digest.String() + ": layer " + string(rune('1'+n)) + " of the base is " + want
	}
	for _, tc := range []struct {
		name   string
		change func(config, manifest map[string]any)
		want   []string
	}{
		{"a layer of other content", func(_, manifest map[string]any) {
			manifest["layers"].([]any)[1] = descriptor(other[1])
		}, []string{layerOf(1, other[1], own[1].Digest.String())}},
		{"a layer of other content, record and config after it", func(config, manifest map[string]any) {
			manifest["layers"].([]any)[1] = descriptor(other[1])
			diffIDs := config["rootfs"].(map[string]any)["diff_ids"].([]any)
			diffIDs[1] = configOf(t, foreign).RootFS.DiffIDs[1].String()
			chain := diffIDs[0].(string)
			for _, diffID := range diffIDs[1:3] {
				chain = digestOfBytes(t, []byte(chain+" "+diffID.(string))).String()
			}
			inRecord(t, chainID(t, base), chain)(config, manifest)
		}, []string{layerOf(1, other[1], own[1].Digest.String())}},
		{"layers swapped", func(_, manifest map[string]any) {
			layers := manifest["layers"].([]any)
			layers[0], layers[1] = layers[1], layers[0]
		}, []string{layerOf(0, own[1], own[0].Digest.String()), layerOf(1, own[0], own[1].Digest.String())}},
		{"user", inConfig(func(c map[string]any) { c["User"] = "0" }), []string{`setting User: is "0" without the bake, in the base "1000"`}},
		{"no user", inConfig(func(c map[string]any) { delete(c, "User") }), []string{`setting User: is null without the bake, in the base "1000"`}},
		{"entrypoint", inConfig(func(c map[string]any) { c["Entrypoint"] = []string{"/bin/sh"} }), []string{
			`setting Entrypoint: is ["/bin/sh"] without the bake, in the base ["/engine"]`,
		}},
		{"a further variable", inConfig(func(c map[string]any) { c["Env"] = append(c["Env"].([]any), "LD_PRELOAD=/assets/x.so") }), []string{
			"variable LD_PRELOAD: is set, neither by the base nor by the bake",
		}},
		{"another value", inEnv(t, "ENGINE_HOME=/fastscore", "ENGINE_HOME=/assets"), []string{
			"variable ENGINE_HOME: has another value than in the base, and the bake did not set it",
		}},
		{"no variable", inEnv(t, `"ENGINE_HOME=/fastscore",`, ""), []string{"variable ENGINE_HOME: is not set, which the base does"}},
		{"a variable of the bake twice", inConfig(func(c map[string]any) { c["Env"] = append(c["Env"].([]any), "MODEL=/assets/model.py3") }), []string{
			"variable MODEL: is set 2 times, by the bake once",
		}},
		{"a variable of the base twice", inConfig(func(c map[string]any) { c["Env"] = append(c["Env"].([]any), "ENGINE_HOME=/fastscore") }), []string{
			"variable ENGINE_HOME: is set 2 times, in the base 1",
		}},
		{"a label", inConfig(func(c map[string]any) { c["Labels"].(map[string]any)["maintainer"] = "me" }), []string{
			"label maintainer: has another value than in the base, and the bake did not set it",
		}},
		{"history", inHistory(func(h []any) []any {
			h[0].(map[string]any)["created_by"] = "nothing of interest"
			return h
		}), []string{"history: that of the base is another"}},
		{"creation", func(config, _ map[string]any) { config["created"] = "2026-01-01T00:00:00Z" }, []string{
			`config created: is "2026-01-01T00:00:00Z" without the bake, in the base "2020-02-20T20:02:20.123456789Z"`,
		}},
		{"a member that nobody knows", func(config, _ map[string]any) { config["x-engine-suites"] = "a" }, []string{
			`config x-engine-suites: is "a" without the bake, in the base ["<pfa>",null,1.5]`,
		}},
		{"another base", inRecord(t, `"digest":"`+digestOf(t, base).String(), `"digest":"`+digestOf(t, foreign).String()), []string{
			"annotation " + baseDigest + `: is "` + digestOf(t, base).String() + `", the record says "` + digestOf(t, foreign).String() + `"`,
			layerOf(0, own[0], other[0].Digest.String()), layerOf(1, own[1], other[1].Digest.String()), layerOf(2, own[2], other[2].Digest.String()),
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ref := srv.Push(t, "team/scorer:edited", layersOf{edit(t, baked, tc.change), foreign})
			v, err := bake.Verify(t.Context(), srv.Host+"/team/scorer@"+ref.DigestStr(), nil, bake.VerifyOptions{})
			mismatches(t, v, err, tc.want)
			failed := slices.ContainsFunc(v.Platforms[0].Checks, func(c bake.VerifiedCheck) bool { return c.Check == "base" && c.Result == bake.CheckFailed })
			if !failed {
				t.Errorf("checks %+v, want base failed", v.Platforms[0].Checks)
			}
		})
	}
}

// An image is often verified where its base cannot be read.
func TestVerifyWithoutBase(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  registrytest.Fault
		reason string
	}{
		{"unreachable", registrytest.Fault{Before: true}, "EOF"},
		{"failing", registrytest.Fault{Status: http.StatusServiceUnavailable}, "503"},
		{"denied", registrytest.Fault{Status: http.StatusUnauthorized}, "401"},
		{"forbidden", registrytest.Fault{Status: http.StatusForbidden}, "403"},
		{"gone", registrytest.Fault{Status: http.StatusNotFound}, "404"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
			doBake(t, spec)
			img := pullImage(t, srv.Host+"/team/scorer:1")
			// The record names the base at the first registry; the second one has it not.
			broken := registrytest.Start(t, registrytest.Options{Faults: func(_ int, r *http.Request) registrytest.Fault {
				if strings.HasPrefix(r.URL.Path, "/v2/team/base/") {
					return tc.fault
				}
				return registrytest.Fault{}
			}})
			renamed := edit(t, img, func(config, manifest map[string]any) {
				inRecord(t, srv.Host+"/team/base:1", broken.Host+"/team/base:1")(config, manifest)
				inAnnotations(baseName, broken.Host+"/team/base:1")(config, manifest)
			})
			if err := remote.Write(reference(t, srv.Host+"/team/scorer:renamed"), renamed); err != nil {
				t.Fatal(err)
			}
			v, err := bake.Verify(t.Context(), srv.Host+"/team/scorer:renamed", bake.NewRemote(bake.RemoteOptions{Retries: -1}), bake.VerifyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(v.Notes) != 1 || !strings.HasPrefix(v.Notes[0], "the base cannot be read, and was not compared: ") || strings.Count(v.Notes[0], broken.Host+"/team/base") != 1 || !strings.Contains(v.Notes[0], tc.reason) {
				t.Errorf("notes %q, want one that says %q", v.Notes, tc.reason)
			}
			for _, c := range v.Platforms[0].Checks {
				if skipped := c.Check == "base"; skipped != (c.Result == bake.CheckSkipped) || skipped && !strings.Contains(c.Reason, tc.reason) {
					t.Errorf("check %+v", c)
				}
			}
		})
	}
}
