// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// A source that is another one than what was listed.
func TestSourceChanged(t *testing.T) {
	when := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		change func(file string) error
		want   string
	}{
		{"grown", func(f string) error { return os.WriteFile(f, []byte("content and more"), 0o600) }, `"f" has 16 bytes instead of 7`},
		{"shrunk", func(f string) error { return os.Truncate(f, 3) }, `"f" has 3 bytes instead of 7`},
		{"rewritten", func(f string) error {
			return errors.Join(os.WriteFile(f, []byte("CONTENT"), 0o600), os.Chtimes(f, when, when.Add(time.Nanosecond*1000)))
		}, `"f" has another modification time`},
		{"removed", os.Remove, "no such file"},
		{"now a directory", func(f string) error { return errors.Join(os.Remove(f), os.Mkdir(f, 0o700)) }, `"f" is no longer a regular file`},
		{"same size and time", func(f string) error {
			return errors.Join(os.WriteFile(f, []byte("CONTENT"), 0o600), os.Chtimes(f, when, when))
		}, "is now"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			name := filepath.Join(dir, "f")
			if err := errors.Join(os.WriteFile(name, []byte("content"), 0o600), os.Chtimes(name, when, when)); err != nil {
				t.Fatal(err)
			}
			list, err := layer.Walk(os.DirFS(dir), "f", "assets/f")
			if err != nil {
				t.Fatal(err)
			}
			l := newLayer(t, sequence(list...), layer.Options{})
			want := digestOf(t, l)
			if err := tt.change(name); err != nil {
				t.Fatal(err)
			}
			r, err := l.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			if !errors.Is(err, layer.ErrChanged) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if got := digestOf(t, l); got != want {
				t.Errorf("digest %s, want the first one, %s", got, want)
			}
		})
	}
}

// touchy is a file system whose files change when they have been read.
type touchy struct {
	fs.FS
	touched bool
}

func (t *touchy) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	return touchyFile{f, t}, err
}

type touchyFile struct {
	fs.File
	fs *touchy
}

func (f touchyFile) Read(p []byte) (int, error) {
	f.fs.touched = true
	return f.File.Read(p)
}

func (f touchyFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	if f.fs.touched {
		info = laterInfo{info}
	}
	return info, err
}

type laterInfo struct{ fs.FileInfo }

func (i laterInfo) ModTime() time.Time { return i.FileInfo.ModTime().Add(time.Hour) }

func TestSourceChangedWhileRead(t *testing.T) {
	fsys := &touchy{FS: fstest.MapFS{"f": {Data: []byte("content")}}}
	info, err := fs.Stat(fsys, "f")
	if err != nil {
		t.Fatal(err)
	}
	l := newLayer(t, sequence(layer.FileEntry(fsys, "f", info, "f")), layer.Options{})
	if err := l.Resolve(t.Context()); !errors.Is(err, layer.ErrChanged) {
		t.Errorf("got %v, want %v", err, layer.ErrChanged)
	}
}

// An HTTP client that knows the size may stop at the last byte. It must not
// get that far where the content is another one.
func TestChangeShowsBeforeTheEnd(t *testing.T) {
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			content := noise(3000)
			l := newLayer(t, func(yield func(layer.Entry, error) bool) {
				yield(fileOf("f", content), nil)
			}, layer.Options{Algorithm: algorithm})
			size, err := l.Size()
			if err != nil {
				t.Fatal(err)
			}
			content = append([]byte("other"), content[:2995]...)
			for name, open := range map[string]func() (io.ReadCloser, error){
				"compressed":   l.Compressed,
				"uncompressed": l.Uncompressed,
			} {
				n := size
				if name == "uncompressed" {
					n = 512 + 3072 + 1024 // header, content, end
				}
				r, err := open()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if _, err := io.ReadFull(r, make([]byte, n)); !errors.Is(err, layer.ErrChanged) {
					t.Errorf("%s: got %v, want %v", name, err, layer.ErrChanged)
				}
			}
		})
	}
}

// A later pass may also be longer than the first.
func TestLongerSecondPass(t *testing.T) {
	content := noise(1 << 20)
	cut := 1000
	l := newLayer(t, func(yield func(layer.Entry, error) bool) {
		yield(fileOf("f", content[:cut]), nil)
	}, layer.Options{})
	if err := l.Resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	cut = len(content)
	r, err := l.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); !errors.Is(err, layer.ErrChanged) {
		t.Errorf("%d bytes, %v; want %v", n, err, layer.ErrChanged)
	}
}

func TestFileEntryMode(t *testing.T) {
	for _, tt := range []struct{ mode, want fs.FileMode }{
		{0o600, 0o644},
		{0o666, 0o644},
		{0o444, 0o644},
		{0o000, 0o644},
		{0o611, 0o644},
		{0o700, 0o755},
		{0o755, 0o755},
		{0o100, 0o755},
		{0o755 | fs.ModeSetuid, 0o755},
	} {
		fsys := fstest.MapFS{"f": {Mode: tt.mode}}
		info, err := fs.Stat(fsys, "f")
		if err != nil {
			t.Fatal(err)
		}
		if got := layer.FileEntry(fsys, "f", info, "f").Mode; got != tt.want {
			t.Errorf("mode %v becomes %v, want %v", tt.mode, got, tt.want)
		}
	}
}
