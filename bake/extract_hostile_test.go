// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// craft puts a layer upon a base, with a record that tells of assets.
func craft(t *testing.T, base v1.Image, layer []byte, assets []bake.RecordedFile) v1.Image {
	t.Helper()
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer)), nil }
	img := must[v1.Image](t)(mutate.AppendLayers(base, must[v1.Layer](t)(tarball.LayerFromOpener(open, tarball.WithCompressionLevel(9)))))
	config := configOf(t, base)
	record := bake.Record{
		Version: 1, Assets: assets, Layers: []string{"files"}, AssetsDir: "/assets", Compression: "gzip", LayerMode: bake.LayersAuto,
		Base: bake.RecordedBase{
			Name: "docker.io/fastscore/engine:latest", Digest: digestOf(t, base), MediaType: manifestOf(t, base).MediaType,
			Layers: len(config.RootFS.DiffIDs), History: len(config.History), ChainID: chainID(t, base),
		},
	}
	label := must[[]byte](t)(json.Marshal(record))
	return edit(t, img, func(config, _ map[string]any) {
		c := config["config"].(map[string]any)
		c["Labels"] = map[string]any{bake.RecordLabel: string(label)}
		c["Env"] = append(c["Env"].([]any), "MODEL=/assets/model.py3")
	})
}

// recorded is what a record says of a file with its name as content; of the
// lies below, only its size matters.
func recorded(role bake.Role, path string, size int64) bake.RecordedFile {
	f := bake.RecordedFile{Role: role, Path: path, Size: size}
	f.Tree = role == bake.RoleUnpack || strings.HasSuffix(path, "tree")
	return f
}

func reg(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }

