// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

// isDockerfile reports whether a file is a Dockerfile by its name, as docker
// and podman name them.
func isDockerfile(file string) bool {
	base := strings.ToLower(path.Base(file))
	for _, name := range []string{"dockerfile", "containerfile"} {
		if base == name || strings.HasPrefix(base, name+".") || strings.HasSuffix(base, "."+name) {
			return true
		}
	}
	return false
}

// baseConfigs reads the config of a base image for a Dockerfile that refers to
// it. A check has none: it touches no registry.
type baseConfigs func(ctx context.Context, image string, platforms []string) (*dockerfile.BaseConfig, error)

// loadDockerfile reads the bake that a Dockerfile describes.
func (f *specFlags) loadDockerfile(ctx context.Context, host *hostFS, file string, bases baseConfigs) ([]namedSpec, error) {
	text, err := readSmall(host, file)
	if err != nil {
		return nil, err
	}
	parsed, err := dockerfile.Parse(text, file)
	if err != nil {
		return nil, err
	}
	dir := f.context
	if dir == "" {
		dir = path.Dir(file)
	}
	dir = path.Clean(filepath.ToSlash(dir))
	if err := host.addTree(dir); err != nil {
		return nil, fmt.Errorf("reading the build context %w", fileError(dir, err))
	}
	opts := dockerfile.Options{Context: subFS{host, dir}}
	if opts.BuildArgs, err = parsePairs("--build-arg", "NAME=VALUE", f.buildArgs); err != nil {
		return nil, err
	}
	if opts.Ignore, err = readIgnore(host, file, dir); err != nil {
		return nil, fmt.Errorf("reading the ignore file %w", err)
	}
	if len(f.platforms) == 1 {
		opts.Platform = f.platforms[0]
	}
	spec, err := f.dockerfileSpec(ctx, parsed, opts, bases)
	if err != nil {
		return nil, err
	}
	spec.FS = host
	for i, c := range spec.Copies {
		spec.Copies[i] = fromHere(c, host, file, dir)
	}
	return []namedSpec{{Spec: spec}}, nil
}

// dockerfileSpec evaluates a Dockerfile, again with its base's config where it
// refers to that.
func (f *specFlags) dockerfileSpec(ctx context.Context, parsed *dockerfile.File, opts dockerfile.Options, bases baseConfigs) (bake.Spec, error) {
	spec, needsBase, err := parsed.Spec(opts)
	if err != nil || !needsBase || bases == nil {
		return spec, err
	}
	image, platforms := spec.Base, spec.Platforms
	if f.base != "" {
		image = f.base
	}
	if len(f.platforms) > 0 {
		platforms = f.platforms
	}
	if opts.Base, err = bases(ctx, image, platforms); err != nil {
		return spec, err
	}
	spec, _, err = parsed.Spec(opts)
	return spec, err
}

// fromHere names what a Dockerfile in the context dir copies from where the user
// stands, so that findings can be followed.
func fromHere(c bake.Copy, host *hostFS, file, dir string) bake.Copy {
	if c.Path == "" {
		return c // a directory
	}
	if context := (subFS{host, dir}); c.FS != nil && c.FS != fs.FS(context) {
		here := hereFS{c.FS, c.Path, path.Clean(file + "<<" + c.Path)}
		c.FS, c.Path = here, here.as
		return c
	}
	c.FS, c.Path = host, path.Join(dir, c.Path)
	if skip := c.Skip; skip != nil {
		c.Skip = func(name string) bool { return skip(below(dir, name)) }
	}
	return c
}

// maxSmall bounds a Dockerfile and its ignore file, which are written by hand
// or by a small script.
const maxSmall = 1 << 20

// readSmall reads a file whose content will be held in memory.
func readSmall(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fileError(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, errUsage("%s: not a regular file", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err != nil {
		return nil, fileError(name, err)
	}
	if len(content) > maxSmall {
		return nil, errUsage("%s: larger than %d MiB", name, maxSmall>>20)
	}
	return content, nil
}

// readIgnore reads the ignore file of a Dockerfile: its own beside it, else that
// of the context. No symbolic link leads out of either directory.
func readIgnore(host *hostFS, file, context string) ([]byte, error) {
	// A tree of its own: in host, it might be inside of the context.
	beside := newHostFS()
	defer beside.close()
	if err := beside.addTree(path.Dir(file)); err != nil {
		return nil, fileError(path.Dir(file), err)
	}
	patterns, err := readSmall(beside, file+".dockerignore")
	if errors.Is(err, fs.ErrNotExist) {
		patterns, err = readSmall(host, path.Join(context, ".dockerignore"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return []byte{}, nil
	}
	return patterns, err
}

// below is name relative to dir, which holds it.
func below(dir, name string) string {
	if dir == "." {
		return name
	}
	return strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
}

// remoteBases reads base configs through remote.
func remoteBases(remote *bake.Remote) baseConfigs {
	return func(ctx context.Context, image string, platforms []string) (*dockerfile.BaseConfig, error) {
		var chosen []v1.Platform
		for _, p := range platforms {
			platform, err := v1.ParsePlatform(p)
			if err != nil {
				return nil, errUsage("platform %q: want OS/ARCH[/VARIANT]", p)
			}
			chosen = append(chosen, *platform)
		}
		if image == "" {
			image = bake.DefaultBase
		}
		base, err := bake.Open(ctx, image, remote, chosen...)
		if err != nil {
			return nil, err
		}
		defer base.Close()
		config, err := base.ConfigFile()
		if err != nil {
			return nil, err
		}
		c := config.Config
		return &dockerfile.BaseConfig{Env: c.Env, WorkingDir: c.WorkingDir, User: c.User, Cmd: c.Cmd, Shell: c.Shell}, nil
	}
}

// subFS is the part of a host's files below dir, under names relative to it.
type subFS struct {
	host *hostFS
	dir  string
}

func (s subFS) Open(name string) (fs.File, error) { return s.host.Open(path.Join(s.dir, name)) }

func (s subFS) Stat(name string) (fs.FileInfo, error) { return s.host.Stat(path.Join(s.dir, name)) }

func (s subFS) Lstat(name string) (fs.FileInfo, error) { return s.host.Lstat(path.Join(s.dir, name)) }

func (s subFS) ReadLink(name string) (string, error) { return s.host.ReadLink(path.Join(s.dir, name)) }

func (s subFS) ReadDir(name string) ([]fs.DirEntry, error) {
	return s.host.ReadDir(path.Join(s.dir, name))
}

// hereFS is a here-document under a name of its own, DOCKERFILE<<NAME: findings
// about it must not be taken for those of a file NAME.
type hereFS struct {
	document fs.FS
	name, as string
}

func (h hereFS) Open(name string) (fs.File, error) {
	if name == h.as {
		name = h.name
	}
	return h.document.Open(name)
}
