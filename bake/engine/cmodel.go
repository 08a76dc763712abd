// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// checkC is M-10.
func checkC(m *model) {
	complete := m.scan()
	m.explicitUnsupported()
	if !complete {
		return
	}
	code := m.code
	includes := slices.ContainsFunc(code, func(t lex.Token) bool {
		return t.Kind == lex.Directive && strings.Contains(t.Text, "include") && strings.Contains(t.Text, "fastscore.h")
	})
	for _, name := range []string{"begin", "action", "end1"} {
		if !definesC(code, name) {
			m.add(m10.says("%s() is missing", name).hint("define void begin(void), void action(fastscore_value_t, int, int) and void end1(void)"))
		}
	}
	if !includes {
		m.add(m10.says("fastscore.h is not included").as(Warning).hint("add #include \"fastscore.h\""))
	}
}

// definesC finds NAME ( … ) { outside of all braces.
func definesC(code []lex.Token, name string) bool {
	for i, t := range code {
		if !t.Is(name) || t.Depth > 0 || i+1 >= len(code) || !code[i+1].Is("(") {
			continue
		}
		for j := i + 2; j < len(code); j++ {
			if code[j].Is(")") && code[j].Depth == 0 {
				if j+1 < len(code) && code[j+1].Is("{") {
					return true
				}
				break
			}
		}
	}
	return false
}
