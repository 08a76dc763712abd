// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"os"
	"path/filepath"
	"sync"
)

// locked is the files that this process has locked where the system cannot.
var locked = struct {
	sync.Mutex
	names map[string]bool
}{names: map[string]bool{}}

// tryLockName locks f by its name, in this process alone. It returns nil where
// the name is locked.
func tryLockName(f *os.File) (release func(), err error) {
	name, err := filepath.EvalSymlinks(f.Name())
	if err == nil {
		name, err = filepath.Abs(name)
	}
	if err != nil {
		return nil, err
	}
	locked.Lock()
	defer locked.Unlock()
	if locked.names[name] {
		return nil, nil
	}
	locked.names[name] = true
	return func() {
		locked.Lock()
		defer locked.Unlock()
		delete(locked.names, name)
	}, nil
}
