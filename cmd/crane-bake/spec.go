// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

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
	fs.StringArrayVarP(&f.tags, "tag", "t", nil, "`IMAGE` publish to this image location; repeatable")
	fs.StringVar(&f.compression, "compression", "", "`gzip|zstd|none[:LEVEL]` compression of the layers; default gzip")
	fs.StringVar(&f.layers, "layers", "", "`auto|class|single` how files are spread over layers; default auto: a class of files of 1 MiB or more has its own")
}

func (f *specFlags) registerWhat(fs *pflag.FlagSet) {
	fs.StringVarP(&f.file, "file", "f", "", "`FILE` bake.yaml or Dockerfile; default ./bake.yaml where no --model is given")
	fs.StringVar(&f.context, "context", "", "`DIR` directory that a Dockerfile copies from; default the Dockerfile's own")
	fs.StringArrayVar(&f.buildArgs, "build-arg", nil, "`NAME=VALUE` set a Dockerfile's ARG; repeatable")
	fs.StringVar(&f.profile, "profile", "", "`NAME` merge this profile of the bake file over the rest")
	fs.StringVarP(&f.base, "base", "b", "", "`IMAGE` engine image; default "+bake.DefaultBase)
	fs.StringVarP(&f.model, "model", "m", "", "`FILE` model file; its extension selects the runner")
	fs.StringArrayVarP(&f.schemas, "schema", "s", nil, "`NAME=FILE` bind a schema; repeatable")
	fs.StringArrayVar(&f.streams, "stream", nil, "`SLOT=FILE` bind a stream descriptor; repeatable")
	fs.StringArrayVar(&f.attachments, "attachment", nil, "`FILE` bake an archive and list it in ATTACHMENTS; repeatable")
	fs.StringArrayVar(&f.unpack, "unpack", nil, "`FILE[=DIR]` unpack an archive under the assets directory; write \\= for an = of FILE; repeatable")
	fs.StringArrayVar(&f.assets, "asset", nil, "`PATH[=DEST]` bake a further file or directory; write \\= for an = of PATH; repeatable")
	fs.StringVar(&f.connectPrefix, "connect-prefix", "", "`URL` base URL of Connect; default the base's own, else "+bake.DefaultConnectPrefix)
	fs.StringVar(&f.assetsDir, "assets-dir", "", "`DIR` in-image directory of the files; default "+bake.DefaultAssetsDir)
	fs.StringArrayVarP(&f.env, "env", "e", nil, "`K=V` set an environment variable; repeatable")
	fs.StringArrayVarP(&f.labels, "label", "l", nil, "`K=V` set an image label; repeatable")
	fs.StringArrayVar(&f.annotations, "annotation", nil, "`K=V` set a manifest annotation; repeatable")
	fs.StringSliceVar(&f.platforms, "platform", nil, "`OS/ARCH[/VARIANT]` choose a platform of the base; repeatable; default all")
	fs.StringSliceVar(&f.allow, "allow", nil, "`RULE[,RULE]` rules of the check whose findings do not count; repeatable")
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
		return nil, fmt.Errorf("reading %w", fileError(file, err))
	}
	bakes, err := bakefile.Load(host, file, bakefile.Options{Profile: f.profile, Names: names, LookupEnv: env.lookup, ModelGiven: f.model != ""})
	var path *fs.PathError
	if errors.As(err, &path) {
		return nil, fmt.Errorf("reading bake file %w", fileError(file, err))
	}
	if err != nil {
		return nil, err
	}
	specs := make([]namedSpec, len(bakes))
	for i, b := range bakes {
		specs[i] = namedSpec{b.Name, b.Spec}
	}
	return specs, nil
}
