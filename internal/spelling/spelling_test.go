// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package spelling_test

import (
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/spelling"
)

func TestNearest(t *testing.T) {
	keys := []string{"schemas", "streams", "model", "connectPrefix", "assets", "assetsDir", "kafka", "Kafka"}
	for name, c := range map[string]struct {
		word, want string
	}{
		"missing letter":   {"shemas", "schemas"},
		"swapped letters":  {"modle", "model"},
		"singular":         {"schema", "schemas"},
		"other separators": {"connect-prefix", "connectPrefix"},
		"prefix wins":      {"asset", "assets"},
		"upper case":       {"Kafak", "Kafka"},
		"lower case":       {"kafak", "kafka"},
		"too far":          {"attachments", ""},
		"empty":            {"", ""},
		"long":             {strings.Repeat("schemas", 10), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := spelling.Nearest(c.word, keys); got != c.want {
				t.Errorf("Nearest(%q) = %q, want %q", c.word, got, c.want)
			}
		})
	}
}
