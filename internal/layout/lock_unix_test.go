// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package layout_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/crane-bake/crane-bake/internal/layout"
)

// waitingContext tells when somebody waits for it.
type waitingContext struct {
	context.Context
	waiting chan struct{}
}

func (c waitingContext) Done() <-chan struct{} {
	c.waiting <- struct{}{}
	return c.Context.Done()
}

// While one writer commits, another waits, but not longer than its context.
func TestCommitWaits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	commit(t, w, store(t, w, image(t, 1)), "v1")
	f := must(os.OpenFile(filepath.Join(dir, "oci-layout"), os.O_RDWR, 0))(t)
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	w = must(layout.CreateDir(dir, layout.NewChecks()))(t)
	img := store(t, w, image(t, 2))
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if err := w.Commit(ctx, img, []string{"v2"}); !errors.Is(err, reason) {
		t.Errorf("got %v, want the reason of the end", err)
	}
	w.Abort()
	if len(tree(t, dir)) != len(before) {
		t.Errorf("left behind: %d files, before %d", len(tree(t, dir)), len(before))
	}

	w = must(layout.CreateDir(dir, layout.NewChecks()))(t)
	img = store(t, w, image(t, 2))
	done := make(chan error, 1)
	waits := waitingContext{t.Context(), make(chan struct{}, 1000)}
	go func() { done <- w.Commit(waits, img, []string{"v2"}) }()
	select {
	case err := <-done:
		t.Errorf("committed while the layout was locked: %v", err)
	case <-waits.waiting:
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := soon(t, "Commit", func() error { return <-done }); err != nil {
		t.Error(err)
	}
	if got := len(tagsIn(t, dir)); got != 2 {
		t.Errorf("%d tags, want 2", got)
	}
}

// Processes that write into one layout, which none of them finds, lose nothing.
func TestManyProcesses(t *testing.T) {
	const processes, each = 4, 5
	if dir := os.Getenv("LAYOUT_TEST_DIR"); dir != "" {
		for n := range each {
			w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
			commit(t, w, store(t, w, image(t, uint64(n%2))), fmt.Sprintf("%s-%d", os.Getenv("LAYOUT_TEST_TAG"), n))
		}
		return
	}
	dir := filepath.Join(t.TempDir(), "deep", "image")
	var wg sync.WaitGroup
	for n := range processes {
		cmd := exec.CommandContext(t.Context(), must(os.Executable())(t), "-test.run=^TestManyProcesses$")
		cmd.Env = append(os.Environ(), "LAYOUT_TEST_DIR="+dir, fmt.Sprint("LAYOUT_TEST_TAG=", n))
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	if got := len(tagsIn(t, dir)); got != processes*each {
		t.Errorf("%d tags, want %d", got, processes*each)
	}
	if err := validate.Index(must(ggcr.ImageIndexFromPath(dir))(t)); err != nil {
		t.Error(err)
	}
}

// The stage of a writer that lives is left alone.
func TestSweepSparesTheLiving(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	a := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	img := store(t, a, image(t, 1))
	must(layout.CreateDir(dir, layout.NewChecks()))(t).Abort()
	commit(t, a, img, "v1")
}
