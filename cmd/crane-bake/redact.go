// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"strings"
)

// secretsOf takes a password out of what a registry or a helper says, which may
// quote what it was sent.
func secretsOf(user, password string) *strings.Replacer {
	secrets := []string{password, base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	if quoted, err := json.Marshal(password); err == nil { // as helpers are given it
		secrets = append(secrets, strings.Trim(string(quoted), `"`))
	}
	secrets = append(secrets, strings.Trim(strconv.Quote(password), `"`)) // as a log has it
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, "(password)")
	}
	return strings.NewReplacer(pairs...)
}

func redact(err error, secrets *strings.Replacer) error { return &redactedError{err, secrets} }

type redactedError struct {
	err     error
	secrets *strings.Replacer
}

func (e *redactedError) Error() string { return e.secrets.Replace(e.err.Error()) }
func (e *redactedError) Unwrap() error { return e.err }

// redactedWriter is for a log, whose entries are written whole. The secrets are
// known before the first entry.
type redactedWriter struct {
	to      io.Writer
	secrets **strings.Replacer
}

func (w redactedWriter) Write(entry []byte) (int, error) {
	if _, err := io.WriteString(w.to, (*w.secrets).Replace(string(entry))); err != nil {
		return 0, err
	}
	return len(entry), nil
}
