// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// A stage is a directory within a layout where one writer's blobs wait for
// Commit: nobody else refers to what is there. It is locked while its writer
// lives, so that what a killed one left can be told from it.
type stage struct {
	dir  string
	lock *fileLock
}

const (
	stagePrefix = ".part-"
	stageLock   = "lock"
)

// newStage makes a stage in the directory layout.
func newStage(layout string) (*stage, error) {
	for {
		dir := filepath.Join(layout, fmt.Sprintf("%s%08x", stagePrefix, rand.Uint32()))
		err := os.Mkdir(dir, 0o777)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := os.OpenFile(filepath.Join(dir, stageLock), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return nil, errors.Join(err, os.Remove(dir))
		}
		lock, err := lockFile(f)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		if lock != nil { // else somebody swept it before it was locked
			return &stage{dir, lock}, nil
		}
	}
}

// create makes a new file, as readable as the umask lets other files be;
// os.CreateTemp's are for their owner alone.
func (s *stage) create() (*os.File, error) { return createTemp(s.dir, "") }

// remove removes the stage and what is still in it. What cannot be removed
// hurts nobody, and is swept by the next writer.
func (s *stage) remove() {
	_ = s.lock.Close() // has nothing written to it; and no system removes an open file but Unix
	_ = os.RemoveAll(s.dir)
}

// sweep removes the stages that killed writers left in the directory layout.
func sweep(layout string) {
	entries, err := os.ReadDir(layout)
	if err != nil {
		return // it is only tidying up
	}
	for _, e := range entries {
		if !isStage(e) {
			continue
		}
		dir := filepath.Join(layout, e.Name())
		f, err := os.OpenFile(filepath.Join(dir, stageLock), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if abandoned(f) {
			_ = os.RemoveAll(dir)
		}
		_ = f.Close() // nothing was written
	}
}

func isStage(e fs.DirEntry) bool { return e.IsDir() && strings.HasPrefix(e.Name(), stagePrefix) }

// createTemp makes a new file in dir, whose name starts with prefix.
func createTemp(dir, prefix string) (*os.File, error) {
	for {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s%08x", prefix, rand.Uint32())), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}
