// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials

import "time"

// SetLimit makes helpers time out sooner.
func (k *Keychain) SetLimit(d time.Duration) { k.limit = d }

func (s *Store) SetLimit(d time.Duration) { s.limit = d }
