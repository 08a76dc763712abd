// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// account assigns the files of a bake's layers to its assets: to those with a
// file's path, or else to the tree with the longest path above it. It returns
// the assets with the sizes, counts and digests that follow, an absent file's
// empty, and the files that are no asset's. Of files with one name the last
// counts, as in an image.
func account(assets []RecordedFile, packed []layer.File) ([]RecordedFile, []layer.File) {
	byName := map[string]layer.File{}
	for _, f := range packed {
		byName[f.Name] = f
	}
	out := slices.Clone(assets)
	singles := map[string][]int{}
	trees := make([][]layer.File, len(out))
	for i := range out {
		out[i].Size, out[i].Files, out[i].SHA256 = 0, 0, ""
		if name := strings.TrimPrefix(out[i].Path, "/"); !out[i].Tree {
			singles[name] = append(singles[name], i)
		}
	}
	var extra []layer.File
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		f := byName[name]
		if owners := singles[name]; len(owners) > 0 {
			for _, i := range owners {
				out[i].Size, out[i].SHA256 = f.Size, contentID(f)
			}
		} else if i := treeOf(out, name); i >= 0 {
			out[i].Size += f.Size
			trees[i] = append(trees[i], f)
		} else {
			extra = append(extra, f)
		}
	}
	for i := range out {
		if out[i].Tree {
			out[i].Files, out[i].SHA256 = len(trees[i]), treeHash(out[i].Path, trees[i])
		}
	}
	return out, extra
}

// treeOf is the tree that the file name counts as part of, or -1.
func treeOf(assets []RecordedFile, name string) int {
	found := -1
	for i, a := range assets {
		root := strings.Trim(a.Path, "/") + "/"
		if a.Tree && (root == "/" || strings.HasPrefix(name, root)) && (found < 0 || len(a.Path) > len(assets[found].Path)) {
			found = i
		}
	}
	return found
}

// contentID is what stands for a file's content: its SHA-256 in hex, or a
// link's target.
func contentID(f layer.File) string {
	if f.SHA256 == "" {
		return "link:" + f.Linkname
	}
	return f.SHA256
}

// treeHash is the SHA-256 of the files of a tree, which are sorted by name; see
// RecordedFile.
func treeHash(root string, files []layer.File) string {
	h := sha256.New()
	prefix := strings.Trim(root, "/") + "/"
	for _, f := range files {
		fmt.Fprintf(io.Writer(h), "%s  %s\n", contentID(f), strings.TrimPrefix(f.Name, prefix))
	}
	return hex.EncodeToString(h.Sum(nil))
}
