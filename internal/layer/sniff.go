// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
)

// What content is called in errors.
const (
	zipContent  = "a zip archive"
	gzipContent = "gzip data"
	zstdContent = "zstd data"
)

// sniff names the kind of content that starts with head.
func sniff(head []byte) string {
	for _, k := range []struct {
		offset         int
		magic, content string
	}{
		{0, "PK\x03\x04", zipContent},
		{0, "PK\x05\x06", zipContent}, // without members
		{0, "\x1f\x8b", gzipContent},
		{0, "\x28\xb5\x2f\xfd", zstdContent},
		{0, "BZh", "bzip2 data"},
		{0, "\xfd7zXZ\x00", "xz data"},
		{0, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
		{0, "Rar!", "a rar archive"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.content
		}
	}
	if len(head) == 0 {
		return "empty"
	}
	if isTar(head) {
		return "a tar archive"
	}
	return "no archive of a known kind"
}

// want refuses content other than what a file's extension promises.
func want(head []byte, kind, content string) error {
	if got := sniff(head); got != content {
		return fmt.Errorf("extension is %s, but the content is %s", kind, got)
	}
	return nil
}

// wantTar is want for what remains when the compression that kind names has
// been taken off.
func wantTar(head []byte, kind string) error {
	if isTar(head) {
		return nil
	}
	if kind != ".tar" {
		return fmt.Errorf("extension is %s, but what is compressed is %s", kind, sniff(head))
	}
	return fmt.Errorf("extension is %s, but the content is %s", kind, sniff(head))
}

// isTar reports whether head is a tar's first block, which is a header or, in
// an empty tar, zeros.
func isTar(head []byte) bool {
	if len(head) < tarBlock {
		return len(head) > 262 && string(head[257:262]) == "ustar" // cut short
	}
	_, err := tar.NewReader(bytes.NewReader(head)).Next()
	return !errors.Is(err, tar.ErrHeader)
}
