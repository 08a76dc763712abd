// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
)

// secretsOf takes a password out of what a registry or a helper says, which may
// quote what it was sent.
func secretsOf(user, password string) *strings.Replacer {
	secrets := []string{password, base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	if quoted, err := json.Marshal(password); err == nil { // as helpers are given it
		secrets = append(secrets, strings.Trim(string(quoted), `"`))
	}
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

// redactedLog is a log of what registries say.
type redactedLog struct {
	slog.Handler
	secrets *strings.Replacer
}

func (l redactedLog) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if _, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(l.secrets.Replace(a.Value.String()))
		}
		clean.AddAttrs(a)
		return true
	})
	return l.Handler.Handle(ctx, clean)
}
