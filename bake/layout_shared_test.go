// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// Bakes that share nothing but a layout, which none of them finds, all get
// their tags.
func TestLayoutOfManyBakes(t *testing.T) {
	t.Parallel()
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	dir := filepath.Join(t.TempDir(), "deep", "layout")
	const n = 8
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			spec := scorer(srv.Host+"/team/base:1", fmt.Sprintf("oci:%s:v%d", dir, i))
			spec.Labels = map[string]string{"n": fmt.Sprint(i)}
			if _, err := bake.Bake(t.Context(), spec, nil, bake.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range n {
		imageInLayout(t, dir, fmt.Sprint("v", i))
	}
}

// A blob of a layout that was damaged is written anew, by whatever finds it.
func TestLayoutDamaged(t *testing.T) {
	t.Parallel()
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	for _, tc := range []struct {
		name   string
		damage func(content []byte) []byte
	}{
		{"cut short", func(content []byte) []byte { return content[:len(content)/2] }},
		{"changed", func(content []byte) []byte { return bytes.Repeat([]byte("x"), len(content)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "layout")
			spec := scorer(srv.Host+"/team/base:1", "oci:"+dir+":v1")
			first := doBake(t, spec)
			layers := manifestOf(t, imageInLayout(t, dir, "v1")).Layers
			manifest := v1.Descriptor{Digest: first.Digest} // which a dry run does not count
			for _, part := range []v1.Descriptor{layers[0], layers[len(layers)-1], manifest} {
				file := filepath.Join(dir, "blobs", "sha256", part.Digest.Hex)
				damage := func() {
					t.Helper()
					content := must[[]byte](t)(os.ReadFile(file))
					if err := os.WriteFile(file, tc.damage(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				damage()
				dry := must[*bake.Report](t)(newPlan(t, spec).DryRun(t.Context(), nil))
				doBake(t, spec)
				imageInLayout(t, dir, "v1")
				if moved := dry.Transfer.CopiedBytes + dry.Transfer.UploadedBytes; moved != part.Size {
					t.Errorf("the dry run foresees %d bytes, want %d", moved, part.Size)
				}

				damage()
				fleet := bake.NewFleet(nil, bake.Options{})
				report, err := fleet.Bake(t.Context(), newPlan(t, spec), nil)
				if err != nil || report.AlreadyThere {
					t.Errorf("in a fleet: %+v, %v", report, err)
				}
				imageInLayout(t, dir, "v1")
				if report, err = fleet.Bake(t.Context(), newPlan(t, spec), nil); err != nil || !report.AlreadyThere {
					t.Errorf("what was mended is not found: %+v, %v", report, err)
				}
				if err := fleet.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// An archive never takes the place of what it is made of, nor of what is no
// file.
func TestArchiveDestinationRefused(t *testing.T) {
	t.Parallel()
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	dir := scorerDir(t)
	if err := errors.Join(os.Mkdir(dir+"/tree", 0o700), os.WriteFile(dir+"/tree/part", []byte("x"), 0o600), os.Link(dir+"/asset", dir+"/other-name"), os.Symlink("input.avsc", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	root := must[*os.Root](t)(os.OpenRoot(dir))
	defer root.Close()
	before := tree(t, dir)
	for _, tc := range []struct{ name, file, says string }{
		{"model", dir + "/model.py3", "is a file that is baked: model.py3"},
		{"through a link", dir + "/link", "is a file that is baked: input.avsc"},
		{"by another name", dir + "/other-name", "is a file that is baked: asset"},
		{"in a directory", dir + "/tree/part", "is a file that is baked: tree"},
		{"device", "/dev/null", "/dev/null is not a regular file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := scorer(srv.Host+"/team/base:1", "oci-archive:"+tc.file)
			spec.FS, spec.Assets = root.FS(), []bake.Asset{{Path: "asset"}, {Path: "tree"}}
			_, err := bake.Bake(t.Context(), spec, nil, bake.Options{NoCheck: true})
			if !errors.Is(err, bake.ErrUsage) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want a usage error: %s", err, tc.says)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
			if info := must[fs.FileInfo](t)(os.Stat("/dev/null")); info.Mode().IsRegular() {
				t.Error("/dev/null is a file now")
			}
		})
	}
	// Any other file there may be replaced.
	spec := scorer(srv.Host+"/team/base:1", "oci-archive:"+dir+"/unused:v1")
	spec.FS = root.FS()
	if err := os.WriteFile(dir+"/unused", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	doBake(t, spec)
	written(t, "oci-archive:"+dir+"/unused:v1")
}

// Promotions into one layout at the same time lose none of each other's
// referrers.
func TestPromoteManyIntoLayout(t *testing.T) {
	t.Parallel()
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	dir := filepath.Join(t.TempDir(), "layout")
	var want []v1.Hash
	var wg sync.WaitGroup
	for n := range 6 {
		from := startWith(t, registrytest.Options{}, img)
		a := artifact(t, descriptorOf(t, img), sbomType, fmt.Sprint("sbom ", n))
		from.Push(t, "team/base@"+digestOf(t, a).String(), a)
		want = append(want, digestOf(t, a))
		wg.Go(func() {
			if _, err := bake.Promote(t.Context(), from.Host+"/team/base:1", nil, bake.PromoteOptions{}, "oci:"+dir+":v1"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	to := registrytest.Start(t, registrytest.Options{})
	promote(t, bake.PromoteOptions{}, "oci:"+dir+":v1", to.Host+"/prod/scorer:v1")
	slices.SortFunc(want, func(a, b v1.Hash) int { return strings.Compare(a.String(), b.String()) })
	if diff := cmp.Diff(want, referrersAt(t, to.Host+"/prod/scorer", digestOf(t, img))); diff != "" {
		t.Errorf("referrers (-want +got):\n%s", diff)
	}
}

// Without a tag, an image comes beside what others left untagged, and a second
// time changes nothing.
func TestPromoteUntagged(t *testing.T) {
	t.Parallel()
	from := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	dir := t.TempDir()
	writeLayout(t, dir+"/layout", registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 7}), "")
	theirs := digestInIndex(t, dir+"/layout/index.json")
	var before map[string]string
	for round := range 2 {
		for _, dst := range []string{"oci:" + dir + "/layout", "oci-archive:" + dir + "/archive"} {
			promote(t, bake.PromoteOptions{NoClobber: true}, from.Host+"/team/base:1", dst)
		}
		after := tree(t, dir+"/layout")
		if diff := cmp.Diff(before, after); round > 0 && diff != "" {
			t.Errorf("files (-before +after):\n%s", diff)
		}
		before = after
	}
	got := digestInIndex(t, dir+"/layout/index.json")
	if want := append(theirs, digestAt(t, from.Host+"/team/base:1")); !slices.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
}

// digestInIndex is what an index.json lists.
func digestInIndex(t testing.TB, file string) []v1.Hash {
	t.Helper()
	index := must[*v1.IndexManifest](t)(v1.ParseIndexManifest(bytes.NewReader(must[[]byte](t)(os.ReadFile(file)))))
	var all []v1.Hash
	for _, d := range index.Manifests {
		all = append(all, d.Digest)
	}
	return all
}

// An image all whose digests are by SHA-512 goes from layout to layout.
func TestPromoteSHA512(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := sha512Layout(t, filepath.Join(dir, "from"))
	for _, to := range []string{"oci:" + dir + "/to:v1", "oci-archive:" + dir + "/archive:v1"} {
		report := promote(t, bake.PromoteOptions{}, "oci:"+dir+"/from:v1", to)
		if report.Digest.Algorithm != "sha512" {
			t.Errorf("promoted %s", report.Digest)
		}
		transport, file, _ := strings.Cut(strings.TrimSuffix(to, ":v1"), ":")
		if transport == "oci-archive" {
			untarDir(t, file, dir+"/unpacked")
			file = dir + "/unpacked"
		}
		for name, content := range from {
			if got, err := os.ReadFile(filepath.Join(file, name)); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %s: %v", to, name, err)
			}
		}
	}
}

// sha512Layout writes an image layout and returns its blobs by name.
func sha512Layout(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	blobs := map[string][]byte{}
	add := func(mediaType string, content []byte) map[string]any {
		sum := sha512.Sum512(content)
		digest := hex.EncodeToString(sum[:])
		blobs["blobs/sha512/"+digest] = content
		return map[string]any{"mediaType": mediaType, "digest": "sha512:" + digest, "size": len(content)}
	}
	object := func(v any) []byte { return must[[]byte](t)(json.Marshal(v)) }
	manifest := add("application/vnd.oci.image.manifest.v1+json", object(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": add("application/vnd.oci.image.config.v1+json", []byte(`{"os":"linux","architecture":"amd64"}`)),
		"layers": []any{add("application/vnd.oci.image.layer.v1.tar", random(5000, 1))},
	}))
	top := add("application/vnd.oci.image.index.v1+json", object(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{manifest},
	}))
	top["annotations"] = map[string]string{"org.opencontainers.image.ref.name": "v1"}
	files := map[string][]byte{
		"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`),
		"index.json": object(map[string]any{"schemaVersion": 2, "manifests": []any{top}}),
	}
	for _, all := range []map[string][]byte{files, blobs} {
		for name, content := range all {
			file := filepath.Join(dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, content, 0o666)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return blobs
}
