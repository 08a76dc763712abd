// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake"
)

// parseOwner reads USER[:GROUP], each a number or root. A user without a group
// has the group of the same number. Empty is nil.
func parseOwner(s string) (*bake.Owner, error) {
	if s == "" {
		return nil, nil
	}
	user, group, _ := strings.Cut(s, ":")
	if group == "" {
		group = user
	}
	uid, err := parseID(user)
	if err != nil {
		return nil, err
	}
	gid, err := parseID(group)
	if err != nil {
		return nil, err
	}
	return &bake.Owner{UID: uid, GID: gid}, nil
}

func parseID(s string) (int, error) {
	if s == "root" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, ownerName.fault()
	}
	return int(n), nil
}

// parseMode reads octal permissions, with the bits above 0777. Empty is nil.
func parseMode(s string) (*fs.FileMode, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(s, 8, 32)
	switch {
	case err != nil && strings.ContainsAny(s, "ugoarwxXst+-="):
		return nil, modeLetters.fault()
	case err != nil || n > 0o7777:
		return nil, fmt.Errorf("mode %s: want octal digits from 0 to 7777", clip(s))
	}
	mode := fs.FileMode(n & 0o777)
	for bit, m := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if n&bit != 0 {
			mode |= m
		}
	}
	return &mode, nil
}
