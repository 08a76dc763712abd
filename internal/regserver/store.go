// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// A store keeps repositories in a backend:
//
//	content/DIGEST                            a blob's or a manifest's bytes
//	repositories/NAME/blobs/DIGEST            empty: the repository has the blob
//	repositories/NAME/manifests/DIGEST        the manifest's media type
//	repositories/NAME/tags/TAG                a digest
//	repositories/NAME/referrers/DIGEST/DIGEST subject, referrer: its descriptor
//
// A file name holds no colon, no slash and no upper case, for file systems
// that reserve or fold them: DIGEST has "-" for ":", NAME has "+" for "/", and
// TAG has "!x" for "X". None of these is in the grammar that it stands in for.
type store struct {
	backend
	// mu orders changes, so that nothing that is checked before a change goes
	// away during it. Readers go without: an object is there or is not.
	mu sync.Mutex
}

const contentDir, repositoriesDir = "content", "repositories"

func (d digest) file() string { return strings.Replace(string(d), ":", "-", 1) }

func contentKey(d digest) string { return path.Join(contentDir, d.file()) }

func repoKey(name string, parts ...string) string {
	return path.Join(append([]string{repositoriesDir, strings.ReplaceAll(name, "/", "+")}, parts...)...)
}

func blobKey(name string, d digest) string { return repoKey(name, "blobs", d.file()) }

func manifestKey(name string, d digest) string { return repoKey(name, "manifests", d.file()) }

func tagKey(name, tag string) string {
	var b strings.Builder
	for _, r := range tag {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return repoKey(name, "tags", b.String())
}

func tagOf(file string) string {
	head, rest, escaped := strings.Cut(file, "!")
	if !escaped || rest == "" {
		return file
	}
	return head + strings.ToUpper(rest[:1]) + tagOf(rest[1:])
}

func (s *store) read(key string) ([]byte, error) {
	f, _, err := s.open(key)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

func (s *store) contentSize(d digest) (int64, error) {
	f, size, err := s.open(contentKey(d))
	if err != nil {
		return 0, err
	}
	return size, f.Close()
}

func (s *store) hasBlob(name string, d digest) (bool, error) { return s.has(blobKey(name, d)) }

func (s *store) hasManifest(name string, d digest) (bool, error) {
	return s.has(manifestKey(name, d))
}

// openBlob is fs.ErrNotExist where another repository has the blob and this
// one has not.
func (s *store) openBlob(name string, d digest) (io.ReadSeekCloser, int64, error) {
	switch ok, err := s.hasBlob(name, d); {
	case err != nil:
		return nil, 0, err
	case !ok:
		return nil, 0, fs.ErrNotExist
	}
	return s.open(contentKey(d))
}

// addBlob takes what was staged into name. The caller has checked d.
func (s *store) addBlob(name string, d digest, content staged) error {
	if err := content.flush(); err != nil {
		return fmt.Errorf("storing %s: %w", d, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch ok, err := s.has(contentKey(d)); {
	case err != nil:
		return fmt.Errorf("storing %s: %w", d, err)
	case !ok:
		if err := content.commit(contentKey(d)); err != nil {
			return fmt.Errorf("storing %s: %w", d, err)
		}
	}
	return s.put(blobKey(name, d), nil)
}

// mountBlob reports false where from has no such blob.
func (s *store) mountBlob(from, to string, d digest) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok, err := s.hasBlob(from, d)
	if err != nil || !ok {
		return false, err
	}
	return true, s.put(blobKey(to, d), nil)
}

func (s *store) removeBlob(name string, d digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.remove(blobKey(name, d)); err != nil {
		return err
	}
	return s.sweep(d)
}

// sweep removes content that no repository has any more.
func (s *store) sweep(d digest) error {
	names, err := s.repositories()
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, key := range []string{blobKey(name, d), manifestKey(name, d)} {
			if ok, err := s.has(key); err != nil || ok {
				return err
			}
		}
	}
	return s.remove(contentKey(d))
}

// exists reports whether a repository has any content.
func (s *store) exists(name string) (bool, error) {
	for _, kind := range []string{"manifests", "blobs"} {
		if files, err := s.list(repoKey(name, kind)); err != nil || len(files) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// repositories are the names of those with content, sorted.
func (s *store) repositories() ([]string, error) {
	files, err := s.list(repositoriesDir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		name := strings.ReplaceAll(file, "+", "/")
		switch ok, err := s.exists(name); {
		case err != nil:
			return nil, err
		case ok:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// tags are sorted by their bytes.
func (s *store) tags(name string) ([]string, error) {
	files, err := s.list(repoKey(name, "tags"))
	if err != nil {
		return nil, err
	}
	for i, file := range files {
		files[i] = tagOf(file)
	}
	slices.Sort(files)
	return files, nil
}
