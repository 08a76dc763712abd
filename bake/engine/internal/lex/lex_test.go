// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package lex_test

import (
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

var kinds = map[lex.Kind]string{
	lex.Name: "name", lex.Number: "number", lex.String: "string", lex.Comment: "comment", lex.Op: "op",
	lex.Newline: "newline", lex.Directive: "directive",
}

// show writes tokens as "line kind text", with strings and comments by value,
// and leaves out what opt does not ask for.
func show(tokens iter.Seq[lex.Token]) string {
	var all []string
	for t := range tokens {
		switch t.Kind {
		case lex.String, lex.Comment:
			all = append(all, fmt.Sprintf("%d %s%s<%s>", t.Line, t.Prefix(), kinds[t.Kind], t.Value()))
		case lex.Newline:
			all = append(all, "|")
		case lex.Directive:
			all = append(all, fmt.Sprintf("directive<%s>", t.Text))
		default:
			all = append(all, t.Text)
		}
	}
	return strings.Join(all, " ")
}

func TestScan(t *testing.T) {
	for _, tc := range []struct {
		name string
		lang lex.Language
		src  string
		want string
	}{
		{"python", lex.Python, "def f(x):  # doc\n  return x**2\n", "def f ( x ) : 1 comment< doc> | return x ** 2 |"},
		{"python strings", lex.Python, `a = 'it\'s' + "x#y" + f'{a}' + Rb"\n"`, `a = 1 string<it\'s> + 1 string<x#y> + 1 fstring<{a}> + 1 rbstring<\n>`},
		{"python triple", lex.Python, "\"\"\"a\n# no \"quote\"\n\"\"\" + 1\nb", "1 string<a\n# no \"quote\"\n> + 1 | b"},
		{"python open string", lex.Python, "a = 'open\nb = 1", "a = 1 string<open> | b = 1"},
		{"python open triple", lex.Python, "'''a\nb", "1 string<a\nb>"},
		{"python continuation", lex.Python, "a = 1 + \\\n 2\nb = 'x\\\ny'", "a = 1 + 2 | b = 3 string<x\\\ny>"},
		{"python numbers", lex.Python, "1e-5 + .5 + 0x1F + 1_000 - x.y", "1e-5 + .5 + 0x1F + 1_000 - x . y"},
		{"python crlf", lex.Python, "# a\r\nx\r\n", "1 comment< a> | x |"},
		{"python name ends in prefix", lex.Python, `attr"x"`, `attr 1 string<x>`},

		{"r", lex.R, "x.y <- 'a' %in% b # c\ny <<- \"d\ne\"", "x.y <- 1 string<a> %in% b 1 comment< c> | y <<- 2 string<d\ne>"},
		{"r raw", lex.R, `r"(a"b)" R'--[c]--' r"x"`, `1 rstring<a"b> 1 rstring<c> r 1 string<x>`},
		{"r raw with an open one", lex.R, `r"(a r"(b" r"-(c)-"`, `r 1 string<(a r> ( b 1 string< r> - ( c ) - 1 string<>`},
		{"r names", lex.R, "`my var` <- .5 + .z", "`my var` <- .5 + .z"},
		{"r modulo", lex.R, "5 %% 2 % 3\n", "5 %% 2 % 3 |"},

		{"c", lex.C, "#include \"a.h\" // x\n  # define X \\\n 1\n/* a\nb */ int x = '\\''; // y", "directive<#include \"a.h\" // x> | directive<# define X \\\n 1> | 4 comment< a\nb > int x = 5 string<\\'> ; 5 comment< y>"},
		{"c string", lex.C, `"a//b" "\"" /* open`, `1 string<a//b> 1 string<\"> 1 comment< open>`},
		{"java", lex.Java, "@X class A { String s = \"\"\"\n // \"a\"\n\"\"\"; }", "@ X class A { String s = 1 string<\n // \"a\"\n> ; }"},
		{"pfa", lex.PrettyPFA, "input: double // in\n# no", "input : double 1 comment< in> | # no"},

		{"octave", lex.Octave, "y = x'; # a\nz = 'it''s %'; % b\nprintf(\"%d\\n\", z'')", `y = x ' ; 1 comment< a> | z = 2 string<it''s %> ; 2 comment< b> | printf ( 3 string<%d\n> , z ' ' )`},
		{"octave block", lex.Octave, "%{\nfunction f\n%}\nx = [1 'a']; %{ not a block\n", "1 comment<\nfunction f\n%}> | x = [ 1 4 string<a> ] ; 4 comment<{ not a block> |"},
		{"octave continued", lex.Octave, "x = 1 + ... more\n 2", "x = 1 + 1 comment<> 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, show(lex.Scan(tc.lang, tc.src))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	src := "if (a,\n\tb):\n \t é = x # c\n"
	var got []string
	for tok := range lex.Scan(lex.Python, src) {
		if tok.Kind == lex.Newline {
			continue
		}
		got = append(got, fmt.Sprintf("%d:%d %s depth %d first %t indent %d", tok.Line, lex.Column(src, tok.Offset), tok.Text, tok.Depth, tok.First, tok.Indent))
	}
	want := []string{
		"1:1 if depth 0 first true indent 0", "1:4 ( depth 0 first false indent 1", "1:5 a depth 1 first false indent 1",
		"1:6 , depth 1 first false indent 1", "2:2 b depth 1 first true indent 8", "2:3 ) depth 0 first false indent 8",
		"2:4 : depth 0 first false indent 8", "3:4 é depth 0 first true indent 9", "3:6 = depth 0 first false indent 10",
		"3:8 x depth 0 first false indent 11", "3:10 # c depth 0 first false indent 12",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"a='''x\n'''\\\n", "r\"-(\n", "%{\n%}\n'x''", "/* \"\"\" */ '\\", "#\\\n#"} {
		for lang := range 6 {
			f.Add(lang, s)
		}
	}
	f.Fuzz(func(t *testing.T, lang int, src string) {
		if lang < 0 || lang > 5 {
			t.Skip()
		}
		end, line := 0, 1
		for tok := range lex.Scan(lex.Language(lang), src) {
			at := int(tok.Offset)
			if at < end || tok.Text == "" || src[at:at+len(tok.Text)] != tok.Text || !strings.Contains(tok.Text, tok.Value()) {
				t.Fatalf("token %+v after offset %d", tok, end)
			}
			line += strings.Count(src[end:at], "\n")
			if int(tok.Line) != line {
				t.Fatalf("token %+v is on line %d", tok, line)
			}
			end = at + len(tok.Text)
			line += strings.Count(tok.Text, "\n")
		}
	})
}
