// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
)

// defaultBakeFile is read where neither --file nor --model is given.
const defaultBakeFile = "bake.yaml"

// specFlags are the flags that say what to bake, and how.
type specFlags struct {
	file, profile string
	context       string
	buildArgs     []string
	base, model   string
	schemas       []string
	streams       []string
	attachments   []string
	unpack        []string
	assets        []string
	connectPrefix string
	assetsDir     string
	env           []string
	labels        []string
	annotations   []string
	platforms     []string
	tags          []string
	compression   string
	layers        string
	allow         []string
}

// register adds all of them; registerWhat those that say what is baked.
func (f *specFlags) register(fs *pflag.FlagSet) {
	f.registerWhat(fs)
	fs.StringArrayVarP(&f.tags, "tag", "t", nil, "`image` location to publish to; repeatable")
	fs.StringVar(&f.compression, "compression", "", "of layers: gzip, zstd or none, with an optional :LEVEL; default gzip")
	fs.StringVar(&f.layers, "layers", "", "auto, class or single; default auto: a class of files of 1 MiB or more has its own layer")
}

func (f *specFlags) registerWhat(fs *pflag.FlagSet) {
	fs.StringVarP(&f.file, "file", "f", "", "bake.yaml or Dockerfile, a `file`; default ./bake.yaml where no --model is given")
	fs.StringVar(&f.context, "context", "", "`directory` that a Dockerfile copies from; default the Dockerfile's own")
	fs.StringArrayVar(&f.buildArgs, "build-arg", nil, "set a Dockerfile's ARG `NAME=VALUE`; repeatable")
	fs.StringVar(&f.profile, "profile", "", "`name` of the bake file's profile to merge over the rest")
	fs.StringVarP(&f.base, "base", "b", "", "engine `image`; default "+bake.DefaultBase)
	fs.StringVarP(&f.model, "model", "m", "", "model `file`; its extension selects the runner")
	fs.StringArrayVarP(&f.schemas, "schema", "s", nil, "bind a schema `NAME=FILE`; repeatable")
	fs.StringArrayVar(&f.streams, "stream", nil, "bind a stream descriptor `SLOT=FILE`; repeatable")
	fs.StringArrayVar(&f.attachments, "attachment", nil, "bake an archive `file` and list it in ATTACHMENTS; repeatable")
	fs.StringArrayVar(&f.unpack, "unpack", nil, "unpack an archive `FILE[=DIR]` under the assets directory; repeatable")
	fs.StringArrayVar(&f.assets, "asset", nil, "bake a further file or directory `PATH[=DEST]`; repeatable")
	fs.StringVar(&f.connectPrefix, "connect-prefix", "", "`URL` of Connect; default the base's own, else "+bake.DefaultConnectPrefix)
	fs.StringVar(&f.assetsDir, "assets-dir", "", "in-image `directory` of the files; default "+bake.DefaultAssetsDir)
	fs.StringArrayVarP(&f.env, "env", "e", nil, "set an environment variable `K=V`; repeatable")
	fs.StringArrayVarP(&f.labels, "label", "l", nil, "set an image label `K=V`; repeatable")
	fs.StringArrayVar(&f.annotations, "annotation", nil, "set a manifest annotation `K=V`; repeatable")
	fs.StringSliceVar(&f.platforms, "platform", nil, "choose `OS/ARCH[/VARIANT]` of the base; repeatable; default all")
	fs.StringSliceVar(&f.allow, "allow", nil, "`rules` of the check whose findings do not count")
}

// namedSpec is a spec and, in a fleet, its name.
type namedSpec struct {
	Name string
	Spec bake.Spec
}

// specs makes the specs that the bake file and the flags describe; flags win.
func (f *specFlags) specs(ctx context.Context, env *environment, host *hostFS, names []string, bases baseConfigs) ([]namedSpec, error) {
	file := f.file
	if file == "" && f.model == "" {
		file = defaultBakeFile
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil, withHint(errUsage("nothing to bake: no --model, and no %s here", defaultBakeFile), "name a model with --model, or a bake file with --file")
		}
	}
	specs := []namedSpec{{Spec: bake.Spec{FS: host}}}
	if file == "" {
		if len(names) > 0 {
			return nil, errUsage("NAME chooses bakes of a fleet file; there is no --file")
		}
		if f.profile != "" {
			return nil, errUsage("--profile chooses a profile of a bake file; there is no --file")
		}
	} else {
		var err error
		if specs, err = f.load(ctx, env, host, file, names, bases); err != nil {
			return nil, err
		}
	}
	for i := range specs {
		if err := f.override(&specs[i].Spec, host); err != nil {
			return nil, err
		}
	}
	return specs, nil
}

// load reads the bake file.
func (f *specFlags) load(ctx context.Context, env *environment, host *hostFS, file string, names []string, bases baseConfigs) ([]namedSpec, error) {
	file = path.Clean(filepath.ToSlash(file))
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return nil, withHint(errUsage("%s is a directory; want a bake file", file), "name the file in it: %s/%s", file, defaultBakeFile)
	}
	if isDockerfile(file) {
		if len(names) > 0 || f.profile != "" {
			return nil, errUsage("a Dockerfile has neither NAMEs nor profiles")
		}
		return f.loadDockerfile(ctx, host, file, bases)
	}
	if f.context != "" || len(f.buildArgs) > 0 {
		return nil, errUsage("--context and --build-arg belong to a Dockerfile; %s is none", file)
	}
	if err := host.addTree(path.Dir(file)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	bakes, err := bakefile.Load(host, file, bakefile.Options{Profile: f.profile, Names: names, LookupEnv: env.lookup, ModelGiven: f.model != ""})
	if err != nil {
		return nil, err
	}
	specs := make([]namedSpec, len(bakes))
	for i, b := range bakes {
		specs[i] = namedSpec{b.Name, b.Spec}
	}
	return specs, nil
}

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
	schemas, err := parsePairs("--schema", "NAME=FILE", f.schemas)
	if err != nil {
		return err
	}
	if err := addAll(host, schemas); err != nil {
		return err
	}
	s.Schemas = merged(s.Schemas, schemas)

	streams, err := parsePairs("--stream", "SLOT=FILE", f.streams)
	if err != nil {
		return err
	}
	if err := addAll(host, streams); err != nil {
		return err
	}
	slots := map[int]string{}
	for text, file := range streams {
		slot, err := strconv.Atoi(text)
		if err != nil || slot < 0 || strconv.Itoa(slot) != text {
			return withHint(errUsage("--stream %s=%s: %q is no slot", text, file, text), "slots are 0, 1, 2 …: even ones are inputs, odd ones outputs")
		}
		slots[slot] = file
	}
	s.Streams = merged(s.Streams, slots)

	for _, a := range f.attachments {
		name, err := host.add(a)
		if err != nil {
			return err
		}
		s.Attachments = append(s.Attachments, name)
	}
	unpack := map[string]string{}
	for _, u := range f.unpack {
		file, dir, _ := strings.Cut(u, "=")
		name, err := host.add(file)
		if err != nil {
			return err
		}
		unpack[name] = dir
	}
	s.Unpack = merged(s.Unpack, unpack)
	for _, text := range f.assets {
		asset, err := bake.ParseAsset(text)
		if err != nil {
			return errUsage("--%v", err)
		}
		if asset.Path, err = host.add(asset.Path); err != nil {
			return err
		}
		s.Assets = append(s.Assets, asset)
	}
	return nil
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
