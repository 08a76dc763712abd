// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A program is the command as it was built for one platform.
type program struct {
	platform v1.Platform
	dir      string // has it under programName, and nothing else
	version  string // of the module, as Go derives it from tags and commits
	revision string // the commit
	created  time.Time
}

const programName = "crane-bake"

// build builds the command into dir. What it is built from decides its bytes,
// and the Go release: not the directory, and no setting of the environment.
func build(ctx context.Context, dir string, p v1.Platform) (program, error) {
	name := filepath.Join(dir, programName)
	cmd := goCommand(ctx, "build", "-trimpath", "-ldflags=-s -w", "-buildvcs=true", "-o", name, "./cmd/crane-bake")
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Architecture,
		"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off")
	if _, err := stdout(cmd); err != nil {
		return program{}, fmt.Errorf("building for %s: %w", p, err)
	}
	info, err := buildinfo.ReadFile(name)
	if err != nil {
		return program{}, err
	}
	built, err := fromCommit(info)
	if err != nil {
		return program{}, fmt.Errorf("building for %s: %w", p, err)
	}
	built.platform, built.dir = p, dir
	return built, nil
}

// fromCommit reads what a binary was built from. The go command stamps it only
// in a repository, whatever -buildvcs says, and an image without it would be
// another one.
func fromCommit(info *debug.BuildInfo) (program, error) {
	built := program{version: info.Main.Version}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			built.revision = s.Value
		case "vcs.time":
			at, err := time.Parse(time.RFC3339, s.Value)
			if err != nil {
				return program{}, fmt.Errorf("the commit's time: %w", err)
			}
			built.created = at.UTC()
		}
	}
	if built.revision == "" || built.created.IsZero() {
		return program{}, errors.New("no commit: want a clone of the repository")
	}
	return built, nil
}

// certificates is the content of a PEM file, or of the one that is pinned where
// file is empty: not the machine's, so that every machine makes the same image.
func certificates(ctx context.Context, file string) ([]byte, error) {
	if file != "" {
		return os.ReadFile(file)
	}
	pem, err := stdout(goCommand(ctx, "run", "-C", "internal/selfimage/certificates", "."))
	if err != nil {
		return nil, fmt.Errorf("reading the certificates: %w", err)
	}
	return pem, nil
}

// goCommand is a go command without the flags and the workspace that the user
// may have set. It is the one that runs this program: "go run" puts its own
// directory first on PATH.
func goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	return cmd
}

// stdout runs cmd; its error has what the command complained of.
func stdout(cmd *exec.Cmd) ([]byte, error) {
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, &complaints)
	}
	return out.Bytes(), nil
}
