// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/internal/credentials"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// The exit codes that scripts rely on.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFindings    = 3
	exitDenied      = 4
	exitNotFound    = 5
	exitIntegrity   = 6
	exitConflict    = 7
	exitUnavailable = 8
	exitInterrupted = 130
)

// errReported marks an error of which everything has been said.
var errReported = errors.New("reported")

func exitCode(ctx context.Context, err error) int {
	var check *bake.CheckError
	var file *bakefile.Error
	var auth *credentials.FileError
	var certDir *certDirError
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, bake.ErrUsage):
		return exitUsage
	case errors.As(err, &certDir): // which nobody could connect with
		return exitFailed
	case errors.As(err, &file) && !errors.Is(err, fs.ErrNotExist): // a Dockerfile's source may be missing
		return exitUsage
	case errors.As(err, &check), errors.Is(err, bake.ErrRefused), errors.Is(err, errDifferent):
		return exitFindings
	case errors.Is(err, bake.ErrIntegrity), errors.Is(err, bake.ErrChanged):
		return exitIntegrity
	case errors.Is(err, bake.ErrConflict):
		return exitConflict
	case errors.Is(err, bake.ErrDenied), errors.As(err, &auth):
		return exitDenied
	case errors.Is(err, bake.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return exitNotFound
	case errors.Is(err, bake.ErrUnavailable):
		return exitUnavailable
	}
	return exitFailed
}

// cliError is an error of the command line, with a hint where there is a
// remedy.
type cliError struct {
	err  error
	hint string
}

func (e *cliError) Error() string { return e.err.Error() }
func (e *cliError) Unwrap() error { return e.err }

// usageError is what bake.ErrUsage is to the flags and arguments.
type usageError struct{ text string }

func (e *usageError) Error() string        { return e.text }
func (e *usageError) Is(target error) bool { return target == bake.ErrUsage }

func errUsage(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

func withHint(err error, format string, args ...any) error {
	return &cliError{err, fmt.Sprintf(format, args...)}
}

// fileError is err, about a file, without the name of the system call.
func fileError(name string, err error) error {
	return fmt.Errorf("%s: %w", name, pathReason(err))
}

// pathReason is fileError for a caller who names the file.
func pathReason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// bakeError is an error of one bake of a fleet.
type bakeError struct {
	name string
	err  error
}

func (e *bakeError) Error() string { return e.name + ": " + e.err.Error() }
func (e *bakeError) Unwrap() error { return e.err }

// printError writes an error as one line, then its hint; a bake file's problems
// are a line each.
func printError(w io.Writer, err error) {
	var file *bakefile.Error
	if errors.As(err, &file) {
		for _, p := range file.Problems {
			one := bakefile.Error{File: file.File, Problems: []bakefile.Problem{p}}
			printLine(w, one.Error(), p.Hint)
		}
		return
	}
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = interrupted(err)
	}
	printLine(w, strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "), hint(err))
}

// interrupted says of an interrupt which bake it was, and what has happened.
func interrupted(err error) string {
	text := "interrupted"
	var one *bakeError
	if errors.As(err, &one) {
		text = one.name + ": " + text
	}
	var some *bake.PartialError
	if errors.As(err, &some) {
		text += "; published before that: " + strings.Join(some.Published, ", ")
	}
	return text
}

// printLine writes an error and its hint. Registries and files are by others,
// and so is much of what an error quotes.
func printLine(w io.Writer, text, hint string) {
	fmt.Fprintf(w, "crane-bake: %s\n", printable(text))
	if hint != "" {
		fmt.Fprintf(w, "  %s\n", printable(hint))
	}
}

// hint is a remedy for err, or "".
func hint(err error) string {
	var own *cliError
	if errors.As(err, &own) && own.hint != "" {
		return own.hint
	}
	text := err.Error()
	var answer *registry.Error
	var auth *credentials.FileError
	var certDir *certDirError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &auth):
		return "repair the file, or name another one with --authfile"
	case errors.Is(err, registry.ErrPlainHTTP):
		return "the registry speaks plain HTTP: add --insecure if that is meant"
	case errors.As(err, &unknown):
		return "name the registry's certificate authority with --ca-file"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the registry's certificate has run out, or this machine's clock is wrong"
	// Neither net/http nor crypto/tls has an error value for these.
	case strings.Contains(text, "remote error: tls: ") && strings.Contains(text, "certificate"), strings.Contains(text, "http2: client conn could not be established"):
		return "the registry wants a client certificate that it knows: give one with --cert-file and --key-file"
	case errors.As(err, &certDir):
		return "repair the directory, or take it away; see containers-certs.d(5)"
	case errors.As(err, &answer) && answer.Status == http.StatusRequestEntityTooLarge:
		return "the registry, or a proxy before it, limits the size of a request, and this layer is larger: raise the limit (client_max_body_size of nginx)"
	case strings.Contains(text, "the registry names a token server that is not asked"), strings.Contains(text, "the token server redirects "):
		return "the registry sends passwords to a place that they are not safe in: none was sent; see docs/registries.md"
	case strings.Contains(text, "sends clients to the private address"):
		return "a store behind the registry must be in the same network or have a name; see docs/registries.md"
	case strings.Contains(text, "Proxy Authentication Required"):
		return "the proxy wants a name and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
	case errors.As(err, &answer) && answer.Status == http.StatusMethodNotAllowed:
		return "the registry is read-only, or it is no registry"
	case errors.Is(err, bake.ErrDenied):
		return "log in (docker login, podman login) or name the credentials with --authfile; check that the account may do this"
	case errors.Is(err, bake.ErrUnavailable):
		return "the registry may recover: try again, or raise --retries"
	case errors.Is(err, bake.ErrChanged):
		return "a file was written to during the bake: bake again when it is at rest"
	}
	return ""
}
