// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// ErrPlainHTTP is in the chain of errors about a registry that speaks plain HTTP
// where that is not allowed: nothing but the beginning of a handshake was sent.
var ErrPlainHTTP = errors.New("the registry speaks plain HTTP")

type plainError struct{ err error }

func (e *plainError) Error() string        { return e.err.Error() }
func (e *plainError) Unwrap() error        { return e.err }
func (e *plainError) Is(target error) bool { return target == ErrPlainHTTP }

// unreachableError says that a registry answered on neither scheme.
type unreachableError struct {
	host          string
	secure, plain error
	err           error // of go-containerregistry, with both and their URLs
}

func (e *unreachableError) Error() string {
	why, plain := reasonOf(e.secure), reasonOf(e.plain)
	if why != plain {
		why = "https: " + why + "; http: " + plain
	}
	return fmt.Sprintf("could not connect to %s (tried https and http): %s", e.host, why)
}

func (e *unreachableError) Unwrap() error { return e.err }

// reasonOf is the part of a network error that a caller who knows the address
// has not heard yet.
func reasonOf(err error) string {
	var op *net.OpError
	if err = withoutURL(err); errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err.Error()
}
