// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// A ModelSurvey is what a model asks of the bake that it is for.
type ModelSurvey struct {
	// Runner names what runs the model, such as "Python 3"; empty where the
	// file's extension selects nothing.
	Runner string
	// Slots are those in use that a stream can be bound to, by number.
	Slots []SlotSurvey
}

// A SlotSurvey is what a model says of one slot.
type SlotSurvey struct {
	Number int    // even: input, odd: output
	Schema string // name of the schema that must be bound; empty where none is needed
	Line   int    // 1-based, of the annotation that names Schema; 0 where none does
}

// SurveyModel reads a model: what it needs to be bound, and the findings of
// the rules for model files. The extension of file selects the runner.
func SurveyModel(file string, content []byte) (ModelSurvey, []Finding) {
	p := newPage(file)
	m := checkModelFile(p, file, content)
	var s ModelSurvey
	if m == nil {
		return s, p.findings()
	}
	s.Runner = m.runner.name
	for _, which := range m.slots.sorted() {
		if which.name != "" {
			continue // no stream can be bound to it
		}
		found := SlotSurvey{Number: which.number}
		if a := m.slots.inUse[which].schema; a.value != "" && !isInline(a.value) {
			found.Schema, found.Line = a.value, m.fileLine(a.line)
		}
		s.Slots = append(s.Slots, found)
	}
	return s, p.findings()
}

// Kind is the part that a file can play in a bake.
type Kind int

// The kinds of JSON files.
const (
	OtherFile  Kind = iota // none of the others, or no JSON
	SchemaFile             // an Avro schema
	StreamFile             // a stream descriptor
	PFAFile                // a model
)

// A FileSurvey is what a JSON file shows of its part.
type FileSurvey struct {
	Kind Kind

	// Name is a schema's full name; empty for types that have none.
	Name string

	// Inputs and Outputs say which slots a stream's transport can serve; both
	// are set where the transport is not known.
	Inputs, Outputs bool
	// Ref is the name of the schema that a stream refers to; empty where it
	// refers to none.
	Ref string
	// About is what a stream descriptor says of the data: its description, and
	// the topic, path, URL or table that its transport names. It may hold
	// secrets and is for comparison alone.
	About []string
}

// SurveyFile tells what a JSON file is, or was meant to be.
func SurveyFile(content []byte) FileSurvey {
	doc, err := jsonpos.Parse(content, maxModelValues)
	var size *jsonpos.SizeError
	switch {
	case errors.As(err, &size):
		return FileSurvey{} // data
	case err != nil && bytes.Contains(content, []byte(`"Transport"`)):
		return FileSurvey{Kind: StreamFile, Inputs: true, Outputs: true} // a broken one
	case err != nil:
		return FileSurvey{}
	}
	root := doc.Root()
	switch {
	case hasMember(root, "Transport") && !root.Get("type").Exists():
		return surveyStream(content)
	case root.Get("action").Exists() && (root.Get("input").Exists() || root.Get("output").Exists()):
		return FileSurvey{Kind: PFAFile}
	}
	if doc.Values() > maxValues {
		return FileSurvey{}
	}
	s := parseAvro(root, quote, func(jsonpos.Value, Finding) {})
	if s == nil {
		return FileSurvey{}
	}
	return FileSurvey{Kind: SchemaFile, Name: s.name}
}

// hasMember finds a key whatever its letter case: SD-05 knows better.
func hasMember(root jsonpos.Value, name string) bool {
	for key := range root.Members() {
		if strings.EqualFold(key.Text(), name) {
			return true
		}
	}
	return false
}

func surveyStream(content []byte) FileSurvey {
	s := FileSurvey{Kind: StreamFile, Inputs: true, Outputs: true}
	d := checkDescriptorFile(newPage(""), content, false)
	if d == nil {
		return s // too large
	}
	if d.form == refSchema {
		s.Ref = d.ref
	}
	texts := []string{d.root.Get("Description").Text()}
	for _, name := range []string{"Topic", "Path", "ObjectKey", "Url", "InsertIntoTable"} {
		texts = append(texts, d.fields.Get(name).Text())
	}
	for _, text := range texts {
		if text != "" {
			s.About = append(s.About, text)
		}
	}
	if t := d.transport; t != nil {
		s.Inputs, s.Outputs = t.inputs, t.outputs
		if t.name == "ODBC" { // SD-40
			s.Inputs = d.fields.Get("SelectQuery").Exists() || !d.fields.Get("InsertIntoTable").Exists()
			s.Outputs = d.fields.Get("InsertIntoTable").Exists() || !d.fields.Get("SelectQuery").Exists()
		}
	}
	return s
}
