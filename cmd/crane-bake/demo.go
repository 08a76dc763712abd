// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/examples/scorer"
	"github.com/crane-bake/crane-bake/internal/layer"
)

func demoCommand() *command {
	var seed string
	return &command{
		name: "demo", group: groupRegistry,
		short: "Show the whole main job, offline, on the embedded registry",
		long: `
Starts the embedded registry, puts a stand-in engine for two platforms into it,
bakes examples/scorer onto it, reads the result back, and shows what is in it
and what it took.

With --seed, only the stand-in engine is put somewhere, to try things on it:

  crane-bake registry &
  crane-bake demo --seed localhost:5000/fastscore/engine:1.10`,
		flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&seed, "seed", "", "`IMAGE` put the stand-in engine there, in a registry on loopback, and do no more")
		},
		run: func(ctx context.Context, env *environment, _ []string) error {
			if seed != "" {
				return seedOnly(ctx, env.stdout, seed)
			}
			return demo(ctx, env.stdout)
		},
	}
}

// seedOnly puts the stand-in engine into a registry on loopback. Elsewhere
// somebody would take it for an engine.
func seedOnly(ctx context.Context, w io.Writer, engine string) error {
	ref, err := name.NewTag(engine)
	if err != nil || !onLoopback(ref.RegistryStr()) {
		return errUsage("--seed %q: want HOST:PORT/REPO:TAG in a registry on loopback", engine)
	}
	if err := seedEngine(ctx, w, engine); err != nil {
		return fmt.Errorf("seeding the stand-in engine: %w", err)
	}
	return nil
}

func onLoopback(registry string) bool {
	host, _, err := net.SplitHostPort(registry)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

func demo(ctx context.Context, w io.Writer) (err error) {
	server, err := startRegistry("127.0.0.1:0", "")
	if err != nil {
		return err
	}
	defer func() {
		if serr := server.stop(); err == nil {
			err = serr
		}
	}()
	engine, dst := server.host+"/fastscore/engine:1.10", server.host+"/team/scorer:v1"
	fmt.Fprintf(w, "1  An embedded registry at %s, and in it a stand-in engine:\n", server.host)
	if err := seedEngine(ctx, w, engine); err != nil {
		return fmt.Errorf("seeding the stand-in engine: %w", err)
	}

	bakes, err := bakefile.Load(scorer.Files, "bake.yaml", bakefile.Options{LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil {
		return err
	}
	spec := bakes[0].Spec
	spec.Base, spec.Tags = engine, []string{dst}
	fmt.Fprintf(w, "\n2  Baking examples/scorer onto it, as this command would:\n\n     crane-bake build -f examples/scorer/bake.yaml -b %s -t %s\n\n", engine, dst)
	plan, err := bake.NewPlan(ctx, spec)
	if err != nil {
		return err
	}
	for _, f := range plan.Files() {
		fmt.Fprintf(w, "     %-16s %-22s %7s\n", strings.TrimSpace(string(f.Role)+" "+f.Name), f.Path, size(f.Size))
	}
	start := time.Now()
	report, err := plan.Bake(ctx, nil, bake.Options{})
	if err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Fprintf(w, "\n     %s\n     %s in %.0f ms, %d requests\n", report.Image, moved(report.Transfer), float64(took.Microseconds())/1e3, report.Transfer.Requests)

	fmt.Fprintf(w, "\n3  Reading it back from the registry:\n")
	return readBack(ctx, w, report)
}

// demoLayers is what the stand-in engine is made of.
var demoLayers = []fstest.MapFS{
	{"etc/os-release": {Data: []byte("NAME=\"Stand-in engine\"\n")}},
	{"fastscore/README": {Data: []byte("A stand-in for the engine image: it has its shape, not its program.\n")}},
}

// seedEngine pushes an engine image for two platforms.
func seedEngine(ctx context.Context, w io.Writer, engine string) error {
	ref, err := name.ParseReference(engine)
	if err != nil {
		return err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}} {
		img, err := standInEngine(platform)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platform}})
		fmt.Fprintf(w, "     %s  %s\n", engine, platform)
	}
	return remote.WriteIndex(ref, index, remote.WithContext(ctx))
}

func standInEngine(platform v1.Platform) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, files := range demoLayers {
		entries, err := layer.Walk(files, ".", ".")
		if err != nil {
			return nil, err
		}
		l, err := layer.New(func(yield func(layer.Entry, error) bool) {
			for _, e := range entries {
				if e.Name != "." && !yield(e, nil) {
					return
				}
			}
		}, layer.Options{})
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, l); err != nil {
			return nil, err
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = platform.OS, platform.Architecture
	config.Config = v1.Config{
		User:         "1000",
		WorkingDir:   "/fastscore",
		Entrypoint:   []string{"/fastscore/startup.sh"},
		Env:          []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		ExposedPorts: map[string]struct{}{"8003/tcp": {}},
	}
	return mutate.ConfigFile(img, config)
}

// readBack shows what a container engine would find under the tag.
func readBack(ctx context.Context, w io.Writer, report *bake.Report) error {
	ref, err := name.ParseReference(report.Tags[0])
	if err != nil {
		return err
	}
	index, err := remote.Index(ref, remote.WithContext(ctx))
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "     index         %s\n", digest)
	for _, d := range manifest.Manifests {
		fmt.Fprintf(w, "     %-12s  %s\n", d.Platform, d.Digest)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n   Its environment binds the files:\n")
	env := map[string]string{}
	for _, e := range config.Config.Env {
		k, v, _ := strings.Cut(e, "=")
		env[k] = v
	}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(w, "     %-15s %s\n", k, strings.ReplaceAll(env[k], ";", "\n"+strings.Repeat(" ", 21)))
	}
	fmt.Fprintf(w, "\n   The engine's layers are the base's own; the bake added:\n")
	for _, l := range report.Layers {
		fmt.Fprintf(w, "     %-15s %s  %s\n", l.Class, l.Digest, size(l.Size))
	}
	fmt.Fprintf(w, "\nThe same inputs give the same digest on every machine. Next: crane-bake help build\n")
	return nil
}
