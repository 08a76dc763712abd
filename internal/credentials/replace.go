// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replace gives a file its content all at once. Only its owner may read it.
func replace(name string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".auth-*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	keepOwner(name, tmp)
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// fileError is err about a file, without the name of the system call or of a
// temporary file.
func fileError(name string, err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("writing auth file %s: %w", name, err)
}
