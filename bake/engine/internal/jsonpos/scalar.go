// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package jsonpos

func (p *parser) literal(word string, kind Kind) *SyntaxError {
	src := p.doc.src
	if len(src)-p.pos < len(word) || string(src[p.pos:p.pos+len(word)]) != word {
		return p.fail("expected a value, found %s", p.token())
	}
	i := p.open(kind)
	p.pos += len(word)
	p.close(i)
	return p.endOfWord()
}

// endOfWord refuses letters and digits that stick to a literal or a number.
func (p *parser) endOfWord() *SyntaxError {
	switch c := p.peek(); {
	case c == '_' || c == '.' || c == '+' || c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z':
		return p.fail("a bare word; strings need double quotes")
	}
	return nil
}

func (p *parser) digits() int {
	n := 0
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
		n++
	}
	return n
}

func (p *parser) number() *SyntaxError {
	i := p.open(Number)
	if p.peek() == '-' {
		p.pos++
	}
	first := p.peek()
	switch n := p.digits(); {
	case n == 0:
		return p.fail("a number needs a digit here")
	case n > 1 && first == '0':
		return p.fail("a number must not start with 0")
	}
	if p.peek() == '.' {
		p.pos++
		if p.digits() == 0 {
			return p.fail("a number needs a digit after its point")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if p.digits() == 0 {
			return p.fail("a number needs a digit in its exponent")
		}
	}
	p.close(i)
	return p.endOfWord()
}

func (p *parser) string() *SyntaxError {
	i := p.open(String)
	src := p.doc.src
	start := p.pos
	p.pos++
	for p.pos < len(src) {
		switch c := src[p.pos]; {
		case c == '"':
			p.pos++
			p.close(i)
			return nil
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		case c == '\n' || c == '\r':
			p.pos = start
			return p.fail("a string does not end on its line")
		case c < ' ':
			return p.fail("a string contains a raw control character (U+%04X)", c)
		default:
			p.pos++
		}
	}
	p.pos = start
	return p.fail("a string does not end")
}

func (p *parser) escape() *SyntaxError {
	src := p.doc.src
	if p.pos+1 == len(src) {
		return p.fail("a string does not end")
	}
	switch src[p.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.pos += 2
		return nil
	case 'u':
		for k := 2; k < 6; k++ {
			if p.pos+k >= len(src) || !isHex(src[p.pos+k]) {
				return p.fail(`\u needs four hexadecimal digits`)
			}
		}
		p.pos += 6
		return nil
	}
	return p.fail("a string has an unknown escape; write a backslash twice")
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}