// What no bake puts into a layer is refused, whatever the record says of it,
// and nothing is written.
func TestExtractRefuses(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{})
	tree := recorded(bake.RoleAsset, "/assets/tree", 1000)
	unpacked := recorded(bake.RoleUnpack, "/assets", 0)
	for _, tc := range []struct {
		name    string
		layer   []byte
		headers []tar.Header
		asset   bake.RecordedFile
		says    string
	}{
		{name: "an absolute name", headers: []tar.Header{reg("/assets/tree/x")}, asset: tree, says: "name is absolute"},
		{name: "a name that leads up", headers: []tar.Header{reg("../x")}, asset: tree, says: `name has ".." in it`},
		{name: "a name that leads up later", headers: []tar.Header{reg("assets/tree/../../../x")}, asset: tree, says: `name has ".." in it`},
		{name: "a name that is no text", headers: []tar.Header{reg("assets/tree/\xff")}, asset: tree, says: "no UTF-8"},
		{name: "a device", headers: []tar.Header{{Name: "assets/tree/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}}, asset: tree, says: "is neither a file"},
		{name: "a pipe", headers: []tar.Header{{Name: "assets/tree/pipe", Typeflag: tar.TypeFifo}}, asset: tree, says: "is neither a file"},
		{name: "a file twice", headers: []tar.Header{reg("assets/tree/x"), reg("assets/tree/x")}, asset: tree, says: "occurs twice"},
		{name: "a file and a directory", headers: []tar.Header{reg("assets/tree/x"), {Name: "assets/tree/x/", Typeflag: tar.TypeDir}}, asset: tree, says: "occurs twice"},
		{name: "a file in a file", headers: []tar.Header{reg("assets/tree/x"), reg("assets/tree/x/y")}, asset: tree, says: "which is no directory"},
		{name: "a file through a link", headers: []tar.Header{{Name: "assets/tree/x", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, reg("assets/tree/x/y")}, asset: tree, says: "which is no directory"},
		{name: "a whiteout", headers: []tar.Header{reg("assets/tree/.wh.x")}, asset: tree, says: "deletes files of the base"},
		{name: "an opaque directory", headers: []tar.Header{reg("assets/tree/.wh..wh..opq")}, asset: tree, says: "deletes files of the base"},
		{name: "a link out of an archive", headers: []tar.Header{{Name: "assets/z", Typeflag: tar.TypeSymlink, Linkname: "../etc"}}, asset: unpacked, says: "belongs to none of its assets"},
		{name: "an absolute link in an archive", headers: []tar.Header{{Name: "assets/z", Typeflag: tar.TypeSymlink, Linkname: "/etc"}}, asset: unpacked, says: "belongs to none of its assets"},
		{name: "a hard link to elsewhere", headers: []tar.Header{{Name: "assets/z", Typeflag: tar.TypeLink, Linkname: "etc/passwd"}}, asset: unpacked, says: "no earlier file"},
		{name: "a hard link that leads up", headers: []tar.Header{{Name: "assets/z", Typeflag: tar.TypeLink, Linkname: "../etc/passwd"}}, asset: unpacked, says: `name has ".." in it`},
		{name: "a link for a file", headers: []tar.Header{{Name: "assets/model.py3", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}, asset: recorded(bake.RoleModel, "/assets/model.py3", 0), says: "is no file"},
		{name: "more than it says", headers: []tar.Header{reg("assets/model.py3"), reg("assets/other")}, asset: recorded(bake.RoleModel, "/assets/model.py3", 16), says: "has more than the 16 bytes"},
		{name: "a file of its own", headers: []tar.Header{reg("assets/other")}, asset: recorded(bake.RoleModel, "/assets/model.py3", 16), says: "/assets/other is none of its assets"},
		{name: "other content", headers: []tar.Header{reg("assets/model.py3")}, asset: recorded(bake.RoleModel, "/assets/model.py3", 16), says: "has 16 bytes with sha256"},
		{name: "no file", asset: recorded(bake.RoleModel, "/assets/model.py3", 16), says: "/assets/model.py3 is missing"},
		{name: "a role that is none", asset: recorded("boss", "/assets/model.py3", 16), says: "an asset that no bake has"},
		{name: "a path that leads up", asset: recorded(bake.RoleAsset, "/assets/..", 16), says: "an asset that no bake has"},
		{name: "a path that is relative", asset: recorded(bake.RoleAsset, "../x", 16), says: "an asset that no bake has"},
		{name: "the root as a file", asset: recorded(bake.RoleAsset, "/", 16), says: "an asset that no bake has"},
		{name: "a negative size", asset: recorded(bake.RoleAsset, "/x", -16), says: "an asset that no bake has"},
		{name: "a size that is a lie", layer: sized(t, 1<<40), asset: recorded(bake.RoleAsset, "/assets/x", 1<<50), says: "truncated"},
		{name: "a bomb", layer: zeros(t, 100<<20), asset: recorded(bake.RoleAsset, "/assets/x", 1<<40), says: "unpacks to more than"},
		{name: "no tar", layer: []byte(strings.Repeat("no tar ", 512)), asset: tree, says: "tar"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			layer := tc.layer
			if layer == nil {
				layer = tarOfHeaders(t, tc.headers...)
			}
			asset := tc.asset
			asset.SHA256, asset.Files = foundOut(layer, asset)
			if tc.name == "other content" {
				asset.SHA256 = sha256Hex(nil)
			}
			srv := startWith(t, registrytest.Options{}, craft(t, base, layer, []bake.RecordedFile{asset}))
			around := t.TempDir()
			_, err := bake.Extract(t.Context(), srv.Host+"/team/base:1", filepath.Join(around, "out"), nil, bake.ExtractOptions{})
			if err == nil || !strings.Contains(err.Error(), tc.says) || !errors.Is(err, bake.ErrIntegrity) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
			if diff := cmp.Diff(map[string]string{}, treeOnDisk(t, around)); diff != "" {
				t.Errorf("written (-want +got):\n%s", diff)
			}
		})
	}
}

// sized is a tar whose one file says that it has n bytes.
func sized(t testing.TB, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: "assets/x", Size: n}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zeros is a tar with a file that compresses a thousandfold and more.
func zeros(t testing.TB, n int64) []byte {
	t.Helper()
	return append(sized(t, n), make([]byte, n+1024)...)
}

// foundOut is what a record would say of the tree or file, had a bake made the
// layer.
func foundOut(layer []byte, asset bake.RecordedFile) (sum string, files int) {
	var lines []string
	r := tar.NewReader(bytes.NewReader(layer))
	for h, err := r.Next(); err == nil; h, err = r.Next() {
		name, below := strings.CutPrefix("/"+h.Name, asset.Path+"/")
		content, _ := io.ReadAll(r)
		id := sha256Hex(content)
		if h.Linkname != "" {
			id = "link:" + h.Linkname
		}
		switch {
		case "/"+h.Name == asset.Path:
			return id, 0
		case asset.Tree && below && h.Typeflag != tar.TypeDir:
			lines = append(lines, name, id)
		}
	}
	if !asset.Tree {
		return sha256Hex(nil), 0
	}
	return treeSum(lines...), len(lines) / 2
}

// A directory that has something in it is not touched, nor is what is no
// directory.
func TestExtractWhere(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, talkative(t, registrytest.ImageOptions{}))
	ref := srv.Host + "/team/scorer:1"
	doBake(t, scorer(srv.Host+"/team/base:1", ref))
	dir := t.TempDir()
	for name, content := range map[string]string{"full/x": "x", "file": "f"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o777), os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "empty"), 0o777), os.Symlink("nowhere", filepath.Join(dir, "dangling")), os.Symlink("empty", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		dir  string
		want error
	}{
		{"full", bake.ErrUsage},
		{"file", bake.ErrUsage},
		{"dangling", bake.ErrUsage},
		{"no/such", os.ErrNotExist},
	} {
		_, err := bake.Extract(t.Context(), ref, filepath.Join(dir, tc.dir), nil, bake.ExtractOptions{})
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.dir, err, tc.want)
		}
	}
	want := []string{"bake.yaml", "input.avsc", "kafka.json", "model.py3", "output.avsc", "rest.json"}
	for _, name := range []string{"link", "new"} {
		if _, err := bake.Extract(t.Context(), ref, filepath.Join(dir, name), nil, bake.ExtractOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, e := range must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(dir, name))) {
			got = append(got, e.Name())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if info := must[os.FileInfo](t)(os.Lstat(filepath.Join(dir, "link"))); info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is no link any more")
	}
}
