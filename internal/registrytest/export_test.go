// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import "time"

// SetGrace shortens how long the end of a test waits for its requests.
func SetGrace(s *Server, d time.Duration) { s.grace = d }
