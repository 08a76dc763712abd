// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Store keeps credentials in an auth file and in the credential helpers that
// the file names.
type Store struct {
	// File is the auth file; it need not be there.
	File string

	limit time.Duration // of a helper's answer
}

// ErrNoPlace says that Places name no file to keep credentials in.
var ErrNoPlace = errors.New("no place for credentials")

// NewStore returns the store that a login writes to: AuthFile, the file of
// REGISTRY_AUTH_FILE, config.json in DOCKER_CONFIG, or .docker/config.json in
// the home directory, whichever is given first. Without any of them the error
// is ErrNoPlace.
func NewStore(places Places) (*Store, error) {
	getenv := func(key string) string {
		if places.LookupEnv == nil {
			return ""
		}
		v, _ := places.LookupEnv(key)
		return v
	}
	s := &Store{limit: helperLimit}
	switch podmanFile, dockerDir := getenv("REGISTRY_AUTH_FILE"), getenv("DOCKER_CONFIG"); {
	case places.AuthFile != "":
		s.File = places.AuthFile
	case podmanFile != "":
		s.File = filepath.Clean(podmanFile)
	case dockerDir != "":
		s.File = filepath.Join(dockerDir, "config.json")
	case places.Home != "":
		s.File = filepath.Join(places.Home, ".docker", "config.json")
	default:
		return nil, ErrNoPlace
	}
	return s, nil
}

// Put keeps a user's password for a scope, and returns the helper that has it
// now, empty for the file itself. The file gets mode 0600, and a new directory
// 0700; what others keep in the file stays. The error is a *FileError for a
// broken file, which stays as it was.
func (s *Store) Put(ctx context.Context, scope Scope, user, password string) (helper string, err error) {
	f, err := s.read()
	if err != nil {
		return "", err
	}
	auth := []byte(`"` + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + `"`)
	if helper = f.helperFor(scope); helper != "" {
		input, err := json.Marshal(map[string]string{"ServerURL": scope.key(), "Username": user, "Secret": password})
		if err != nil {
			return "", err
		}
		program := "docker-credential-" + helper
		if _, err := callHelper(ctx, s.limit, program, "store", scope.key(), string(input)); err != nil {
			return "", fmt.Errorf("%s: %w", s.File, err)
		}
		auth = nil // an empty entry lists the registry, as Docker does
	}
	return helper, s.change(ctx, func(auths *object) error {
		auths.drop(scope, scope.key())
		entry, err := auths.exact(scope.key())
		if err != nil {
			return err
		}
		entry = slices.DeleteFunc(entry, isSecret)
		if auth != nil {
			entry.set("auth", auth)
		}
		auths.setExact(scope.key(), entry.text())
		return nil
	})
}

// Remove takes the credentials for a scope out of the file, and out of the
// helper that the file names for it. It reports whether there were any.
func (s *Store) Remove(ctx context.Context, scope Scope) (was bool, err error) {
	f, err := s.read()
	if err != nil {
		return false, err
	}
	if helper := f.helperFor(scope); helper != "" {
		if was, err = s.erase(ctx, "docker-credential-"+helper, scope.key()); err != nil {
			return false, fmt.Errorf("%s: %w", s.File, err)
		}
	}
	if len(keysFor(f.auths, scope.String())) == 0 {
		return was, nil
	}
	return true, s.change(ctx, func(auths *object) error {
		auths.drop(scope, "")
		return nil
	})
}

// erase takes a server's credentials out of a helper. Helpers differ in what
// they say where there is nothing, so it is asked first.
func (s *Store) erase(ctx context.Context, program, server string) (was bool, err error) {
	_, err = callHelper(ctx, s.limit, program, "get", server, server)
	if err == nil {
		_, err = callHelper(ctx, s.limit, program, "erase", server, server)
	}
	if errors.Is(err, errNotKept) {
		return false, nil
	}
	return err == nil, err
}

// read reads the file; one that is not there is empty.
func (s *Store) read() (*authFile, error) {
	f, err := readFile(s.File)
	if errors.Is(err, fs.ErrNotExist) {
		return &authFile{name: s.File}, nil
	}
	return f, err
}

// helperFor is the helper that a Keychain asks for a scope, or "". The one for
// all registries knows hosts only.
func (f *authFile) helperFor(scope Scope) string {
	helper := f.helper(scope.String())
	if helper == "" && scope.path == "" {
		return f.store
	}
	return helper
}

// change rewrites the file's entries, under a lock: jobs of one user log in
// side by side.
func (s *Store) change(ctx context.Context, edit func(auths *object) error) error {
	target, err := filepath.EvalSymlinks(s.File)
	switch _, linked := os.Readlink(s.File); {
	case errors.Is(err, fs.ErrNotExist) && linked == nil:
		return &FileError{File: s.File, Err: errors.New("a symbolic link to nothing")}
	case errors.Is(err, fs.ErrNotExist):
		target = s.File
	case err != nil:
		return fileError(s.File, err)
	}
	dir := filepath.Dir(target)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fileError(s.File, err)
	}
	unlock, err := lock(ctx, dir)
	if err != nil {
		return fileError(s.File, err)
	}
	defer unlock()

	f, err := s.read() // again: another process may have written it
	if err != nil {
		return err
	}
	text, err := f.edited(edit)
	if err != nil {
		return err
	}
	return fileError(s.File, replace(target, text))
}

// edited is the file's text with other entries.
func (f *authFile) edited(edit func(auths *object) error) ([]byte, error) {
	var whole object
	if len(bytes.TrimSpace(f.text)) > 0 {
		if err := json.Unmarshal(f.text, &whole); err != nil {
			return nil, f.broken(err)
		}
	}
	auths, err := whole.object("auths")
	if err == nil {
		err = edit(&auths)
	}
	if err != nil {
		return nil, f.broken(err)
	}
	whole.set("auths", auths.text())
	var b bytes.Buffer
	if err := json.Indent(&b, whole.text(), "", "\t"); err != nil {
		return nil, f.broken(err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// drop deletes the entries of a scope, but for the one under key.
func (o *object) drop(scope Scope, key string) {
	*o = slices.DeleteFunc(*o, func(m member) bool { return m.key != key && scopeOf(m.key) == scope.String() })
}

// exact and setExact are object and set for keys that are data, where other
// letters are another key.
func (o object) exact(key string) (object, error) {
	for _, m := range o {
		if m.key == key {
			return object{m}.object(key)
		}
	}
	return nil, nil
}

func (o *object) setExact(key string, text []byte) {
	*o = slices.DeleteFunc(*o, func(m member) bool { return m.key == key })
	*o = append(*o, member{key, text})
}

// isSecret reports the members of an entry that a login replaces.
func isSecret(m member) bool {
	return slices.Contains([]string{"auth", "username", "password", "identitytoken", "registrytoken"}, strings.ToLower(m.key))
}
