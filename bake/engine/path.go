// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkPath is ENV-04 and ENV-05 for the path that a variable binds; label
// says which of its paths, and is empty for MODEL.
func checkPath(variable, label, path string) []Finding {
	prefix := variable
	if label != "" {
		prefix += ": " + label + " ->"
	}
	var found []Finding
	if i := strings.IndexFunc(path, func(r rune) bool { return !isPathRune(r) }); i >= 0 {
		found = append(found, env04.says("%s path %s contains %s", prefix, quote(path), nameRune(path[i:])).of(variable).
			hint("lists have no escape: rename the file; paths are letters, digits and - . _ ~ + @ = between slashes"))
	}
	if why := whyNotNormal(path); why != "" {
		f := env05.says("%s %s %s", prefix, quote(path), why).of(variable)
		found = append(found, f.hint("write an absolute in-image path such as %s", quote(normalPath(path))))
	}
	return found
}

// whyNotNormal tells what keeps path from being absolute and normalised, and
// is empty when nothing does.
func whyNotNormal(path string) string {
	switch {
	case path == "":
		return "is no path"
	case path[0] != '/':
		return "must be an absolute in-image path"
	case path == "/":
		return "is the root directory"
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		switch segment {
		case "":
			if strings.HasSuffix(path, "/") && !strings.Contains(path, "//") {
				return `must not end in "/"`
			}
			return `contains "//"`
		case ".", "..":
			return fmt.Sprintf("contains the segment %q", segment)
		}
	}
	return ""
}

// normalPath is the path of the grammar that is closest to path.
func normalPath(path string) string {
	base := path[strings.LastIndexByte(strings.TrimRight(path, "/"), '/')+1:]
	base = strings.Map(func(r rune) rune {
		if isPathRune(r) && r != '/' {
			return r
		}
		return -1
	}, base)
	if base == "" || base == "." || base == ".." {
		base = "FILE"
	}
	return "/assets/" + base
}

// isPathRune tells whether r may stand in a path: pchar of the grammar, or a
// slash.
func isPathRune(r rune) bool {
	return r < utf8.RuneSelf && (isAlnum(byte(r)) || strings.ContainsRune("/-._~+@=", r))
}

// nameRune names the first character of s in words that fit on a line.
func nameRune(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == ' ':
		return "a space"
	case r == '\t':
		return "a tab"
	case r == '\n' || r == '\r':
		return "a line break"
	case r == '"':
		return "a double quote"
	case r == utf8.RuneError && size <= 1:
		return "a byte that is not UTF-8"
	case r < ' ' || r == 0x7f:
		return fmt.Sprintf("the control character U+%04X", r)
	}
	return fmt.Sprintf("%q", string(r))
}
