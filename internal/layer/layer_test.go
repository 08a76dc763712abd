// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/klauspost/compress/zstd"

	"github.com/crane-bake/crane-bake/internal/layer"
)

var algorithms = []string{"gzip", "zstd", "none"}

func TestGolden(t *testing.T) {
	const diffID = "aa9d839c7c821fc725178c30593146cceda812d272def4aca68cd48215c9743f"
	for _, tt := range []struct {
		opts layer.Options
		want string
	}{
		{layer.Options{}, "f5842d1a161966f4b67df1189ab2310b95581353273d48e0d5741f2c025458df"},
		{layer.Options{Algorithm: "gzip", Level: 1}, "f5842d1a161966f4b67df1189ab2310b95581353273d48e0d5741f2c025458df"},
		{layer.Options{Algorithm: "gzip", Level: 6}, "6870dfc0e08535c7ebb9b6b5f29d49478ac50be0ea85c204ab395cb56c0d6781"},
		{layer.Options{Algorithm: "gzip", Level: 9}, "abd5780ee77c55fc042223a6160b9457d5d016f3a3904a47429d2102bf7f9211"},
		{layer.Options{Algorithm: "zstd"}, "f224553d2c21ae2037fb0b116acbea9209d9e40b74ee5ec2f7bb37b27a890d80"},
		{layer.Options{Algorithm: "zstd", Level: 1}, "f8b70a97100c423b21794e00d8548f20d2099e4333eae5d1444c9b174e37e832"},
		{layer.Options{Algorithm: "zstd", Level: 7}, "d7421b03becc179bf79c67aa0b23441f91bf22f489f2a8ba88e02de656e1d4ee"},
		{layer.Options{Algorithm: "zstd", Level: 19}, "908dee5791792731c127af1bc3d51a5e9606dafff725b3d11564f8ef64a1c803"},
		{layer.Options{Algorithm: "none"}, diffID},
	} {
		t.Run(fmt.Sprintf("%s:%d", tt.opts.Algorithm, tt.opts.Level), func(t *testing.T) {
			l := newLayer(t, treeEntries(t), tt.opts)
			if got := digestOf(t, l); got != tt.want {
				t.Errorf("digest %s, want %s", got, tt.want)
			}
			if got, err := l.DiffID(); err != nil || got.Hex != diffID {
				t.Errorf("diffID %s, %v; want %s", got.Hex, err, diffID)
			}
		})
	}
}

// validate.Layer takes every layer for gzip; TestRoundTrip has the others.
func TestValidate(t *testing.T) {
	l := newLayer(t, treeEntries(t), layer.Options{})
	if err := validate.Layer(l); err != nil {
		t.Error(err)
	}
}

func TestRoundTrip(t *testing.T) {
	decoders := map[string]func(io.Reader) (io.Reader, error){
		"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"zstd": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
		"none": func(r io.Reader) (io.Reader, error) { return r, nil },
	}
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			l := newLayer(t, treeEntries(t), layer.Options{Algorithm: algorithm})
			packed := readAll(t, l.Compressed)
			r, err := decoders[algorithm](bytes.NewReader(packed))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if want := readAll(t, l.Uncompressed); !bytes.Equal(got, want) {
				t.Errorf("decodes to %d bytes that differ from the %d of Uncompressed", len(got), len(want))
			}
			if diffID, err := l.DiffID(); err != nil || diffID.Hex != sum(got) {
				t.Errorf("diffID %s, %v; want %s", diffID.Hex, err, sum(got))
			}
			if digest := digestOf(t, l); digest != sum(packed) {
				t.Errorf("digest %s, want %s", digest, sum(packed))
			}
		})
	}
}

func TestMediaType(t *testing.T) {
	want := map[string]types.MediaType{
		"":     "application/vnd.oci.image.layer.v1.tar+gzip",
		"gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
		"zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
		"none": "application/vnd.oci.image.layer.v1.tar",
	}
	got := make(map[string]types.MediaType)
	for algorithm := range want {
		l := newLayer(t, sequence(), layer.Options{Algorithm: algorithm})
		got[algorithm], _ = l.MediaType()
		if l.Resolved() {
			t.Errorf("%q: MediaType made a pass", algorithm)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		opts layer.Options
		want string
	}{
		{layer.Options{Algorithm: "lz4"}, `compression algorithm "lz4": want gzip, zstd or none`},
		{layer.Options{Level: 10}, "gzip level 10: want 1 to 9"},
		{layer.Options{Level: -1}, "gzip level -1: want 1 to 9"},
		{layer.Options{Algorithm: "zstd", Level: 23}, "zstd level 23: want 1 to 22"},
		{layer.Options{Algorithm: "none", Level: 1}, "level 1: algorithm none has no levels"},
	} {
		for name, err := range map[string]error{
			"New":     second(layer.New(sequence(), tt.opts)),
			"FromTar": second(layer.FromTar(nil, tt.opts)),
		} {
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s(%+v): %v, want %s", name, tt.opts, err, tt.want)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestFiles(t *testing.T) {
	l := newLayer(t, sequence(
		layer.DirEntry("d"),
		fileOf("d/f", []byte("content")),
		layer.Entry{Name: "d/h", Type: tar.TypeLink, Mode: 0o644, Linkname: "d/f"},
		layer.Entry{Name: "d/s", Type: tar.TypeSymlink, Mode: 0o777, Linkname: "f"},
		fileOf("e", nil),
	), layer.Options{})
	if got := l.Files(); got != nil {
		t.Errorf("before a pass: %v", got)
	}
	if err := l.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []layer.File{
		{Name: "d/f", Type: tar.TypeReg, Size: 7, SHA256: sum([]byte("content"))},
		{Name: "d/h", Type: tar.TypeLink, Linkname: "d/f"},
		{Name: "d/s", Type: tar.TypeSymlink, Linkname: "f"},
		{Name: "e", Type: tar.TypeReg, SHA256: sum(nil)},
	}
	if diff := cmp.Diff(want, l.Files()); diff != "" {
		t.Error(diff)
	}
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

func TestFromTar(t *testing.T) {
	// The content is no tar on purpose: nothing may depend on it.
	data := append(words(2, 900_000), noise(300_000)...)
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			l, err := layer.FromTar(func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(data)), nil
			}, layer.Options{Algorithm: algorithm})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := l.DiffID(); err != nil || got.Hex != sum(data) {
				t.Errorf("diffID %s, %v; want %s", got.Hex, err, sum(data))
			}
			if got := readAll(t, l.Uncompressed); !bytes.Equal(got, data) {
				t.Error("the tar's bytes were not kept")
			}
			got := readAll(t, l.Compressed)
			if size, _ := l.Size(); int64(len(got)) != size || sum(got) != digestOf(t, l) {
				t.Errorf("%d bytes with digest %s; want size %d, digest %s", len(got), sum(got), size, digestOf(t, l))
			}
		})
	}
}

func readAll(t *testing.T, open func() (io.ReadCloser, error)) []byte {
	t.Helper()
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
