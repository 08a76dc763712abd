// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/layer"
)

const (
	programPath     = "usr/bin/" + programName
	certificatePath = "etc/ssl/certs/ca-certificates.crt" // the first that Go programs look for
)

// user is whom the image names. Any other will do: every file is readable by
// all, and nothing is written.
const user = "65532:65532"

// passwd and group are for programs that want a name for their user.
const (
	passwd = `root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`
	group = `root:x:0:
nogroup:x:65534:
nonroot:x:65532:
`
)

// assemble puts the program on the base: the certificates below, since they
// change less often.
func assemble(from base, built program, pem []byte) (v1.Image, error) {
	program, err := programEntry(built)
	if err != nil {
		return nil, err
	}
	below, above := []layer.Entry{text(certificatePath, pem)}, []layer.Entry{program}
	if from.name == "" {
		below, above = system(below[0]), slices.Concat(dirs("usr", "usr/bin"), above)
	}
	img := from.image
	for _, l := range []struct {
		what    string
		entries []layer.Entry
	}{{"certificates", below}, {programName, above}} {
		made, err := layer.New(sequence(l.entries), layer.Options{})
		if err != nil {
			return nil, err
		}
		img, err = mutate.Append(img, mutate.Addendum{Layer: made, History: v1.History{
			Created: v1.Time{Time: built.created}, CreatedBy: "make image", Comment: l.what,
		}})
		if err != nil {
			return nil, err
		}
	}
	return describe(img, from, built)
}

// system is the root file system of the image without a base, but for the
// program. A base has its directories already, some as links; naming them in a
// layer would replace those.
func system(certificates layer.Entry) []layer.Entry {
	tmp := layer.DirEntry("tmp")
	tmp.Mode = 0o777 | fs.ModeSticky
	return slices.Concat(
		dirs("etc"), []layer.Entry{text("etc/group", []byte(group)), text("etc/passwd", []byte(passwd))},
		dirs("etc/ssl", "etc/ssl/certs"), []layer.Entry{certificates, tmp})
}

func dirs(names ...string) []layer.Entry {
	var entries []layer.Entry
	for _, name := range names {
		entries = append(entries, layer.DirEntry(name))
	}
	return entries
}

func text(name string, content []byte) layer.Entry {
	return layer.Entry{
		Name: name, Type: tar.TypeReg, Mode: 0o644, Size: int64(len(content)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

func programEntry(built program) (layer.Entry, error) {
	fsys := os.DirFS(built.dir)
	info, err := fs.Stat(fsys, programName)
	if err != nil {
		return layer.Entry{}, err
	}
	e := layer.FileEntry(fsys, programName, info, programPath)
	e.Mode = 0o755 // whatever the umask left of it
	return e, nil
}

func sequence(entries []layer.Entry) layer.Entries {
	return func(yield func(layer.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// describe writes the image's config and annotations.
func describe(img v1.Image, from base, built program) (v1.Image, error) {
	was, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config := was.DeepCopy()
	config.OS, config.Architecture, config.Created = built.platform.OS, built.platform.Architecture, v1.Time{Time: built.created}
	config.Config.User = user
	config.Config.Entrypoint = nil
	if from.name == "" {
		// With a shell, CI systems give the command: an entry point is in their
		// way.
		config.Config.Entrypoint = []string{"/" + programPath}
	}
	if !slices.ContainsFunc(config.Config.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		config.Config.Env = append(config.Config.Env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	notes := labels(built)
	if config.Config.Labels == nil {
		config.Config.Labels = map[string]string{}
	}
	maps.Copy(config.Config.Labels, notes)
	if from.name != "" {
		notes["org.opencontainers.image.base.name"] = from.name
		notes["org.opencontainers.image.base.digest"] = from.digest.String()
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, err
	}
	return mutate.Annotations(img, notes).(v1.Image), nil
}

// labels say what the program is, in the words of the image specification's
// annotations.
func labels(built program) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":       programName,
		prefix + "description": "Bakes models, schemas and streams into engine images, without Docker",
		prefix + "licenses":    "Apache-2.0",
		prefix + "source":      "https://github.com/crane-bake/crane-bake",
		prefix + "version":     built.version,
		prefix + "revision":    built.revision,
	}
}

// indexOf is the index of the images, with the annotations that they share:
// registries show those of the index.
func indexOf(images []v1.Image) (v1.IndexManifest, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for i, img := range images {
		config, err := img.ConfigFile()
		if err != nil {
			return index, err
		}
		manifest, err := img.Manifest()
		if err != nil {
			return index, err
		}
		desc, err := partial.Descriptor(img)
		if err != nil {
			return index, err
		}
		desc.Platform, desc.ArtifactType = config.Platform(), ""
		index.Manifests = append(index.Manifests, *desc)
		if i == 0 {
			index.Annotations = maps.Clone(manifest.Annotations)
		}
		maps.DeleteFunc(index.Annotations, func(k, v string) bool { return manifest.Annotations[k] != v })
	}
	return index, nil
}
