// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// maxAnnotations is how many annotations a model may have: more than there are
// slots and things to say about them.
const maxAnnotations = 4000

// An annotationReader picks the annotations from a model's comments. It reports
// N-01, N-02 and N-12.
type annotationReader struct {
	*model
	all       []annotation
	commented []bool // by line: it begins with a comment of the language
}

func newAnnotationReader(m *model) *annotationReader {
	return &annotationReader{model: m, commented: make([]bool, strings.Count(m.source, "\n")+2)}
}

// comment reads the next comment.
func (r *annotationReader) comment(t lex.Token) {
	if strings.Contains(t.Text, "\n") || strings.HasPrefix(t.Text, "/*") {
		r.block(t)
		return
	}
	mark := len(t.Text) - len(strings.TrimLeft(t.Text, r.runner.marks))
	if mark < r.runner.count {
		return
	}
	a, what, wrong := readAnnotation(t.Text[mark:])
	if t.First {
		r.commented[t.Line] = true
	}
	if what == ordinary {
		return
	}
	a.line, a.column, a.valueAt = int(t.Line), lex.Column(r.source, t.Offset), a.valueAt+mark
	_, known := annotationTags[a.tag]
	switch {
	case !t.First && what == annotating:
		if known {
			r.notAnnotation(a, "follows code on its line", "put it on a line of its own")
		}
	case what == isMarker:
		if t.First && r.marker == 0 {
			r.marker = t.Line
		}
	case what == isMeant:
		r.notAnnotation(a, wrong, "write "+a.example())
	case len(r.all) < maxAnnotations:
		r.all = append(r.all, a)
	case !r.failed:
		r.atLine(a.line, a.column, m04.says("the model has more than %d annotations", maxAnnotations).hint("an engine cannot be expected to read them"))
	}
}

// slots are what the annotations say.
func (r *annotationReader) slots() slots {
	r.elsewhere()
	return r.understand(r.known(r.all))
}

// block looks into a comment of more than one line for annotations, which
// have no effect there.
func (r *annotationReader) block(t lex.Token) {
	line := int(t.Line)
	for text := range strings.Lines(t.Text) {
		text = strings.TrimRight(strings.TrimRight(text, "\r\n"), "*/ \t")
		a, what, _ := readAnnotation(strings.TrimLeft(text, "/*%#{ \t"))
		a.line = line
		if _, known := annotationTags[a.tag]; known && what == annotating {
			r.notAnnotation(a, "stands in a block comment", "use line comments")
		}
		r.commented[line] = true
		line++
	}
}

// elsewhere looks for annotations in lines that are no comments: the mark of
// another language, or a string.
func (r *annotationReader) elsewhere() {
	line := 0
	for text := range strings.Lines(r.source) {
		line++
		trimmed := strings.TrimLeft(text, " \t")
		if trimmed == "" || strings.IndexByte("#/%*-;!", trimmed[0]) < 0 || r.commented[line] {
			continue
		}
		a, what, _ := readAnnotation(strings.TrimLeft(trimmed, "#/%*-;! \t"))
		if _, known := annotationTags[a.tag]; known && what == annotating {
			a.line = line
			r.notAnnotation(a, "is not in a comment of "+r.runner.name, "start the line with "+quote(strings.Repeat(r.runner.marks[:1], r.runner.count)))
		}
	}
}
