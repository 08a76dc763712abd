// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// buildah is the peer that unpacks images: contender bakes the same files with
// a Dockerfile. Its store has the base from the second run on.
func (l *lab) buildah(image func(n int) string, more ...string) contender {
	return contender{name: "buildah", optional: true, run: func(ctx context.Context, at place, n int) (usage, error) {
		dir, err := l.scratch("buildah")
		if err != nil {
			return usage{}, err
		}
		defer os.RemoveAll(dir)
		policy := filepath.Join(dir, "policy.json")
		if err := os.WriteFile(policy, []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o644); err != nil {
			return usage{}, err
		}
		file := filepath.Join(dir, "Dockerfile")
		if err := os.WriteFile(file, dockerfile(append(append([]string{}, small...), more...)), 0o644); err != nil {
			return usage{}, err
		}
		store := filepath.Join(l.dir, "buildah-store")
		buildah := func(args ...string) command {
			return command{args: append([]string{"buildah", "--storage-driver", "vfs", "--root", store, "--runroot", store + "-run"}, args...)}
		}
		tag := fmt.Sprintf("bench-%d", n)
		built, err := l.timed(ctx, buildah("bud", "--quiet", "--isolation", "chroot", "--tls-verify=false", "--signature-policy", policy,
			"--format", "docker", "--from", at.from+"/"+baseName, "--tag", tag, "--file", file, l.files.dir))
		if err != nil {
			return usage{}, err
		}
		pushed, err := l.timed(ctx, buildah("push", "--quiet", "--tls-verify=false", "--signature-policy", policy, tag, "docker://"+at.to+"/"+image(n)))
		if err != nil {
			return usage{}, err
		}
		_, err = l.timed(ctx, buildah("rmi", tag))
		return built.then(pushed), err
	}}
}

// dockerfile adds files of the context to the base that buildah is told of.
func dockerfile(files []string) []byte {
	text := "FROM base\nCOPY " + strings.Join(files, " ") + " /assets/\n"
	for _, e := range environment {
		name, value, _ := strings.Cut(e, "=")
		text += fmt.Sprintf("ENV %s=%q\n", name, value)
	}
	return []byte(text)
}
