// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// The kinds of failure that callers branch on; errors of this package wrap
// them.
var (
	ErrNotFound    = errors.New("not found")
	ErrDenied      = errors.New("not allowed")
	ErrConflict    = errors.New("conflict")
	ErrUnavailable = errors.New("registry unavailable")
	ErrIntegrity   = errors.New("content does not match its digest")
)

// An Error is a registry's refusal, or the reason why it could not be asked.
type Error struct {
	Op     string // what was asked, "GET manifest 1.10 of registry/repo"
	Status int    // HTTP status; 0 where no answer came
	Err    error

	after   time.Duration // that the answer asked to wait
	unseen  bool          // a part that was sent may be seen a little later
	secrets []string      // that were sent, and an answer may quote
}

func (e *Error) Error() string {
	var answer *transport.Error
	refused := errors.As(e.Err, &answer)
	if e.Status == 0 || e.Status < 300 && !refused { // no answer, or one that makes no sense
		return e.Op + ": " + without(e.secrets, e.Err.Error())
	}
	// The answer's own text has the request's URL.
	text := strings.TrimSpace(fmt.Sprintf("%s: %d %s", e.Op, e.Status, http.StatusText(e.Status)))
	if !refused {
		return text + ": " + without(e.secrets, e.Err.Error())
	}
	for _, d := range answer.Errors {
		text += ": " + strings.ToLower(without(e.secrets, string(d.Code)))
		if d.Message != "" {
			text += ": " + without(e.secrets, d.Message)
		}
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Is sorts the failure into one of this package's kinds.
func (e *Error) Is(target error) bool { return target != nil && e.kind() == target }

func (e *Error) kind() error {
	switch {
	case e.Status == http.StatusNotFound:
		return ErrNotFound
	case e.immutable():
		return ErrConflict
	case slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired}, e.Status):
		// A registry in read-only mode answers 405 UNSUPPORTED.
		return ErrDenied
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusRequestTimeout, e.Status >= 500:
		return ErrUnavailable
	case e.Status == 0 && isNetwork(e.Err):
		return ErrUnavailable
	}
	return nil
}

// immutable reports a refusal to move a tag. The distribution spec has no code
// for it: registries answer 409 or 412, or say the word in a 400, 403 or 405.
func (e *Error) immutable() bool {
	if e.Status == http.StatusConflict || e.Status == http.StatusPreconditionFailed {
		return true
	}
	var answer *transport.Error
	if e.Status < 400 || e.Status >= 500 || !errors.As(e.Err, &answer) {
		return false
	}
	for _, d := range answer.Errors {
		if strings.Contains(strings.ToLower(d.Message), "immutable") || strings.Contains(strings.ToLower(d.Message), "already exists") {
			return true
		}
	}
	return false
}

// passing reports whether the same request may succeed a little later.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) && !errors.Is(err, errStalled) {
		return false
	}
	if status := statusOf(err); status != 0 {
		if isUnseen(err) {
			return true
		}
		switch status {
		case http.StatusRequestTimeout, http.StatusTooManyRequests:
			return true
		case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusInsufficientStorage:
			return false
		}
		return status >= 500
	}
	return isNetwork(err) && !isHopeless(err)
}

// statusOf is the HTTP status in err's chain, 0 without one.
func statusOf(err error) int {
	if !isNetwork(err) {
		return 0 // a status in the chain is another request's
	}
	var e *Error
	if errors.As(err, &e) && e.Status != 0 {
		return e.Status
	}
	var answer *answerError
	if errors.As(err, &answer) {
		return answer.status
	}
	var refused *transport.Error // by a ping or a token server
	if errors.As(err, &refused) {
		return refused.StatusCode
	}
	if errors.Is(err, errProxyAuth) {
		return http.StatusProxyAuthRequired
	}
	return 0
}

// isNetwork reports whether err arose between us and the registry: every error
// that neither the content's own reader nor the local credentials caused.
func isNetwork(err error) bool {
	var source *sourceError
	var credentials *credentialsError
	return !errors.As(err, &source) && !errors.As(err, &credentials) && !errors.Is(err, ErrIntegrity)
}

// isHopeless reports network errors that waiting does not mend.
func isHopeless(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsNotFound
	}
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	var address *addressError
	var realm *realmError
	if errors.As(err, &address) || errors.As(err, &realm) || errors.Is(err, errLocation) || errors.Is(err, errNoPlain) {
		return true
	}
	return isAlert(err) || errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid) || speaksNoTLS(err)
}

// isAlert reports whether the registry ended a handshake, as one does that wants
// another client certificate. crypto/tls does not export the kind of error.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error" && !strings.Contains(op.Err.Error(), "internal error")
}

func speaksNoTLS(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// answerError is a request's error answer, of which err may be only why its
// body could not be read.
type answerError struct {
	err    error
	status int
}

func (e *answerError) Error() string { return e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

// ambiguousError is for a manifest of two media types.
type ambiguousError struct{ served, own string }

func (e *ambiguousError) Error() string {
	return fmt.Sprintf("the registry serves it as %s, and it calls itself %q", e.served, e.own)
}
func (e *ambiguousError) Is(target error) bool { return target == ErrIntegrity }

// sourceError marks a failure of what was to be sent, not of the sending.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// tokenError marks a token server's refusal.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return "getting a token: " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// credentialsError marks a failure to find credentials on this side.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string        { return "finding credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error        { return e.err }
func (e *credentialsError) Is(target error) bool { return target == ErrDenied }
