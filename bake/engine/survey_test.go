// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine"
)

func TestSurveyModel(t *testing.T) {
	type slots = []engine.SlotSurvey
	action := "def action(x):\n    yield x\n"
	for name, c := range map[string]struct {
		file, content string
		want          engine.ModelSurvey
		rules         string // of errors
	}{
		"annotated": {
			"m/model.py3", "# fastscore.schema.0: in\n\n# modelop.schema.1: out\n" + action,
			engine.ModelSurvey{Runner: "Python 3", Slots: slots{{0, "in", 1}, {1, "out", 3}}},
			"",
		},
		"group and extra slots": {
			"model.R", "# fastscore.schema.$all: x\n# fastscore.slot.3: in-use\n# fastscore.slot.1: unused\naction <- function(x) emit(x)\n",
			engine.ModelSurvey{Runner: "R", Slots: slots{{0, "x", 1}, {3, "x", 1}}},
			"",
		},
		"inline schema": {
			"model.py", "# fastscore.schema.0: {\"type\": \"int\"}\n" + action,
			engine.ModelSurvey{Runner: "Python 2", Slots: slots{{0, "", 0}, {1, "", 0}}},
			"",
		},
		"named slot": {
			"model.py3", "# fastscore.schema.left: in\n" + action,
			engine.ModelSurvey{Runner: "Python 3", Slots: slots{{0, "", 0}, {1, "", 0}}},
			"",
		},
		"notebook": {
			"m.ipynb", "{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": [\n\"x = 1\\n\",\n\"# fastscore.schema.0: in\\n\",\n\"def action(x):\\n\", \"    yield x\"]}]}",
			engine.ModelSurvey{Runner: "Jupyter", Slots: slots{{0, "in", 3}, {1, "", 0}}},
			"",
		},
		"PFA": {
			"model.pfa", `{"input": "int", "output": "int", "action": ["input"]}`,
			engine.ModelSurvey{Runner: "PFA", Slots: slots{{0, "", 0}, {1, "", 0}}},
			"",
		},
		"no callback":       {"helper.py3", "x = 1\n", engine.ModelSurvey{Runner: "Python 3", Slots: slots{{0, "", 0}, {1, "", 0}}}, "M-05"},
		"unknown extension": {"model.txt", action, engine.ModelSurvey{}, "M-01"},
		"empty":             {"model.py3", "", engine.ModelSurvey{Runner: "Python 3", Slots: slots{{0, "", 0}, {1, "", 0}}}, "M-04"},
	} {
		t.Run(name, func(t *testing.T) {
			got, found := engine.SurveyModel(c.file, []byte(c.content))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var rules []string
			for _, f := range errorsOf(found) {
				rules = append(rules, f.Rule)
				if f.File != c.file {
					t.Errorf("a finding about %q", f.File)
				}
			}
			if got := strings.Join(rules, " "); got != c.rules {
				t.Errorf("errors %q, want %q", got, c.rules)
			}
		})
	}
}

func TestSurveyFile(t *testing.T) {
	both := engine.FileSurvey{Kind: engine.StreamFile, Inputs: true, Outputs: true}
	for name, c := range map[string]struct {
		content string
		want    engine.FileSurvey
	}{
		"record":              {`{"type": "record", "name": "In", "namespace": "a.b", "fields": []}`, engine.FileSurvey{Kind: engine.SchemaFile, Name: "a.b.In"}},
		"primitive":           {`"double"`, engine.FileSurvey{Kind: engine.SchemaFile}},
		"record of Transport": {`{"type": "record", "name": "T", "fields": [{"name": "Transport", "type": "int"}]}`, engine.FileSurvey{Kind: engine.SchemaFile, Name: "T"}},
		"REST":                {`{"Transport": "REST", "Schema": {"$ref": "in"}}`, with(both, func(s *engine.FileSurvey) { s.Ref = "in" })},
		"lower case":          {`{"transport": {"type": "REST"}}`, both},
		"broken stream":       {`{"Transport": "REST",}`, both},
		"unknown transport":   {`{"Transport": "kafak"}`, both},
		"discard":             {`{"Transport": "discard"}`, with(both, func(s *engine.FileSurvey) { s.Inputs = false })},
		"UDP":                 {`{"Transport": {"Type": "udp", "Port": 1}}`, with(both, func(s *engine.FileSurvey) { s.Outputs = false })},
		"ODBC that selects":   {`{"Transport": {"Type": "ODBC", "SelectQuery": "s"}}`, with(both, func(s *engine.FileSurvey) { s.Outputs = false })},
		"ODBC that inserts": {`{"Transport": {"Type": "ODBC", "InsertIntoTable": "scores"}}`, with(both, func(s *engine.FileSurvey) {
			s.Inputs, s.About = false, []string{"scores"}
		})},
		"ODBC that says neither": {`{"Transport": {"Type": "ODBC"}}`, both},
		"Kafka": {`{"Description": "Scores", "Transport": {"Type": "Kafka", "Topic": "t", "BootstrapServers": ["k:1"]}}`, with(both, func(s *engine.FileSurvey) {
			s.About = []string{"Scores", "t"}
		})},
		"PFA":      {`{"input": "int", "output": "int", "action": ["input"]}`, engine.FileSurvey{Kind: engine.PFAFile}},
		"package":  {`{"name": "x", "type": "module"}`, engine.FileSurvey{}},
		"data":     {`{"x": 1}`, engine.FileSurvey{}},
		"no JSON":  {"x: 1\n", engine.FileSurvey{}},
		"records":  {"{\"x\": 1}\n{\"x\": 2}\n", engine.FileSurvey{}},
		"nothing":  {"", engine.FileSurvey{}},
		"an array": {`[1, 2]`, engine.FileSurvey{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := engine.SurveyFile([]byte(c.content))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func with(s engine.FileSurvey, change func(*engine.FileSurvey)) engine.FileSurvey {
	change(&s)
	return s
}

func FuzzSurvey(f *testing.F) {
	f.Add("model.py3", []byte("# fastscore.schema.0: in\ndef action(x): yield x\n"))
	f.Add("0.json", []byte(`{"Transport": {"Type": "HTTP", "Url": "https://h/in"}, "Schema": {"$ref": "in"}}`))
	f.Add("in.avsc", []byte(`{"type": "record", "name": "In", "fields": []}`))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		s := engine.SurveyFile(content)
		if serves := s.Inputs || s.Outputs; serves != (s.Kind == engine.StreamFile) {
			t.Errorf("%+v", s)
		}
		m, found := engine.SurveyModel(name, content)
		if m.Runner == "" && len(errorsOf(found)) == 0 {
			t.Error("no runner, and no error says why")
		}
		for i, s := range m.Slots {
			if i > 0 && s.Number <= m.Slots[i-1].Number || s.Schema != "" && s.Line == 0 {
				t.Errorf("%+v", m.Slots)
			}
		}
	})
}
