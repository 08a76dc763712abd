// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// treeSum is the hash of a tree as RecordedFile documents it, of pairs of a
// path and a hash.
func treeSum(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "%s  %s\n", pairs[i+1], pairs[i])
	}
	return sha256Hex([]byte(b.String()))
}

// tarOf is a tar of files, each a pair of name and content. A name that ends
// in "/" is a directory, and a content that begins with "->" a symbolic link.
func tarOf(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		h := &tar.Header{Name: pairs[i], Mode: 0o600, Typeflag: tar.TypeReg}
		content := pairs[i+1]
		target, link := strings.CutPrefix(content, "->")
		switch {
		case link:
			h.Typeflag, h.Linkname, content = tar.TypeSymlink, target, ""
		case strings.HasSuffix(h.Name, "/"):
			h.Typeflag = tar.TypeDir
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func chainID(t *testing.T, img v1.Image) string {
	t.Helper()
	var ids []digest.Digest
	for _, d := range configOf(t, img).RootFS.DiffIDs {
		ids = append(ids, digest.Digest(d.String()))
	}
	return identity.ChainID(ids).String()
}

func TestRecord(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3, Env: []string{"MODEL=/old"}})
	srv := startWith(t, registrytest.Options{}, base)
	files := scorerFiles()
	archive := tarOf(t, "w/b", "bb", "w/a", "a", "w/link", "->a", "empty/", "")
	files["weights.tar"] = &fstest.MapFile{Data: archive}
	files["tables.tar"] = &fstest.MapFile{Data: archive}
	files["lookup/x.csv"] = &fstest.MapFile{Data: []byte("x")}
	files["lookup/sub/y.csv"] = &fstest.MapFile{Data: []byte("yy")}
	files["plain.csv"] = &fstest.MapFile{Data: []byte("plain")}
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.FS = files
	spec.Attachments = []string{"tables.tar"}
	spec.Unpack = map[string]string{"weights.tar": "weights"}
	spec.Assets = []bake.Asset{{Path: "lookup"}, {Path: "plain.csv", Dest: "/opt/engine/plain.csv"}}
	spec.Compression = bake.Compression{Algorithm: bake.Gzip, Level: 6}
	spec.Layers = bake.LayersClass
	doBake(t, spec)

	single := func(role bake.Role, name, file string) bake.RecordedFile {
		data := files[file].Data
		return bake.RecordedFile{Role: role, Name: name, Path: "/assets/" + file, Size: int64(len(data)), SHA256: sha256Hex(data)}
	}
	want := bake.Record{
		Version: 1,
		Base: bake.RecordedBase{
			Name:      srv.Host + "/team/base:1",
			Digest:    digestOf(t, base),
			MediaType: types.OCIManifestSchema1,
			Layers:    3,
			History:   4,
			ChainID:   chainID(t, base),
		},
		Assets: []bake.RecordedFile{
			single(bake.RoleModel, "", "model.py3"),
			single(bake.RoleSchema, "input", "input.avsc"),
			single(bake.RoleSchema, "output", "output.avsc"),
			single(bake.RoleStream, "0", "rest.json"),
			single(bake.RoleStream, "1", "kafka.json"),
			single(bake.RoleAttachment, "", "tables.tar"),
			{
				Role: bake.RoleUnpack, Path: "/assets/weights", Size: 3, Tree: true, Files: 3,
				SHA256: treeSum("w/a", sha256Hex([]byte("a")), "w/b", sha256Hex([]byte("bb")), "w/link", "link:a"),
			},
			{
				Role: bake.RoleAsset, Path: "/assets/lookup", Size: 3, Tree: true, Files: 2,
				SHA256: treeSum("sub/y.csv", sha256Hex([]byte("yy")), "x.csv", sha256Hex([]byte("x"))),
			},
			{Role: bake.RoleAsset, Path: "/opt/engine/plain.csv", Size: 5, SHA256: sha256Hex([]byte("plain"))},
		},
		Layers:      []string{"attachments", "assets", "model", "schemas", "streams"},
		AssetsDir:   "/assets",
		Compression: "gzip:6",
		LayerMode:   bake.LayersClass,
		Env: bake.RecordedChange{
			Set:      []string{"ATTACHMENTS", "CONNECT_PREFIX", "MODEL", "SCHEMAS", "STREAMS"},
			Replaced: map[string]string{"MODEL": "/old"},
		},
		Annotations: bake.RecordedChange{
			Set: []string{"org.opencontainers.image.base.digest", "org.opencontainers.image.base.name"},
		},
	}
	got := recordOf(t, pullImage(t, srv.Host+"/team/scorer:1"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// A record is the same wherever it is made: nothing of this machine is in it.
func TestRecordIsAnonymous(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	label := configOf(t, pullImage(t, srv.Host+"/team/scorer:1")).Config.Labels[bake.RecordLabel]
	if strings.ContainsAny(label, "\n\t ") {
		t.Errorf("the record is not compact: %s", label)
	}
	object := decodeObject(t, []byte(label))
	for _, key := range []string{"created", "host", "user", "time", "tool"} {
		if v, ok := object[key]; ok {
			t.Errorf("the record has %s: %v", key, v)
		}
	}
}
