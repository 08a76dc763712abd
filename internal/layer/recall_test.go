// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/crane-bake/crane-bake/internal/layer"
)

func oneFile(t *testing.T, content string) *layer.Layer {
	t.Helper()
	entries, err := layer.Walk(fstest.MapFS{"f": {Data: []byte(content)}}, "f", "assets/f")
	if err != nil {
		t.Fatal(err)
	}
	l, err := layer.New(func(yield func(layer.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}, layer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A recalled result holds until a pass says otherwise.
func TestRecall(t *testing.T) {
	want := oneFile(t, "content")
	if err := want.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	known, _ := want.Result()

	same := oneFile(t, "content")
	same.Recall(known)
	if d, err := same.Digest(); err != nil || d != known.Digest || !same.Resolved() || len(same.Files()) != 1 {
		t.Errorf("recalled %s, %v, want %s", d, err, known.Digest)
	}
	if _, err := io.Copy(io.Discard, open(t, same)); err != nil {
		t.Errorf("a pass that agrees: %v", err)
	}
	for _, content := range []string{"CONTENT", "longer content", "c", string(bytes.Repeat([]byte("abc "), 1<<18))} {
		other := oneFile(t, content)
		other.Recall(known)
		if _, err := io.Copy(io.Discard, open(t, other)); !errors.Is(err, layer.ErrRecalled) || !errors.Is(err, layer.ErrChanged) {
			t.Errorf("a pass over %.10q: %v, want ErrRecalled", content, err)
		}
		other.Forget()
		if d, err := other.Digest(); err != nil || d == known.Digest {
			t.Errorf("after Forget: %s, %v", d, err)
		}
	}
	// What a pass has found out is not forgotten.
	want.Forget()
	if !want.Resolved() {
		t.Error("Forget forgot a pass")
	}
}

func open(t *testing.T, l *layer.Layer) io.Reader {
	t.Helper()
	rc, err := l.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rc.Close() })
	return rc
}

// A file's identity changes with the file, whatever its times are set to.
func TestIdentity(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	was, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if layer.IdentityOf(was) == (layer.Identity{}) {
		t.Skip("this system tells nothing of files")
	}
	for layer.IdentityOf(was).ChangeTime == changeTime(t, name) {
		// Until the clock of the file system has moved on.
		if err := os.WriteFile(name, []byte("two"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(name, was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	is, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if !is.ModTime().Equal(was.ModTime()) || layer.IdentityOf(is) == layer.IdentityOf(was) {
		t.Errorf("%+v is still %+v", layer.IdentityOf(is), layer.IdentityOf(was))
	}
}

func changeTime(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return layer.IdentityOf(info).ChangeTime
}
