// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine"
)

func TestFindingJSON(t *testing.T) {
	f := engine.Finding{Rule: "X-01", Severity: engine.Error, File: "model.py", Line: 1, Message: "m", Hint: "h"}
	text, err := json.Marshal([]engine.Finding{f, {Rule: "ENV-03", Severity: engine.Warning, Variable: "STREAMS", Message: "m"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"rule":"X-01","severity":"error","file":"model.py","line":1,"message":"m","hint":"h"},` +
		`{"rule":"ENV-03","severity":"warning","variable":"STREAMS","message":"m"}]`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var back []engine.Finding
	if err := json.Unmarshal(text, &back); err != nil || back[0] != f {
		t.Errorf("%v, %v", back, err)
	}
}

func TestSeverity(t *testing.T) {
	if !(engine.Note < engine.Warning && engine.Warning < engine.Error) {
		t.Error("severities are not in order")
	}
	for _, s := range []engine.Severity{engine.Note, engine.Warning, engine.Error} {
		text, err := s.MarshalText()
		var back engine.Severity
		if err != nil || string(text) != s.String() || back.UnmarshalText(text) != nil || back != s {
			t.Errorf("%v: %q, %v, %v", s, text, err, back)
		}
	}
	var s engine.Severity
	if err := s.UnmarshalText([]byte("fatal")); err == nil {
		t.Error("fatal is no severity")
	}
	if _, err := engine.Severity(3).MarshalText(); err == nil || engine.Severity(3).String() != "Severity(3)" {
		t.Error("3 is no severity")
	}
}

// What others wrote must not reach a terminal as a command.
func TestMessagesArePrintable(t *testing.T) {
	found := bakery{"model.py3": "# fastscore.recordsets.0: a\x1b[2Jb\n# fastscore.slot.2: \u202e\ndef action(x): yield x\n"}.check()
	if len(found) < 2 {
		t.Fatal(found)
	}
	for _, f := range found {
		for _, r := range f.Message + f.Hint {
			if r == 0x1b || r == '\u202e' {
				t.Errorf("%q", f.Message)
			}
		}
	}
}
