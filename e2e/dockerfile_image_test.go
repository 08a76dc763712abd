// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// rootFS describes what is in the root file system of an image, by path. Hard
// links are the same files in whatever order an archive has them. Times are
// left out, as in tree.
func rootFS(t testing.TB, img v1.Image) map[string]string {
	t.Helper()
	rc := mutate.Extract(img)
	defer rc.Close()
	files, links := map[string]string{}, map[string]string{}
	for r := tar.NewReader(rc); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := path.Clean("/" + h.Name)
		if files[name] != "" {
			t.Errorf("%s is there twice", name)
		}
		files[name] = fmt.Sprintf("%s %d:%d", h.FileInfo().Mode(), h.Uid, h.Gid)
		switch h.Typeflag {
		case tar.TypeLink:
			links[name] = path.Clean("/" + h.Linkname)
		case tar.TypeSymlink:
			files[name] += " to " + h.Linkname
		case tar.TypeReg:
			content := sha256.New()
			if _, err := io.Copy(content, r); err != nil {
				t.Fatal(err)
			}
			files[name] += fmt.Sprintf(" %d bytes %.3x", h.Size, content.Sum(nil))
		}
	}
	inodes := map[string][]string{}
	for name, target := range links {
		for links[target] != "" {
			target = links[target]
		}
		inodes[target] = append(inodes[target], name)
	}
	for target, names := range inodes {
		names = append(names, target)
		slices.Sort(names)
		text := files[target] + " linked " + strings.Join(names, " ")
		for _, name := range names {
			files[name] = text
		}
	}
	return files
}

// members is what the config of an image says, in JSON by member; of config's
// members, and of environment and labels, each by itself.
func members(t testing.TB, img v1.Image) map[string]string {
	t.Helper()
	all := compared(t, img)
	config := all["config"].(map[string]any)
	delete(all, "config")
	flat := map[string]any{}
	for key, v := range all {
		flat[key] = v
	}
	for key, v := range config {
		switch v := v.(type) {
		case map[string]any:
			for name, v := range v {
				flat[key+" "+name] = v
			}
		case []any:
			if key != "Env" {
				flat[key] = v
				continue
			}
			for _, pair := range v {
				name, value, _ := strings.Cut(pair.(string), "=")
				flat[key+" "+name] = value
			}
		default:
			flat[key] = v
		}
	}
	texts := map[string]string{}
	for key, v := range flat {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		texts[key] = string(text)
	}
	return texts
}
