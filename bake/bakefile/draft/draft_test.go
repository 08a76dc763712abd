// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft_test

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/bake/bakefile/draft"
)

// What most cases share. A model's annotations are its first lines.
const (
	action = "def action(x):\n    yield x\n"
	model  = "# fastscore.schema.0: in\n# fastscore.schema.1: out\n" + action
	rest   = `{"Transport": "REST", "Encoding": "json"}`
	kafka  = `{"Transport": {"Type": "Kafka", "BootstrapServers": ["k:9092"], "Topic": "t"}, "Encoding": "json"}`
	record = `{"type": "record", "name": "R", "fields": [{"name": "x", "type": "double"}]}`
)

func named(name string) string { return strings.Replace(record, `"R"`, `"`+name+`"`, 1) }

func about(topic string) string { return strings.Replace(kafka, `"t"`, `"`+topic+`"`, 1) }

type files map[string]string

func (f files) fs() fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, content := range f {
		fsys[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return fsys
}

// outcome is what a draft says, in a few lines: what is bound, and what is
// asked.
func outcome(t *testing.T, d draft.Draft) string {
	t.Helper()
	var b strings.Builder
	if spec, ok := parse(t, d); ok {
		fmt.Fprintf(&b, "model %s\n", spec.Model)
		for _, name := range slices.Sorted(maps.Keys(spec.Schemas)) {
			fmt.Fprintf(&b, "schema %s %s\n", name, spec.Schemas[name])
		}
		for _, slot := range slices.Sorted(maps.Keys(spec.Streams)) {
			fmt.Fprintf(&b, "stream %d %s\n", slot, spec.Streams[slot])
		}
		for _, name := range slices.Sorted(maps.Keys(spec.Unpack)) {
			fmt.Fprintf(&b, "unpack %s\n", name)
		}
		for _, a := range spec.Assets {
			fmt.Fprintf(&b, "asset %s\n", strings.TrimSuffix(a.Path+"="+a.Dest, "="))
		}
	}
	for _, q := range d.Questions {
		fmt.Fprintf(&b, "? %s\n", q.Text)
	}
	return b.String()
}

// parse reads the draft as a bake file. Only one that asks for the model may
// be none.
func parse(t *testing.T, d draft.Draft) (bake.Spec, bool) {
	t.Helper()
	bakes, err := bakefile.Parse(d.Content, "bake.yaml", bakefile.Options{})
	if err == nil {
		return bakes[0].Spec, true
	}
	if !slices.ContainsFunc(d.Questions, func(q draft.Question) bool { return strings.Contains(q.Text, "the model?") }) {
		t.Fatalf("%v\n%s", err, d.Content)
	}
	return bake.Spec{}, false
}

func newDraft(t *testing.T, fsys fs.FS, dir string) draft.Draft {
	t.Helper()
	d, err := draft.New(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestModel(t *testing.T) {
	plain := "# fastscore.slot.$all: unused\n" + action
	for name, c := range map[string]struct {
		files files
		want  string
	}{
		"only one":         {files{"m.py3": plain}, "model m.py3\n"},
		"below":            {files{"src/m.py3": plain}, "model src/m.py3\n"},
		"names schemas":    {files{"a.py3": plain, "b.py3": strings.Replace(model, "x):", "x, y, z):", 1), "0.json": rest, "1.json": rest, "in.avsc": record, "out.avsc": record}, "model b.py3\nschema in in.avsc\nschema out out.avsc\nstream 0 0.json\nstream 1 1.json\n"},
		"no error":         {files{"helper.py3": "x = 1\n", "score.py3": plain}, "model score.py3\n"},
		"beside the file":  {files{"a.py3": plain, "old/b.py3": plain}, "model a.py3\n"},
		"by its name":      {files{"a.py3": plain, "model.py3": plain}, "model model.py3\n"},
		"two":              {files{"a.py3": plain, "b.py3": plain}, "? which file is the model? candidates: a.py3, b.py3\n"},
		"none":             {files{"in.avsc": record, "0.json": rest}, "? which file is the model? none was found\n"},
		"YAML settings":    {files{"settings.yaml": "a: 1\n", "m.py3": plain}, "model m.py3\n"},
		"PFA as JSON":      {files{"package.json": `{"name": "x"}`, "m.json": `{"input": "int", "output": "int", "action": ["input"]}`, "s.json": rest}, "model m.json\nstream 0 s.json\nstream 1 s.json\n"},
		"other bakes":      {files{"m.py3": plain, "other/bake.yaml": "model: m.py3", "other/m.py3": model}, "model m.py3\n"},
		"hidden and tools": {files{"m.py3": plain, ".git/m.py3": model, "venv/x.py": model, "__pycache__/m.py": model}, "model m.py3\n"},
		"too deep":         {files{"m.py3": plain, "a/b/c/d/n.py3": model}, "model m.py3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, outcome(t, newDraft(t, c.files.fs(), "."))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSchemas(t *testing.T) {
	for name, c := range map[string]struct {
		files files // beside the model and a stream for both slots
		want  string
	}{
		"the name":            {files{"in.avsc": record, "out.avsc": record, "x.avsc": record}, "in in.avsc\nout out.avsc\n"},
		"case and separators": {files{"IN.avsc": record, "o_u-t.avsc": record, "x.avsc": record}, "in IN.avsc\nout o_u-t.avsc\n"},
		"type name":           {files{"a.avsc": named("Out"), "b.avsc": named("In"), "x.avsc": record}, "in b.avsc\nout a.avsc\n"},
		"slot number":         {files{"slot0.avsc": record, "slot-1.avsc": record, "x.avsc": record}, "in slot0.avsc\nout slot-1.avsc\n"},
		"side":                {files{"gbm_input.avsc": record, "gbmOutput.avsc": record, "x.avsc": record}, "in gbm_input.avsc\nout gbmOutput.avsc\n"},
		"the only one left":   {files{"in.avsc": record, "x.avsc": record}, "in in.avsc\nout x.avsc\n"},
		"one for two":         {files{"x.avsc": record}, "? which file is schema \"in\" of input slot 0 (model.py3:1)? candidates: x.avsc\n? which file is schema \"out\" of output slot 1 (model.py3:2)? candidates: x.avsc\n"},
		"of the other side":   {files{"input.avsc": record}, "in input.avsc\n? which file is schema \"out\" of output slot 1 (model.py3:2)? none is left of input.avsc\n"},
		"two of the side":     {files{"in1.avsc": record, "in2.avsc": record, "out.avsc": record}, "out out.avsc\n? which file is schema \"in\" of input slot 0 (model.py3:1)? candidates: in1.avsc, in2.avsc\n"},
		"none":                {nil, "? which file is schema \"in\" of input slot 0 (model.py3:1)? none was found\n? which file is schema \"out\" of output slot 1 (model.py3:2)? none was found\n"},
		"as .json":            {files{"in.json": record, "out.json": `"double"`}, "in in.json\nout out.json\n"},
		"broken":              {files{"in.avsc": "{", "out.avsc": "double"}, "in in.avsc\nout out.avsc\n"},
		"really a stream":     {files{"in.avsc": record, "out.avsc": rest}, "in in.avsc\n? which file is schema \"out\" of output slot 1 (model.py3:2)? none is left of in.avsc\n"},
		"same name twice":     {files{"a/in.avsc": record, "b/in.avsc": record, "out.avsc": record}, "out out.avsc\n? which file is schema \"in\" of input slot 0 (model.py3:1)? candidates: a/in.avsc, b/in.avsc\n"},
		"below":               {files{"schemas/in.avsc": record, "schemas/out.avsc": record}, "in schemas/in.avsc\nout schemas/out.avsc\n"},
		"no file's name":      {files{"model.py3": "# fastscore.schema.0: a;${b}\n# fastscore.schema.1: out\n" + action, "out.avsc": record, "x.avsc": record}, "out out.avsc\n? what is the schema of input slot 0 (model.py3:1)? no variable can carry this name: change it there\n"},
		"one for both slots":  {files{"model.py3": "# fastscore.schema.$all: x\n" + action, "y.avsc": record}, "x y.avsc\n"},
		"the stream's":        {files{"model.py3": action, "rest.json": `{"Transport": "REST", "Encoding": "json", "Schema": {"$ref": "thing"}}`, "a.avsc": record, "thing.avsc": record}, "thing thing.avsc\n"},
	} {
		t.Run(name, func(t *testing.T) {
			all := files{"model.py3": model, "rest.json": rest}
			maps.Copy(all, c.files)
			var got []string
			for line := range strings.Lines(outcome(t, newDraft(t, all.fs(), "."))) {
				if rest, ok := strings.CutPrefix(line, "schema "); ok || strings.HasPrefix(line, "?") {
					got = append(got, rest)
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStreams(t *testing.T) {
	const open = "? which file is the stream of slot %d, an %s? %s\n"
	three := "# fastscore.slot.2: in-use\n" + model
	discard, inline := `{"Transport": "discard"}`, `{"Transport": {"Type": "inline", "Data": ["1"]}, "Encoding": "json"}`
	for name, c := range map[string]struct {
		files files // beside the model and its schemas
		want  string
	}{
		"one for both":       {files{"rest.json": rest}, "0 rest.json\n1 rest.json\n"},
		"slot number":        {files{"0.json": rest, "stream-1.json": rest, "x.json": rest}, "0 0.json\n1 stream-1.json\n"},
		"no slot number":     {files{"input-1.json": rest, "s3-output.json": rest}, "0 input-1.json\n1 s3-output.json\n"},
		"schema's name":      {files{"IN.json": rest, "Out.json": rest}, "0 IN.json\n1 Out.json\n"},
		"side":               {files{"rest-in.json": rest, "kafkaOutput.json": kafka, "x.json": rest}, "0 rest-in.json\n1 kafkaOutput.json\n"},
		"reference":          {files{"a.json": strings.Replace(rest, "{", `{"Schema": {"$ref": "out"}, `, 1), "b.json": rest}, "0 b.json\n1 a.json\n"},
		"topic of a side":    {files{"a.json": about("scores-out"), "b.json": about("t"), "c.json": about("in")}, "0 c.json\n1 a.json\n"},
		"topic of a record":  {files{"a.json": about("new-scores"), "b.json": about("t")}, "0 b.json\n1 a.json\n"},
		"sentence":           {files{"a.json": strings.Replace(rest, "{", `{"Description": "sent in JSON", `, 1), "b.json": kafka}, fmt.Sprintf(open, 0, "input", "candidates: a.json, b.json") + fmt.Sprintf(open, 1, "output", "candidates: a.json, b.json")},
		"inline schema":      {files{"a.json": strings.Replace(rest, "{", `{"Schema": {"type": "array", "items": "int"}, `, 1), "b.json": rest, "out-stream.json": rest}, "0 b.json\n1 out-stream.json\n"},
		"transport":          {files{"a.json": discard, "b.json": inline}, "0 b.json\n1 a.json\n"},
		"transport of one":   {files{"a.json": discard, "b.json": rest}, "0 b.json\n1 a.json\n"},
		"no input":           {files{"a.json": discard}, "1 a.json\n" + fmt.Sprintf(open, 0, "input", "none is left of a.json")},
		"none":               {nil, fmt.Sprintf(open, 0, "input", "none was found") + fmt.Sprintf(open, 1, "output", "none was found")},
		"broken":             {files{"rest.json": `{"Transport": "REST",}`}, "0 rest.json\n1 rest.json\n"},
		"two inputs":         {files{"model.py3": three, "rest-in.json": rest, "out.json": rest}, "0 rest-in.json\n1 out.json\n2 rest-in.json\n"},
		"number and side":    {files{"model.py3": three, "input-1.json": rest, "input-2.json": rest, "output-1.json": rest}, "0 input-1.json\n1 output-1.json\n2 input-2.json\n"},
		"of the other side":  {files{"kafka-out.json": kafka}, "1 kafka-out.json\n" + fmt.Sprintf(open, 0, "input", "none is left of kafka-out.json")},
		"of the other slot":  {files{"1.json": rest}, "1 1.json\n" + fmt.Sprintf(open, 0, "input", "none is left of 1.json")},
		"no JSON of its own": {files{"data.json": `{"x": 1}`, "rest.json": rest}, "0 rest.json\n1 rest.json\n"},
	} {
		t.Run(name, func(t *testing.T) {
			all := files{"model.py3": model, "in.avsc": named("Applicant"), "out.avsc": named("Score")}
			maps.Copy(all, c.files)
			var got []string
			for line := range strings.Lines(outcome(t, newDraft(t, all.fs(), "."))) {
				if rest, ok := strings.CutPrefix(line, "stream "); ok || strings.HasPrefix(line, "?") {
					got = append(got, rest)
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFurtherFiles(t *testing.T) {
	reads := model + "open('/assets/lookup.csv')\nopen('/assets/d/' + name)\nopen('sub/x.bin')\nimport helper, json\n"
	d := newDraft(t, files{
		"model.py3": reads, "in.avsc": record, "out.avsc": record, "unused.avsc": record, "rest.json": rest,
		"lookup.csv": "x", "my-lookup.csv": "x", "d/a.txt": "x", "d/b.txt": "x", "e/c.txt": "x", "sub/x.bin": "x", "helper.py": "x = 1\n", "train.py3": "x = 1\n",
		"w.tar.zst": "x", "v.zip": "x", "README.md": "x", "Dockerfile": "FROM x", "tls.key": "x", "aws_credentials": "x", "secrets/a.txt": "x", ".env": "x", "empty.txt": "",
		"a\nb.txt": "x", `a\b.txt`: "x", "c:d.txt": "x", "k=v.txt": "x", "$HOME.txt": "x", "null": "x",
	}.fs(), ".")
	want := "model model.py3\nschema in in.avsc\nschema out out.avsc\nstream 0 rest.json\nstream 1 rest.json\nunpack v.zip\nunpack w.tar.zst\n" +
		"asset d/a.txt=d/a.txt\nasset d/b.txt=d/b.txt\nasset lookup.csv\nasset sub/x.bin=sub/x.bin\nasset helper.py\n"
	if diff := cmp.Diff(want, outcome(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	left := "\n# Left out, since nothing refers to them: $HOME.txt, e/c.txt, k=v.txt, my-lookup.csv, null, train.py3, unused.avsc\n"
	if !strings.Contains(string(d.Content), left) {
		t.Errorf("want %s in\n%s", left, d.Content)
	}
}

// Names that YAML or variables would read as something else.
func TestAwkwardNames(t *testing.T) {
	for _, name := range []string{"null", "$HOME.csv", `a"b.csv`, "ab: b #c.csv", "- x.csv", "é.csv", "{x}.csv", "*x.csv", "0", "true", "~x"} {
		d := newDraft(t, files{"model.py3": model + "open('/assets/" + name + "')\n", "in.avsc": record, "out.avsc": record, "rest.json": rest, name: "x"}.fs(), ".")
		if spec, _ := parse(t, d); len(spec.Assets) != 1 || spec.Assets[0].Path != name {
			t.Errorf("%q: assets %v", name, spec.Assets)
		}
	}
	d := newDraft(t, files{"null": "", "my ${model}.py3": model, "a.avsc": named("in"), "bc: #.avsc": named("out"), "$x.json": rest, "${x}.zip": "x", "$x.zip": "x"}.fs(), ".")
	want := "model my ${model}.py3\nschema in a.avsc\nschema out bc: #.avsc\nstream 0 $x.json\nstream 1 $x.json\nunpack $x.zip\n"
	if diff := cmp.Diff(want, outcome(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A draft in a directory above names the files from there.
func TestDirectory(t *testing.T) {
	fsys := files{"other.py3": model, "s/model.py3": model + "open('/assets/d/x')\n", "s/in.avsc": record, "s/out.avsc": record, "s/rest.json": rest, "s/d/x": "x"}.fs()
	want := "model s/model.py3\nschema in s/in.avsc\nschema out s/out.avsc\nstream 0 s/rest.json\nstream 1 s/rest.json\nasset s/d/x=d/x\n"
	if diff := cmp.Diff(want, outcome(t, newDraft(t, fsys, "s"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, dir := range []string{"none", "other.py3"} {
		if _, err := draft.New(fsys, dir); err == nil {
			t.Errorf("%s: no error", dir)
		}
	}
}

func TestTooManyFiles(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 10_001 {
		fsys[fmt.Sprint(i)] = &fstest.MapFile{Data: []byte("x")}
	}
	if _, err := draft.New(fsys, "."); err == nil || !strings.Contains(err.Error(), "more than 10000 files") {
		t.Errorf("error %v", err)
	}
}
