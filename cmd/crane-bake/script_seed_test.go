// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// seedOptions of the seed command. Without any the image is an OCI image of
// two small layers for linux/amd64.
//
//	docker               Docker's media types
//	index=PLATFORM,...   an index; unknown/unknown is an attestation
//	artifact             not an image at all
//	env=NAME=VALUE       in the image's config
//	label=NAME=VALUE     the same
//	size=BYTES           of each layer
//	seed=N               other content
const seedOptions = "docker index artifact env label size seed"

// seed puts an image into a registry, into an OCI layout (oci:DIR:TAG) or into
// an archive of docker save (docker-archive:FILE:REF).
func seed(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) > 0, "seed IMAGE [OPTION...]")
	t := theWorld(ts).t
	o := parseOptions(ts, args[1:], seedOptions)
	opts := registrytest.ImageOptions{LayerSize: int64(o.number(ts, "size")), Seed: uint64(o.number(ts, "seed"))}
	_, opts.Docker = o["docker"]
	if e := o["env"]; e != "" {
		opts.Env = []string{e}
	}
	if key, value, ok := strings.Cut(o["label"], "="); ok {
		opts.Labels = map[string]string{key: value}
	}
	var image remote.Taggable
	if platforms, ok := o["index"]; ok {
		image = registrytest.BaseIndexOf(t, opts, strings.Split(platforms, ",")...)
	} else if _, ok := o["artifact"]; ok {
		image = mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.oci.empty.v1+json")
	} else {
		image = registrytest.BaseImage(t, opts)
	}
	put(ts, args[0], image)
}

// random writes bytes that are the same in every run.
func random(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "random FILE BYTES")
	content := make([]byte, number(ts, args[1]))
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), content, 0o666))
}

func damage(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 1, "damage FILE")
	content := []byte(ts.ReadFile(args[0]))
	// One bit may be the distance of a match among zeros, and mean the same.
	for i := len(content) / 2; i < len(content) && i < len(content)/2+32; i++ {
		content[i] ^= 0xff
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), content, 0o666))
}

// archive packs the content of a directory.
func archive(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "archive FILE DIR")
	name, tree := args[0], os.DirFS(ts.MkAbs(args[1]))
	f, err := os.Create(ts.MkAbs(name))
	ts.Check(err)
	switch {
	case strings.HasSuffix(name, ".zip"):
		w := zip.NewWriter(f)
		err = errors.Join(w.AddFS(tree), w.Close())
	case strings.HasSuffix(name, ".gz"), strings.HasSuffix(name, ".tgz"):
		w := gzip.NewWriter(f)
		err = errors.Join(packTar(w, tree), w.Close())
	case strings.HasSuffix(name, ".zst"):
		var w *zstd.Encoder
		w, err = zstd.NewWriter(f)
		ts.Check(err)
		err = errors.Join(packTar(w, tree), w.Close())
	default:
		err = packTar(f, tree)
	}
	ts.Check(errors.Join(err, f.Close()))
}

func packTar(w io.Writer, tree fs.FS) error {
	t := tar.NewWriter(w)
	return errors.Join(t.AddFS(tree), t.Close())
}

// writeAuthFile writes a file as docker login makes it.
func writeAuthFile(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 3, "authfile FILE HOST USER:PASSWORD")
	file := map[string]any{"auths": map[string]any{
		args[1]: map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(args[2]))},
	}}
	raw, err := json.Marshal(file)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), raw, 0o600))
}
