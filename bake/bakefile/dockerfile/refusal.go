// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

// A refusal is something that Docker knows and a bake does not.
type refusal int

const (
	runs refusal = iota
	secondStage
	scratch
	buildPlatform
	copyFrom
	copyParents
	addURL
	addRemoteOption
	addCompression
	ownerName
	modeLetters
	healthcheck
	onbuild
	frontend
)

// refusals are the texts, which docs/dockerfile.md repeats. reason follows what
// in a sentence; way is the way out.
var refusals = [...]struct{ what, reason, way string }{
	runs: {
		"RUN", "needs a container runtime; crane-bake runs nothing",
		"run it where the base is built, or make its files before the bake and COPY them",
	},
	secondStage: {
		"a second FROM", "needs a container runtime; crane-bake runs nothing",
		"build the other stages with docker build, and COPY what they make or name them in FROM",
	},
	scratch: {
		"FROM scratch", "has no engine to bake into",
		"name an engine image, such as fastscore/engine:1.10",
	},
	buildPlatform: {
		"BUILDPLATFORM", "and its parts have no value; crane-bake runs nothing, so it builds on no platform",
		"write TARGETPLATFORM, or leave it out",
	},
	copyFrom: {
		"COPY --from", "takes files out of an image; crane-bake copies from the build context alone",
		"put the files into the context before the bake",
	},
	copyParents: {
		"COPY --parents", "is not supported",
		"name the directories in the destination: COPY a/b.json /assets/a/",
	},
	addURL: {
		"ADD of a URL", "depends on what the URL serves that day; crane-bake copies from the build context alone",
		"download it before the bake and check its digest, then COPY or ADD the file",
	},
	addRemoteOption: {
		"ADD --checksum or --keep-git-dir", "is for URLs and Git repositories, which crane-bake does not fetch",
		"leave the option out for a file of the context",
	},
	addCompression: {
		"ADD of a bzip2 or xz archive", "is not supported: crane-bake unpacks plain, gzip and zstd archives",
		"compress it with gzip or zstd; COPY, or ADD --unpack=false, leaves it packed",
	},
	ownerName: {
		"--chown by name", "needs the users of the base's file system, which a bake does not read",
		"give numbers, as in --chown=1000:1000",
	},
	modeLetters: {
		"--chmod by letters", "is not supported",
		"give octal digits, as in --chmod=644",
	},
	healthcheck: {
		"HEALTHCHECK", "has no place in an OCI image",
		"declare the probe where the engine is deployed",
	},
	onbuild: {
		"ONBUILD", "has no place in an OCI image",
		"write the instruction into the Dockerfiles that name this image in FROM",
	},
	frontend: {
		"# syntax= of another frontend", "is a program to run; crane-bake runs nothing",
		"write # syntax=docker/dockerfile:1, or leave it out",
	},
}

func (r refusal) message() string { return refusals[r].what + " " + refusals[r].reason }

func (r refusal) fault() *fault { return &fault{message: r.message(), hint: refusals[r].way} }
