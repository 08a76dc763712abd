// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"
)

// refNameAnnotation is the tag of an entry of an index.json.
const refNameAnnotation = "org.opencontainers.image.ref.name"

// found is what a location names: an image or an index.
type found struct {
	digest v1.Hash
	raw    []byte
	image  v1.Image
	index  v1.ImageIndex
}

// Images are read with go-containerregistry's packages, not with the program's.
func find(ts *testscript.TestScript, location string) (*found, error) {
	kind, rest, _ := strings.Cut(location, ":")
	file, tag, _ := strings.Cut(rest, ":")
	switch kind {
	case "oci":
		return findInLayout(ts.MkAbs(file), tag)
	case "oci-archive":
		dir, err := unpacked(ts, file)
		if err != nil {
			return nil, err
		}
		return findInLayout(dir, tag)
	case "docker-archive":
		ref, err := name.NewTag(tag)
		if err != nil {
			return nil, err
		}
		img, err := tarball.ImageFromPath(ts.MkAbs(file), &ref)
		if err != nil {
			return nil, err
		}
		return foundImage(img)
	}
	host, _, _ := strings.Cut(location, "/")
	ref, err := name.ParseReference(location)
	ts.Check(err)
	desc, err := remote.Get(ref, theWorld(ts).registry(ts, host).way()...)
	if err != nil {
		return nil, err
	}
	if desc.MediaType.IsIndex() {
		index, err := desc.ImageIndex()
		return &found{digest: desc.Digest, raw: desc.Manifest, index: index}, err
	}
	img, err := desc.Image()
	return &found{digest: desc.Digest, raw: desc.Manifest, image: img}, err
}

func foundImage(img v1.Image) (*found, error) {
	digest, err := img.Digest()
	if err != nil {
		return nil, err
	}
	raw, err := img.RawManifest()
	return &found{digest: digest, raw: raw, image: img}, err
}

func findInLayout(dir, tag string) (*found, error) {
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	m, err := top.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, d := range m.Manifests {
		if d.Annotations[refNameAnnotation] != tag {
			continue
		}
		if !d.MediaType.IsIndex() {
			img, err := top.Image(d.Digest)
			if err != nil {
				return nil, err
			}
			return foundImage(img)
		}
		index, err := top.ImageIndex(d.Digest)
		if err != nil {
			return nil, err
		}
		raw, err := index.RawManifest()
		return &found{digest: d.Digest, raw: raw, index: index}, err
	}
	return nil, fmt.Errorf("%s has no tag %q: %w", dir, tag, os.ErrNotExist)
}

// unpacked is the content of a tar in a directory outside of the script's.
func unpacked(ts *testscript.TestScript, file string) (string, error) {
	f, err := os.Open(ts.MkAbs(file))
	if err != nil {
		return "", err
	}
	defer f.Close()
	dir := theWorld(ts).t.TempDir()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return dir, nil
		}
		if err != nil {
			return "", err
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return "", err
		}
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o777), os.WriteFile(to, content, 0o666)); err != nil {
			return "", err
		}
	}
}

// put writes an image to a location.
func put(ts *testscript.TestScript, location string, image remote.Taggable) {
	kind, rest, _ := strings.Cut(location, ":")
	file, tag, _ := strings.Cut(rest, ":")
	switch kind {
	case "oci":
		path, err := layout.Write(ts.MkAbs(file), empty.Index)
		ts.Check(err)
		opt := layout.WithAnnotations(map[string]string{refNameAnnotation: tag})
		if index, ok := image.(v1.ImageIndex); ok {
			ts.Check(path.AppendIndex(index, opt))
			return
		}
		ts.Check(path.AppendImage(image.(v1.Image), opt))
	case "docker-archive":
		ref, err := name.NewTag(tag)
		ts.Check(err)
		ts.Check(tarball.WriteToFile(ts.MkAbs(file), ref, image.(v1.Image)))
	default:
		host, repo, _ := strings.Cut(location, "/")
		theWorld(ts).registry(ts, host).Push(theWorld(ts).t, repo, image)
	}
}
