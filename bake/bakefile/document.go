// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// readDocument parses data, which must be exactly one YAML document. It
// returns nil after it added a problem.
func readDocument(data []byte, ps *problems) *yaml.Node {
	if len(data) > maxSize {
		ps.add(pos{}, fmt.Sprintf("larger than %d MiB", maxSize>>20), "")
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !checkCharacters(data, ps) {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && isEmpty(&doc) {
		ps.add(pos{1, 1}, "the file is empty", `a bake file needs at least "model: FILE"`)
		return nil
	}
	if err == nil {
		err = dec.Decode(&next)
		if errors.Is(err, io.EOF) {
			return &doc
		}
	}
	if err != nil {
		addSyntaxError(err, data, ps)
		return nil
	}
	ps.add(pos{next.Line, next.Column}, "a second document starts here",
		`write one document; "bakes" holds several bakes in one file`)
	return nil
}

func isEmpty(doc *yaml.Node) bool {
	root := doc.Content[0]
	return root.Kind == yaml.ScalarNode && root.Tag == "!!null" && root.Value == ""
}

// checkCharacters refuses what YAML 1.2, section 5.1 leaves out. The parser
// would too, but without saying where, and it would accept UTF-16.
func checkCharacters(data []byte, ps *problems) bool {
	at := pos{1, 1}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			ps.add(at, fmt.Sprintf("byte 0x%02x is not UTF-8", data[i]), "save the file as UTF-8")
			return false
		case r == '\n':
			at = pos{at.line + 1, 0}
		case !printable(r):
			ps.add(at, fmt.Sprintf("character %U is not allowed", r), `write it as an escape in "double quotes"`)
			return false
		}
		at.column++
		i += n
	}
	return true
}

func printable(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\r'
	case r >= 0x7f && r < 0xa0:
		return r == 0x85
	}
	return r != 0xfeff && r != 0xfffe && r != 0xffff
}

var syntaxLine = lazyregexp.New(`^line ([0-9]+): `)

// addSyntaxError adds what the parser says, in the words of the parser.
func addSyntaxError(err error, data []byte, ps *problems) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	lines := slices.Collect(bytes.Lines(data))
	var line int
	if m := syntaxLine().FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1]) // only digits
		message = message[len(m[0]):]
		if countsFromZero(message) {
			line++
		}
		line = min(line, len(lines)) // the parser counts one more at the end
	} else if !strings.HasPrefix(message, "unknown anchor") && !strings.HasPrefix(message, "exceeded max depth") {
		line = 1 // the parser leaves out what it counts as line 0
	}
	var text string
	if line > 0 {
		text = string(lines[line-1])
	}
	ps.add(pos{line: line}, message, syntaxHint(message, text))
}

// countsFromZero tells which messages of go.yaml.in/yaml/v3 come with a line
// number that is one too small: those of its grammar, not of its scanner.
func countsFromZero(message string) bool {
	for _, m := range []string{
		"did not find expected key",
		"did not find expected node content",
		"did not find expected '-' indicator",
		"did not find expected ',' or ']'",
		"did not find expected ',' or '}'",
		"did not find expected <document start>",
		"found duplicate %",
		"found incompatible YAML document",
		"found undefined tag handle",
	} {
		if strings.HasPrefix(message, m) {
			return true
		}
	}
	return false
}

func syntaxHint(message, line string) string {
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.Contains(indent, "\t"), strings.Contains(message, "a tab character"):
		return "indent with spaces, not with tabs"
	case strings.HasPrefix(message, "did not find expected ','") && strings.Contains(line, "${"):
		return "quote a value that holds ${...} inside [...] or {...}"
	case strings.HasPrefix(message, "mapping values are not allowed"):
		return `check the indentation, and quote a value that holds ": "`
	case message == "found character that cannot start any token":
		return "quote a value that starts with @, %, or a backquote"
	}
	return ""
}
