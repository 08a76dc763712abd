// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const tarBlock = 512

// headerSize is the size of every header of a blob whose digest is by the
// algorithm: it is known before the digest is. The name of a sha512 blob is
// longer than the 100 bytes of a header, and takes two blocks more.
func headerSize(algorithm string) int64 {
	if algorithm == "sha512" {
		return 3 * tarBlock
	}
	return tarBlock
}

// blobHeader is the header of a blob. In USTAR format it has no room for 8 GiB
// and more, nor for long names.
func blobHeader(desc v1.Descriptor) ([]byte, error) {
	hdr := fileHeader(blobName(desc.Digest), desc.Size)
	size := headerSize(desc.Digest.Algorithm)
	if desc.Size >= 1<<33 || size > tarBlock {
		hdr.Format = tar.FormatGNU
	}
	return encodeHeader(hdr, size)
}

func dirHeader(name string) ([]byte, error) {
	hdr := &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	return encodeHeader(hdr, tarBlock)
}

func fileHeader(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

func encodeHeader(hdr *tar.Header, size int64) ([]byte, error) {
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(hdr); err != nil {
		return nil, err
	}
	if int64(b.Len()) != size {
		return nil, fmt.Errorf("tar header of %s takes %d bytes", hdr.Name, b.Len())
	}
	return b.Bytes(), nil
}

// tarFile is a small file at the end of an archive.
type tarFile struct {
	name    string
	content []byte
}

// writeTar writes the end of an archive.
func writeTar(to io.Writer, files []tarFile) error {
	w := tar.NewWriter(to)
	for _, f := range files {
		if err := w.WriteHeader(fileHeader(f.name, int64(len(f.content)))); err != nil {
			return err
		}
		if _, err := w.Write(f.content); err != nil {
			return err
		}
	}
	return w.Close()
}
