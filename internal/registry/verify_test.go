// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/crane-bake/crane-bake/internal/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestVerify(t *testing.T) {
	data := sized(5000, 1)
	whole := descriptor(t, registry.Bytes(data))
	sha512 := v1.Hash{Algorithm: "sha512", Hex: "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"}
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		r    io.Reader
		desc v1.Descriptor
		want error
	}{
		{"good", bytes.NewReader(data), whole, nil},
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(data)), whole, nil},
		{"end with the last bytes", iotest.DataErrReader(bytes.NewReader(data)), whole, nil},
		{"sha512 of nothing", bytes.NewReader(nil), v1.Descriptor{Digest: sha512}, nil},
		{"sha512 of something", bytes.NewReader(data), v1.Descriptor{Digest: sha512, Size: 5000}, registry.ErrIntegrity},
		{"broken", io.MultiReader(bytes.NewReader(data[:100]), iotest.ErrReader(broken)), whole, broken},
		{"endless", endless{}, whole, registry.ErrIntegrity},
		{"negative size", bytes.NewReader(nil), v1.Descriptor{Digest: whole.Digest, Size: -1}, registry.ErrIntegrity},
	} {
		t.Run(test.name, func(t *testing.T) {
			rc, err := registry.Verify(io.NopCloser(test.r), test.desc)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(rc)
			if !errors.Is(err, test.want) || (test.want == nil && err != nil) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err == nil && int64(len(got)) != test.desc.Size {
				t.Errorf("%d bytes", len(got))
			}
			if n, err := rc.Read(make([]byte, 1)); n != 0 && err == nil {
				t.Errorf("read on: %d bytes", n)
			}
		})
	}
	if _, err := registry.Verify(io.NopCloser(nil), v1.Descriptor{Digest: v1.Hash{Algorithm: "md5", Hex: "00"}}); err == nil {
		t.Error("md5 was accepted")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
