// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// errUponBake means that layers were put upon a bake, so that it cannot be
// taken off.
var errUponBake = errors.New("there are layers upon its bake, of which its record does not tell")

// recordOf reads the record of a baked image, and proves that it is one of a
// bake and fits the image. It returns nil for an image without one.
func recordOf(c *baseConfig) (*Record, error) {
	label, ok := c.labels[RecordLabel]
	if !ok {
		return nil, nil
	}
	broken := func(err error) error {
		return fmt.Errorf("its record (label %s) %w", RecordLabel, err)
	}
	var r Record
	if err := json.Unmarshal([]byte(label), &r); err != nil {
		return nil, broken(integrityf("is no record: %w", err))
	}
	if r.Version > recordVersion {
		return nil, fmt.Errorf("its record has version %d, of a newer crane-bake than this one, which knows %d", r.Version, recordVersion)
	}
	if err := r.fits(c); err != nil {
		return nil, broken(err)
	}
	if err := r.sound(); err != nil {
		return nil, broken(err)
	}
	if len(c.diffIDs) > r.Base.Layers+len(r.Layers) {
		return &r, errUponBake
	}
	return &r, nil
}

// fits compares the record with the image's config. Its errors go on from "its
// record".
func (r *Record) fits(c *baseConfig) error {
	switch {
	case r.Version < 1:
		return integrityf("has no version")
	case r.Base.Digest == v1.Hash{}:
		return integrityf("names no base")
	case r.Base.Layers < 0 || r.Base.Layers > len(c.diffIDs):
		return integrityf("gives the base %d layers; the image has %d", r.Base.Layers, len(c.diffIDs))
	case r.Base.History < 0 || r.Base.History > len(c.history):
		return integrityf("gives the base %d history entries; the image has %d", r.Base.History, len(c.history))
	case r.Base.ChainID != chainID(c.diffIDs[:r.Base.Layers]):
		return integrityf("does not fit: the first %d layers are not those of the base that it names", r.Base.Layers)
	}
	env := envMap(c.env)
	for _, k := range r.Env.Set {
		if _, ok := env[k]; !ok {
			return integrityf("does not fit: variable %s is not set", k)
		}
	}
	for _, k := range r.Labels.Set {
		if _, ok := c.labels[k]; !ok {
			return integrityf("does not fit: label %s is not set", k)
		}
	}
	if n := r.Base.Layers + len(r.Layers) - len(c.diffIDs); n > 0 {
		return integrityf("does not fit: %d of the bake's layers are missing", n)
	}
	return nil
}

// sound refuses assets that no bake records. Its errors go on from "its
// record".
func (r *Record) sound() error {
	dir := r.AssetsDir
	if len(r.Assets) > 0 && (!path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" || !sayable(dir)) {
		return integrityf("has the assets directory %q", dir)
	}
	for _, f := range r.Assets {
		if why := f.unsound(); why != "" {
			return integrityf("has an asset that no bake has, role %q, path %q: %s", f.Role, f.Path, why)
		}
	}
	return nil
}

// contentIDs are those of RecordedFile.
var contentIDs = lazyregexp.New(`^([0-9a-f]{64}|link:[^\x00]+)$`)

// unsound says what about the file no bake records, or nothing.
func (f RecordedFile) unsound() string {
	slot, notNumber := strconv.Atoi(f.Name)
	switch {
	case classOf(f.Role) == "":
		return "no such role"
	case !path.IsAbs(f.Path), path.Clean(f.Path) != f.Path, !sayable(f.Path), f.Path == "/" && !f.Tree:
		return "the path is none of a file"
	case f.Size < 0:
		return fmt.Sprintf("%d bytes", f.Size)
	case f.Files < 0, f.Files > 0 && !f.Tree:
		return fmt.Sprintf("%d files", f.Files)
	case !contentIDs().MatchString(f.SHA256), f.Tree && strings.HasPrefix(f.SHA256, "link:"):
		return fmt.Sprintf("sha256 %q", f.SHA256)
	case f.Role == RoleStream && (notNumber != nil || slot < 0), !sayable(f.Name):
		return fmt.Sprintf("name %q", f.Name)
	}
	return ""
}
