// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// craneModule is the peer, built from its module.
const craneModule = "github.com/google/go-containerregistry/cmd/crane@v0.22.1"

// A lab holds what the rows share.
type lab struct {
	settings
	dir        string // all that is written is below it
	crane, own string // the programs
	registry   *registryProcess
	files      files
}

func newLab(ctx context.Context, s settings) (_ *lab, err error) {
	dir, err := os.MkdirTemp("", "crane-bake-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{settings: s, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if err := l.build(ctx); err != nil {
		return nil, err
	}
	if l.files, err = newFiles(dir); err != nil {
		return nil, err
	}
	l.registry, err = startRegistry(ctx, filepath.Join(dir, "registry"))
	return l, err
}

func (l *lab) build(ctx context.Context) error {
	bin := filepath.Join(l.dir, "bin")
	l.crane, l.own = filepath.Join(bin, "crane"), filepath.Join(bin, "crane-bake")
	commands := [][]string{{"install", craneModule}, {"build", "-trimpath", "-ldflags=-s -w", "-o", l.own, "./cmd/crane-bake"}}
	if l.bin != "" {
		l.own = l.bin
		commands = commands[:1]
	}
	for _, args := range commands {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "GOBIN="+bin, "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %v: %w\n%s", args, err, out)
		}
	}
	return nil
}

func (l *lab) close() error {
	var err error
	if l.registry != nil {
		err = l.registry.stop()
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

// scratch makes an empty directory of the lab.
func (l *lab) scratch(name string) (string, error) {
	return os.MkdirTemp(l.dir, name+"-")
}
