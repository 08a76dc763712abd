// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import "os"

// TarHeader is tarHeader, because no test writes a blob of 8 GiB.
var TarHeader = tarHeader

// SetFile lets the archive go on in f, in place of its temporary file.
func (a *Archive) SetFile(f *os.File) error {
	err := a.tmp.Close()
	if rerr := os.Remove(a.tmp.Name()); err == nil {
		err = rerr
	}
	a.tmp = f
	return err
}
