// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"fmt"
	"strings"

	"github.com/crane-bake/crane-bake/internal/spelling"
)

// didYouMean is a hint with the name that word is most likely a slip of, or
// else with the names there are. It returns that name as well.
func didYouMean(word, what string, names []string) (hint, name string) {
	if name = spelling.Nearest(word, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name), name
	}
	return fmt.Sprintf("%s: %s", what, enumerate(names)), ""
}

// enumerate is a list for people, cut where nobody reads on.
func enumerate(names []string) string {
	const most = 35
	if len(names) == 0 {
		return "none"
	}
	if extra := len(names) - most; extra > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), extra)
	}
	return strings.Join(names, ", ")
}
