// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// isStatus reports whether a registry answered err with the status.
func isStatus(err error, status int) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == status
}
