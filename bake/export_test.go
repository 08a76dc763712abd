// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import "context"

// Rebaked is the config that plan makes of a base's.
func Rebaked(ctx context.Context, plan *Plan, base []byte) ([]byte, error) {
	config, err := parseConfig(base)
	if err != nil {
		return nil, err
	}
	for _, l := range plan.layers {
		if err := l.Resolve(ctx); err != nil {
			return nil, err
		}
	}
	return plan.patch(nil).configOn(config, &Record{Version: recordVersion})
}
