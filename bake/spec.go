// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Defaults that a zero Spec stands for.
const (
	DefaultBase          = "fastscore/engine:latest"
	DefaultAssetsDir     = "/assets"
	DefaultConnectPrefix = "https://connect:8001"
)

// A Spec says what to bake into an engine image. The zero value of every
// field but Model works. File names are slash-separated names in FS.
//
// A bound file (model, schema, stream, attachment) is baked as its base name
// in AssetsDir; the engine finds it through the environment variables of the
// engine contract.
type Spec struct {
	// FS holds every file that is named below; nil is the working directory,
	// opened through an os.Root, so that no symbolic link leads out of it.
	FS fs.FS

	// Base is the engine image; empty is DefaultBase. Only Bake reads it.
	Base string
	// Tags are the locations that Bake publishes to. One in an OCI image layout
	// makes the result an OCI image even where the base has Docker's media
	// types.
	Tags []string

	Model       string            // model file; its extension selects the runner
	Schemas     map[string]string // schema name to Avro schema file
	Streams     map[int]string    // slot (even: input, odd: output) to stream descriptor file
	Attachments []string          // archives that stay archives and are listed in ATTACHMENTS
	// Unpack maps an archive (.zip .tar .tar.gz .tgz .tar.zst) to the in-image
	// directory that receives its members; empty is AssetsDir, and a relative
	// one lies below AssetsDir.
	Unpack map[string]string
	// Assets are further files and directories.
	Assets []Asset

	// Copies put files where and how they say, in order; a later one replaces
	// what an earlier one put at the same path. They are for front ends that
	// know more than roles, such as a Dockerfile.
	Copies []Copy
	// Dirs gives directories another owner and mode than root's and 0755, or
	// than copies give them, by absolute in-image path. Only those count that
	// the bake makes: they hold a file of the bake, or are part of a copy.
	Dirs map[string]Dir

	// ConnectPrefix is the base URL of Connect; empty keeps the base's own
	// value and is DefaultConnectPrefix where the base has none.
	ConnectPrefix string
	// AssetsDir is the in-image directory of bound files; empty is
	// DefaultAssetsDir.
	AssetsDir string

	// Env holds further environment variables. A variable of the engine
	// contract may be here, word for word, where its own field is empty.
	Env         map[string]string
	Labels      map[string]string // image labels
	Annotations map[string]string // manifest annotations
	Settings    Settings

	// Platforms chooses platforms of a multi-platform base, each
	// OS/ARCH[/VARIANT]; none chooses every platform the base has.
	Platforms []string

	Compression Compression
	Layers      LayerMode
	// OCI makes an OCI image even of a base with Docker's media types.
	OCI bool

	// Created is the image's creation time and the modification time of every
	// file of the bake, in whole seconds. The zero time leaves the base's own
	// creation time and sets files to the epoch.
	Created time.Time

	// Allow names rules whose findings do not count against the bake.
	Allow []string
}

// A Copy puts a file, what is in a directory, or the members of an archive into
// the image as they are: symbolic links stay links, and modes stay.
type Copy struct {
	// FS holds Path; nil is Spec.FS.
	FS fs.FS
	// Path is a file, a directory whose content is copied, or with Unpack or
	// Tree an archive. Empty makes the directory Dest and copies nothing.
	Path string
	// Dest is the absolute in-image path of the file, or of the directory that
	// receives the content.
	Dest   string
	Unpack bool
	// Tree says that Path is an uncompressed tar that stands for a directory:
	// unlike those of one that is unpacked, its members are baked in order of
	// their names.
	Tree bool
	// Owner is the owner of everything copied; nil is 0:0, or for an archive
	// what its members say.
	Owner *Owner
	// Mode is the permissions of everything copied; nil keeps the sources'.
	Mode *fs.FileMode
	// Skip reports names in FS to leave out; nil leaves out nothing.
	Skip func(name string) bool
	// Instruction describes the copy in the image's history.
	Instruction string
}

// An Owner is a numeric user and group.
type Owner struct{ UID, GID int }

// A Dir is the owner and the permissions of a directory.
type Dir struct {
	Owner Owner
	Mode  fs.FileMode
}

// Settings change parts of the image's config that a bake leaves alone
// otherwise.
type Settings struct {
	User, WorkingDir, StopSignal string   // empty leaves the base's
	Entrypoint, Cmd              []string // nil leaves the base's, empty clears it
	ExposedPorts, Volumes        []string // added to the base's
}

// An Asset is a further file or directory of a bake.
type Asset struct {
	// Path is the file's or directory's name in Spec.FS.
	Path string
	// Dest is its in-image path; a relative one lies below the assets
	// directory, and one that ends in "/" keeps Path's base name below it.
	// Empty is Path's base name in the assets directory.
	Dest string
}

// ParseAsset reads PATH or PATH=DEST.
func ParseAsset(s string) (Asset, error) {
	p, dest, _ := strings.Cut(s, "=")
	if p == "" {
		return Asset{}, fmt.Errorf("asset %q: want PATH or PATH=DEST", s)
	}
	return Asset{Path: p, Dest: dest}, nil
}

// Algorithm is a layer's compression.
type Algorithm string

// The algorithms that image layers may use (OCI image-spec, layer.md).
const (
	Gzip Algorithm = "gzip"
	Zstd Algorithm = "zstd"
	None Algorithm = "none"
)

// Compression is how the layers of a bake are compressed. The zero value is
// gzip at its default level.
type Compression struct {
	Algorithm Algorithm
	Level     int // 0 is the algorithm's default; gzip 1–9, zstd 1–22
}

// ParseCompression reads gzip, zstd or none, each but none with an optional
// :LEVEL.
func ParseCompression(s string) (Compression, error) {
	name, level, hasLevel := strings.Cut(s, ":")
	c := Compression{Algorithm: Algorithm(name)}
	limit, ok := map[Algorithm]int{Gzip: 9, Zstd: 22, None: 0}[c.Algorithm]
	if !ok {
		return Compression{}, fmt.Errorf("compression %q: want gzip, zstd or none", s)
	}
	if hasLevel {
		n, err := strconv.Atoi(level)
		if err != nil || n < 1 || n > limit {
			if limit == 0 {
				return Compression{}, fmt.Errorf("compression %q: %s has no levels", s, name)
			}
			return Compression{}, fmt.Errorf("compression %q: levels of %s are 1 to %d", s, name, limit)
		}
		c.Level = n
	}
	return c, nil
}

// String is the form that ParseCompression reads.
func (c Compression) String() string {
	if c.Algorithm == "" {
		c.Algorithm = Gzip
	}
	if c.Level == 0 {
		return string(c.Algorithm)
	}
	return fmt.Sprintf("%s:%d", c.Algorithm, c.Level)
}

// LayerMode is how the files of a bake are spread over layers.
type LayerMode string

const (
	// LayersAuto gives a class of files its own layer where it has 1 MiB or
	// more; all smaller classes share the last layer.
	LayersAuto LayerMode = "auto"
	// LayersClass gives every class its own layer.
	LayersClass LayerMode = "class"
	// LayersSingle puts all files into one layer.
	LayersSingle LayerMode = "single"
)

// ParseLayerMode reads auto, class or single.
func ParseLayerMode(s string) (LayerMode, error) {
	m := LayerMode(s)
	if !slices.Contains([]LayerMode{LayersAuto, LayersClass, LayersSingle}, m) {
		return "", fmt.Errorf("layers %q: want auto, class or single", s)
	}
	return m, nil
}
