// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"errors"
	"io"
	"path"
)

// placeTar places a tree as an uncompressed tar, with all that a layer says of
// its entries, under names relative to the in-image directory root.
func (a *arranging) placeTar(i int, name, root string) (err error) {
	if err := a.x.stage.mkdir(path.Dir(name)); err != nil {
		return err
	}
	f, err := a.x.stage.create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := tar.NewWriter(f)
	for _, e := range a.shares[i].entries {
		if err := a.x.stage.addMember(w, e, root); err != nil {
			return stageError(path.Join(a.x.stage.dir, name), err)
		}
	}
	if err := w.Close(); err != nil {
		return stageError(path.Join(a.x.stage.dir, name), err)
	}
	return nil
}

// addMember writes an entry below root to a tar.
func (s *stage) addMember(w *tar.Writer, e hauledEntry, root string) error {
	h := &tar.Header{Typeflag: e.Type, Linkname: e.Linkname, Size: e.Size, Mode: octal(e.Mode), Uid: e.UID, Gid: e.GID}
	h.Name, _ = within(e.Name, root)
	switch e.Type {
	case tar.TypeDir:
		h.Name += "/"
	case tar.TypeLink:
		target, ok := within(e.Linkname, root)
		if !ok {
			return integrityf("/%s is a hard link to /%s, which is part of something else", e.Name, e.Linkname)
		}
		h.Linkname = target
	}
	if h.Name == "/" {
		return nil // the tree itself
	}
	if err := w.WriteHeader(h); err != nil || e.Type != tar.TypeReg {
		return err
	}
	content, err := s.spool.Open(e.spooled)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	return errors.Join(err, content.Close(), s.spool.Remove(e.spooled))
}
