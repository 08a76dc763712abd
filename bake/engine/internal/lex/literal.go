// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package lex

import (
	"slices"
	"strings"
)

// comment takes a comment, if one begins here.
func (s *scanner) comment() bool {
	switch s.lang {
	case Python, R:
		if s.at("#") {
			s.lineComment("#")
			return true
		}
	case C, Java, PrettyPFA:
		switch {
		case s.at("//"):
			s.lineComment("/")
			return true
		case s.at("/*"):
			s.blockComment("/*", "*/")
			return true
		case s.at("#") && s.lang == C && s.lineStart:
			s.emit(Directive, s.logicalLine())
			return true
		}
	case Octave:
		switch {
		case s.lineStart && s.octaveBlock():
			return true
		case s.at("%"), s.at("#"):
			s.lineComment("%#")
			return true
		case s.at("..."):
			// The rest of a continued line is a comment, and its end counts
			// for nothing.
			n := s.lineLen()
			s.emit(Comment, n).lead = int32(n)
			if s.at("\n") {
				s.pos++
				s.line++
			}
			return true
		}
	}
	return false
}

// lineLen is the number of bytes up to the end of the line, without a CR.
func (s *scanner) lineLen() int {
	line, _, _ := strings.Cut(s.rest(), "\n")
	return len(strings.TrimSuffix(line, "\r"))
}

// logicalLine is lineLen over continued lines.
func (s *scanner) logicalLine() int {
	n := 0
	for rest := s.rest(); ; {
		line, more, found := strings.Cut(rest, "\n")
		n += len(line)
		if !found || !strings.HasSuffix(strings.TrimSuffix(line, "\r"), "\\") {
			return n
		}
		n, rest = n+1, more
	}
}

// lineComment takes the rest of the line; its mark is any number of the
// characters of marks.
func (s *scanner) lineComment(marks string) {
	t := s.emit(Comment, s.lineLen())
	t.lead = int32(len(t.Text) - len(strings.TrimLeft(t.Text, marks)))
}

func (s *scanner) blockComment(open, closing string) {
	n, trail := len(s.rest()), 0
	if i := strings.Index(s.rest()[len(open):], closing); i >= 0 {
		n, trail = len(open)+i+len(closing), len(closing)
	}
	t := s.emit(Comment, n)
	t.lead, t.trail = int32(len(open)), uint8(trail)
}

// octaveBlock takes a block comment: lines of %{ and %} alone, nested.
func (s *scanner) octaveBlock() bool {
	if !s.at("%{") && !s.at("#{") {
		return false
	}
	n, level := 0, 0
	for line := range strings.Lines(s.rest()) {
		switch strings.TrimSpace(line) {
		case "%{", "#{":
			level++
		case "%}", "#}":
			level--
		}
		if level == 0 && n == 0 {
			return false // something follows on the line
		}
		n += len(line)
		if level == 0 {
			break
		}
	}
	text := strings.TrimRight(s.rest()[:n], "\r\n")
	s.emit(Comment, len(text)).lead = 2
	return true
}

// str takes a string or a character, if one begins here.
func (s *scanner) str() bool {
	prefix := s.stringPrefix()
	rest := s.rest()[len(prefix):]
	if rest == "" {
		return false
	}
	quote := rest[:1]
	switch quote {
	case `"`, "'":
	case "`":
		// R: a name in backquotes.
		if s.lang != R {
			return false
		}
		if i := strings.IndexAny(rest[1:], "`\n"); i > 0 && rest[1+i] == '`' {
			s.emit(Name, i+2)
			return true
		}
		return false
	default:
		return false
	}
	three := `"""`
	if quote == "'" {
		three = "'''"
	}
	switch {
	case s.lang == R && prefix != "":
		return s.rawR(prefix, quote)
	case s.lang == Octave && quote == "'" && s.transposes():
		return false
	case s.lang == Python && strings.HasPrefix(rest, three), s.lang == Java && quote == `"` && strings.HasPrefix(rest, three):
		s.quoted(len(prefix), three, true, true)
	case s.lang == Octave && quote == "'":
		s.quoted(0, quote, false, false)
	default:
		s.quoted(len(prefix), quote, true, s.lang == R)
	}
	return true
}

var pythonPrefixes = []string{"r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "ur", "tr", "rt"}

// stringPrefix is the letters of a string with a prefix, and "" elsewhere.
func (s *scanner) stringPrefix() string {
	rest := s.rest()
	n := strings.IndexAny(rest[:min(3, len(rest))], `"'`)
	if n <= 0 {
		return ""
	}
	switch prefix := rest[:n]; {
	case s.lang == Python && slices.Contains(pythonPrefixes, strings.ToLower(prefix)):
		return prefix
	case s.lang == R && (prefix == "r" || prefix == "R"):
		return prefix
	}
	return ""
}

// quoted takes a string of n letters of prefix and its quotes. In a string
// that spans no lines, the end of the line is the end.
func (s *scanner) quoted(n int, quote string, escapes, lines bool) {
	body := s.rest()[n+len(quote):]
	end, i := len(body), 0
	closed := false
	for i < len(body) {
		switch c := body[i]; {
		case escapes && c == '\\':
			i++
			if strings.HasPrefix(body[min(i, len(body)):], "\r\n") {
				i++
			}
		case c == '\n' && !lines:
			end = i
			i = len(body)
		case strings.HasPrefix(body[i:], quote):
			if !escapes && strings.HasPrefix(body[i+1:], quote) {
				i++ // Octave: two quotes are one
				break
			}
			end, closed = i, true
			i = len(body)
		}
		i++
	}
	trail := 0
	if closed {
		trail = len(quote)
	}
	t := s.emit(String, n+len(quote)+end+trail)
	t.lead, t.trail, t.prefix = int32(n+len(quote)), uint8(trail), uint8(n)
}

// transposes tells whether a single quote here is Octave's operator: it
// follows a value with nothing in between.
func (s *scanner) transposes() bool {
	if s.pos == 0 {
		return false
	}
	c := s.src[s.pos-1]
	return isNameStart(c) || isDigit(c) || strings.IndexByte(")]}'.", c) >= 0
}

// maxDashes is how many dashes the ends of a raw string may have. It is far more
// than anyone needs, and bounds how often the source is searched.
const maxDashes = 16

// rawR takes r"(…)" with any bracket and any number of dashes.
func (s *scanner) rawR(prefix, quote string) bool {
	rest := s.rest()[len(prefix)+1:]
	dashes := rest[:len(rest)-len(strings.TrimLeft(rest, "-"))]
	body := rest[len(dashes):]
	if body == "" {
		return false
	}
	closing, ok := map[byte]string{'(': ")", '[': "]", '{': "}"}[body[0]]
	if !ok || len(dashes) > maxDashes {
		return false
	}
	closing += dashes + quote
	if s.unclosed[closing] {
		return false
	}
	i := strings.Index(body, closing)
	if i < 0 {
		// The rest of the source is not searched again for the same end.
		if s.unclosed == nil {
			s.unclosed = make(map[string]bool)
		}
		s.unclosed[closing] = true
		return false
	}
	lead := len(prefix) + 1 + len(dashes) + 1
	t := s.emit(String, lead-1+i+len(closing))
	t.lead, t.trail, t.prefix = int32(lead), uint8(len(closing)), uint8(len(prefix))
	return true
}
