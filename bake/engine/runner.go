// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"maps"
	"path"
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// A runner is what runs models of one type. The extension alone selects it: a
// bake cannot say -type.
type runner struct {
	name   string // as in messages
	lang   lex.Language
	marks  string // characters that make a comment an annotation; none: annotations are not read
	count  int    // of them, at least
	ubuntu bool   // the Ubuntu engine has it
	// document is set for models whose file is JSON or YAML, not source.
	document bool
	// encodings that its streams may have; nil allows all.
	inputs, outputs []string
	check           func(*model)
}

// runners by extension.
var runners = map[string]*runner{
	".py":  {name: "Python 2", lang: lex.Python, marks: "#", count: 1, check: checkPython2},
	".py3": {name: "Python 3", lang: lex.Python, marks: "#", count: 1, ubuntu: true, check: checkPython3},
	".R":   {name: "R", lang: lex.R, marks: "#", count: 1, ubuntu: true, check: checkR},
	".c": {
		name: "C", lang: lex.C, marks: "/", count: 2, check: checkC,
		inputs: []string{"", "utf-8", "json", "avro-binary"}, outputs: []string{"", "utf-8", "json"},
	},
	".java": {
		name: "Java", lang: lex.Java, marks: "/", count: 2, check: checkJava,
		inputs: []string{"json", "csv"}, outputs: []string{"json", "csv"},
	},
	".m": {
		name: "Octave", lang: lex.Octave, marks: "%#", count: 1, check: checkOctave,
		inputs: []string{"json"}, outputs: []string{"json"},
	},
	".pfa":   {name: "PFA", document: true, check: checkPFA},
	".json":  {name: "PFA", document: true, check: checkPFA},
	".yaml":  {name: "PFA", document: true, check: checkPFAYAML},
	".ppfa":  {name: "PrettyPFA", lang: lex.PrettyPFA, check: checkPrettyPFA},
	".ipynb": {name: "Jupyter", document: true, lang: lex.Python, marks: "#", count: 1, check: checkNotebook},
}

// extensionHints are what to do about extensions that look as if they would
// select a runner.
var extensionHints = map[string]string{
	".r": `did you mean ".R"?`, ".rds": `save the model's code as ".R" and bake the data as an asset`,
	".rmd": `export the code to ".R"`,
	".cpp": `did you mean ".c"?`, ".cc": `did you mean ".c"?`, ".cxx": `did you mean ".c"?`, ".h": `did you mean ".c"?`,
	".yml": `did you mean ".yaml"?`, ".pyw": `did you mean ".py"?`, ".py2": `did you mean ".py"?`,
	".mat":  `bake the data as an asset and the function as ".m"`,
	".pkl":  `bake the data as an asset and write a ".py3" model that loads it`,
	".avsc": "this is the extension of a schema", ".mojo": "H2O models need -type: and cannot be baked by path",
	".scala": "Scala models need -type: and cannot be baked by path", ".sas": "SAS models need -type: and cannot be baked by path",
	".jar": `bake the ".java" source, and the jar inside an attachment`, ".zip": "name the model file itself; bake the archive as an attachment",
	".class": `bake the ".java" source`,
}

// checkExtension is M-01.
func checkExtension(p *page, file string) *runner {
	ext := path.Ext(file)
	if r := runners[ext]; r != nil {
		return r
	}
	f := m01.says("unknown model extension %s", quote(ext))
	if ext == "" {
		f = m01.says("the model has no extension, so nothing says which runner it needs")
	}
	known := slices.Sorted(maps.Keys(runners))
	hint, ok := extensionHints[ext]
	if !ok {
		hint, ok = extensionHints[lowerASCII(ext)]
	}
	if !ok {
		hint = didYouMean(ext, known, "the extensions of models are "+quoteList(known))
	}
	p.add(f.hint("%s", hint))
	return nil
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
