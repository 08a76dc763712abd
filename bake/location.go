// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// The transports of containers-transports(5) that a Location may have.
const (
	transportRegistry      = "docker"
	transportOCI           = "oci"
	transportOCIArchive    = "oci-archive"
	transportDockerArchive = "docker-archive"
)

// A Location names an image: in a registry, in an OCI image layout, or in an
// archive.
type Location struct {
	transport string
	ref       name.Reference // of a registry
	refTag    string         // that ref, a digest, was given with: REPO:TAG@DIGEST
	path      string         // of a file or directory
	tag       string         // of a file or directory; of a docker-archive REPO:TAG
}

// ParseLocation reads a location:
//
//	[docker://]REGISTRY/REPO[:TAG][@DIGEST]
//	oci:DIR[:TAG]
//	oci-archive:FILE[:TAG]
//	docker-archive:FILE[:REPO[:TAG]]
//
// A registry reference has Docker Hub's defaults. With insecure, plain HTTP is
// allowed; loopback hosts need no such leave.
func ParseLocation(s string, insecure bool) (Location, error) {
	transport, rest, ok := strings.Cut(s, ":")
	switch {
	case ok && transport == transportRegistry && strings.HasPrefix(rest, "//"):
		return parseRegistry(strings.TrimPrefix(rest, "//"), insecure)
	case ok && (transport == transportOCI || transport == transportOCIArchive || transport == transportDockerArchive):
		return parseFile(transport, rest)
	case strings.Contains(s, "://"):
		return Location{}, usagef("image %q: unknown transport %q: use docker://, oci:, oci-archive: or docker-archive:", s, transport)
	}
	return parseRegistry(s, insecure)
}

func parseRegistry(s string, insecure bool) (Location, error) {
	opts := []name.Option{name.WithDefaultTag("latest")}
	if insecure {
		opts = append(opts, name.Insecure)
	}
	ref, err := name.ParseReference(s, opts...)
	if err != nil || !validRepository().MatchString(ref.Context().RepositoryStr()) || strings.HasSuffix(ref.Context().RegistryStr(), ":") {
		return Location{}, usagef("image %q: want REGISTRY/REPOSITORY[:TAG][@DIGEST], a repository in lower-case letters, digits and . _ - /", s)
	}
	if tag, ok := ref.(name.Tag); ok && !validTag().MatchString(tag.TagStr()) {
		return Location{}, usagef("image %q: a tag has up to 128 letters, digits, _ . and -, and starts with none of the last two", s)
	}
	loc := Location{transport: transportRegistry, ref: ref}
	if tagged, _, ok := strings.Cut(s, "@"); ok {
		// The digest decides what is read; the tag is for people.
		if _, tag, ok := strings.Cut(path.Base(tagged), ":"); ok {
			if !validTag().MatchString(tag) {
				return Location{}, usagef("image %q: %q is no tag", s, tag)
			}
			loc.refTag = tag
		}
	}
	return loc, nil
}

// The distribution spec's grammars of a tag and of a repository's name;
// go-containerregistry's are laxer, and a registry would refuse the tag after
// everything else was sent. "dir:/path" is one of its references.
var (
	validTag        = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	validRepository = lazyregexp.New(`^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*$`)
)

func parseFile(transport, s string) (Location, error) {
	file, tag, _ := strings.Cut(s, ":")
	if file == "" {
		return Location{}, usagef("image %q: no path after the transport", transport+":"+s)
	}
	l := Location{transport: transport, path: file, tag: tag}
	if transport == transportDockerArchive && tag != "" {
		// docker load wants REPO:TAG, and skopeo writes it in full.
		ref, err := name.NewTag(tag)
		if err != nil {
			return Location{}, usagef("image %q: %v", transport+":"+s, err)
		}
		l.tag = familiar(ref.Name())
	}
	return l, nil
}

// String is the location in the form that ParseLocation reads.
func (l Location) String() string {
	if l.refTag != "" {
		return l.name() + "@" + l.ref.Identifier()
	}
	if l.ref != nil {
		return l.name()
	}
	if l.tag == "" {
		return l.transport + ":" + l.path
	}
	return l.transport + ":" + l.path + ":" + l.tag
}

// name is the fully qualified name of an image in a registry, with its tag
// where it has one, else with its digest.
func (l Location) name() string {
	if l.refTag != "" {
		return familiar(l.ref.Context().Name()) + ":" + l.refTag
	}
	return familiar(l.ref.Name())
}

// withDigest names the image at l by its digest.
func (l Location) withDigest(digest string) string {
	if l.ref != nil {
		return familiar(l.ref.Context().Name()) + "@" + digest
	}
	return l.String() + "@" + digest
}

// registry reports whether l is in a registry.
func (l Location) registry() bool { return l.ref != nil }

// familiar names Docker Hub as people and the annotation
// org.opencontainers.image.base.name do; go-containerregistry names its index
// host.
func familiar(s string) string {
	if rest, ok := strings.CutPrefix(s, name.DefaultRegistry+"/"); ok {
		return "docker.io/" + rest
	}
	return s
}
