// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import "os"

// BlobHeader is blobHeader, because no test writes a blob of 8 GiB.
var BlobHeader = blobHeader

// LockByName is what stands in for locks where the system has none.
var LockByName = tryLockName

// SetFile lets the archive go on in f, in place of its temporary file.
func (a *Archive) SetFile(f *os.File) error {
	err := a.tmp.Close()
	if rerr := os.Remove(a.tmp.Name()); err == nil {
		err = rerr
	}
	a.tmp = f
	return err
}
