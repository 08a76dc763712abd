// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// A javaClass is the head of a class declaration.
type javaClass struct {
	name       lex.Token
	extends    string // simple name
	implements []string
}

// checkJava is M-08 and M-09.
func checkJava(m *model) {
	complete := m.scan()
	m.explicitUnsupported()
	if !complete {
		return
	}
	classes := javaClasses(m.code)
	for _, c := range classes {
		if c.extends == "GenModel" {
			m.atToken(c.name, m09.says("class %s extends GenModel: H2O POJOs need -type:h2o-java and cannot be baked by path", c.name.Text).
				hint("wrap the POJO in a class that implements IJavaModel, and bake the POJO inside an attachment"))
			return
		}
	}
	for _, name := range []string{"IJavaModel", "FastScoreModel"} {
		for _, c := range classes {
			if !slices.Contains(c.implements, name) && c.extends != name {
				continue
			}
			if c.name.Text != m.stem {
				m.atToken(c.name, m08.says("the model's class is %s, but the file is %s.java", c.name.Text, m.stem).
					hint("rename the file %s.java", c.name.Text))
			}
			if name == "FastScoreModel" {
				m.atToken(c.name, m08.says("class %s uses the legacy interface FastScoreModel", c.name.Text).as(Warning).hint("implement IJavaModel"))
			}
			return
		}
	}
	m.add(m08.says("no class implements IJavaModel").hint("declare public class %s implements IJavaModel", m.stem))
}

func javaClasses(code []lex.Token) []javaClass {
	var classes []javaClass
	for i := 0; i+1 < len(code); i++ {
		if !code[i].Is("class") || code[i+1].Kind != lex.Name || i > 0 && code[i-1].Is(".") {
			continue
		}
		c := javaClass{name: code[i+1]}
		clause, angle := "", 0
		for _, t := range code[i+2:] {
			if t.Is("{") || t.Is("class") {
				break
			}
			switch {
			case t.Is("<"):
				angle++
			case t.Is(">"):
				angle--
			case t.Is(">>"):
				angle -= 2
			case angle > 0 || t.Kind != lex.Name:
			case t.Text == "extends" || t.Text == "implements" || t.Text == "permits":
				clause = t.Text
			case clause == "extends":
				c.extends = t.Text // the last part of a qualified name stays
			case clause == "implements":
				c.implements = append(c.implements, t.Text)
			}
		}
		classes = append(classes, c)
	}
	return classes
}
