// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// maxSize bounds an auth file, which holds a line or two for each registry.
const maxSize = 1 << 20

// A FileError says that an auth file cannot be read as one. It quotes nothing
// of the file.
type FileError struct {
	File string // or $VARIABLE
	Line int    // 0 is unknown
	Err  error
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("auth file %s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("auth file %s:%d: %v", e.File, e.Line, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// authFile is an auth file's content.
type authFile struct {
	name    string
	text    []byte
	auths   map[string]entry
	helpers map[string]string // by registry, or longer scope
	store   string            // the helper for registries that have none of their own
}

// entry is the credentials under one key.
type entry struct {
	Auth          string `json:"auth"` // base64 of USER:PASSWORD
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// readFile reads an auth file. Its error is a *FileError, or has fs.ErrNotExist
// in its chain.
func readFile(name string) (*authFile, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var text []byte
	if err == nil {
		defer file.Close()
		text, err = io.ReadAll(io.LimitReader(file, maxSize+1))
	}
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return nil, &FileError{File: name, Err: path.Err} // without the name of the system call
	case err != nil:
		return nil, &FileError{File: name, Err: err}
	case len(text) > maxSize:
		return nil, &FileError{File: name, Err: fmt.Errorf("larger than %d MiB", maxSize>>20)}
	}
	return parse(name, text)
}

// parse reads an auth file's content; what it does not know is another
// program's.
func parse(name string, text []byte) (*authFile, error) {
	var content struct {
		Auths   map[string]entry  `json:"auths"`
		Helpers map[string]string `json:"credHelpers"`
		Store   string            `json:"credsStore"`
	}
	f := &authFile{name: name, text: text}
	if len(bytes.TrimSpace(text)) == 0 {
		return f, nil // as "> auth.json" leaves it
	}
	if err := json.Unmarshal(text, &content); err != nil {
		return nil, f.broken(err)
	}
	f.auths, f.helpers, f.store = content.Auths, content.Helpers, content.Store
	return f, nil
}

// broken is err of the JSON decoder without what it quotes of the file.
func (f *authFile) broken(err error) error {
	at := int64(len(f.text))
	why := errors.New("not valid JSON")
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
		found, _, _ := strings.Cut(kind.Value, " ") // "number 1.5"
		why = fmt.Errorf("%s here does not belong into an auth file", article(found))
	}
	at = min(max(at-1, 0), int64(len(f.text))) // the offset is behind what is wrong
	return &FileError{File: f.name, Line: 1 + bytes.Count(f.text[:at], []byte("\n")), Err: why}
}

func article(kind string) string {
	if strings.ContainsAny(kind[:min(1, len(kind))], "aeiou") {
		return "an " + kind
	}
	return "a " + kind
}

// helper is the name of the credential helper for scope, or "".
func (f *authFile) helper(scope string) string {
	for _, key := range keysFor(f.helpers, scope) {
		if f.helpers[key] != "" {
			return f.helpers[key]
		}
	}
	return ""
}

// entry is the credentials that f holds for scope, or nil. Where a helper keeps
// them, docker login leaves an empty entry.
func (f *authFile) entry(scope string) (*authn.AuthConfig, error) {
	for _, key := range keysFor(f.auths, scope) {
		e := f.auths[key]
		if e == (entry{}) {
			continue
		}
		found := &authn.AuthConfig{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken}
		if e.Auth == "" {
			return found, f.complete(key, found)
		}
		text, err := base64.StdEncoding.DecodeString(e.Auth)
		user, password, ok := strings.Cut(string(text), ":")
		if err != nil || !ok || user == "" {
			return nil, &FileError{File: f.name, Line: f.lineOf(key), Err: fmt.Errorf("auth of %q is not USER:PASSWORD in base64", key)}
		}
		// Docker pads passwords with zeros.
		found.Username, found.Password = user, strings.Trim(password, "\x00")
		return found, f.complete(key, found)
	}
	return nil, nil
}

// complete refuses credentials that would be sent as nobody's. An account with a
// token needs no password: docker login leaves it empty then.
func (f *authFile) complete(key string, c *authn.AuthConfig) error {
	if c.IdentityToken != "" || c.RegistryToken != "" || c.Username != "" && c.Password != "" {
		return nil
	}
	lacks := "password"
	if c.Username == "" {
		lacks = "user"
	}
	return &FileError{File: f.name, Line: f.lineOf(key), Err: fmt.Errorf("the entry for %q has no %s", key, lacks)}
}

// lineOf is the line of an entry, 0 where the key is written in escapes.
func (f *authFile) lineOf(key string) int {
	i := bytes.Index(f.text, []byte(`"`+key+`"`))
	if i < 0 {
		return 0
	}
	return 1 + bytes.Count(f.text[:i], []byte("\n"))
}

// keysFor is the keys of m whose scope is scope, those in the same words first.
func keysFor[V any](m map[string]V, scope string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		switch {
		case key == scope:
			keys = slices.Insert(keys, 0, key)
		case scopeOf(key) == scope:
			keys = append(keys, key)
		}
	}
	return keys
}
