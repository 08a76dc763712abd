// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
)

// environment is what the example binds, as an engine reads it.
var environment = []string{
	"MODEL=/assets/model.py3", "SCHEMAS=inputsch:/assets/input.avsc;outputsch:/assets/output.avsc",
	"STREAMS=0:/assets/rest.json;1:/assets/kafka.json", "CONNECT_PREFIX=https://connect:8001",
}

// craneBake bakes a tar of the five files, and of more, with crane.
func (l *lab) craneBake(at place, tar, image string, more ...string) command {
	args := []string{l.crane, "mutate", at.from + "/" + baseName, "--append", tar, "-t", at.to + "/" + image}
	for _, e := range environment {
		args = append(args, "-e", e)
	}
	return command{args: append(args, more...)}
}

// ownBake bakes the five files, and what more flags say.
func (l *lab) ownBake(at place, image string, more ...string) command {
	return command{args: append([]string{
		l.own, "build", "-b", at.from + "/" + baseName, "-t", at.to + "/" + image,
		"-m", l.files.path("model.py3"),
		"-s", "inputsch=" + l.files.path("input.avsc"), "-s", "outputsch=" + l.files.path("output.avsc"),
		"--stream", "0=" + l.files.path("rest.json"), "--stream", "1=" + l.files.path("kafka.json"),
	}, more...)}
}

// tarFile is where a row puts the tar for crane.
func (l *lab) tarFile(name string) string { return filepath.Join(l.dir, name+".tar") }
