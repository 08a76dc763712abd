// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A transport is one row of section 4.2 of the engine contract.
type transport struct {
	name     string   // canonical spelling
	required []string // fields it cannot work without
	slots    string   // "in" or "out" where it serves one direction only
}

var transports = []transport{
	{name: "REST"},
	{name: "HTTP", required: []string{"Url"}},
	{name: "Kafka", required: []string{"BootstrapServers", "Topic"}},
	{name: "kafka-offset", required: []string{"BootstrapServers", "Topic", "Group"}, slots: "out"},
	{name: "S3", required: []string{"Bucket", "ObjectKey"}},
	{name: "file", required: []string{"Path"}},
	{name: "ODBC", required: []string{"ConnectionString"}},
	{name: "HDFS", required: []string{"NameNode", "Path"}},
	{name: "TCP", required: []string{"Host", "Port"}},
	{name: "UDP", required: []string{"Port"}, slots: "in"},
	{name: "exec", required: []string{"Run"}},
	{name: "inline", slots: "in"},
	{name: "discard", slots: "out"},
	{name: "time", slots: "in"},
	{name: "debug", slots: "in"},
	{name: "console", slots: "out"},
}

var encodings = []string{"utf-8", "json", "csv", "msgpack", "avro-binary", "soap-rpc"}

// streams loads the bindings of STREAMS, sorted by slot.
func (in *inspection) streams(value string) []Stream {
	streams := []Stream{}
	for _, b := range in.bindings("STREAMS", value, slotPattern, "slot") {
		slot, err := strconv.Atoi(b.key)
		if err != nil {
			in.problem(b.where, "%v", err)
			continue
		}
		file, content := in.read(b.where, b.path)
		s := Stream{File: file, Slot: slot}
		if content != nil {
			for _, err := range s.decode(content) {
				in.problem(b.where, "%s: %v", b.path, err)
			}
		}
		streams = append(streams, s)
	}
	slices.SortFunc(streams, func(a, b Stream) int { return a.Slot - b.Slot })
	return streams
}

// decode fills s from a stream descriptor and returns what is wrong with it.
// Field names are looked up in a map, because they are case-sensitive and the
// fields of a struct would not be.
func (s *Stream) decode(doc []byte) (faults []error) {
	var fields map[string]json.RawMessage
	if !utf8.Valid(doc) {
		return []error{errors.New("not UTF-8")}
	}
	if err := json.Unmarshal(doc, &fields); err != nil {
		return []error{fmt.Errorf("not a JSON object: %w", err)}
	}
	if fields == nil {
		return []error{errors.New("not a JSON object: null")}
	}
	if raw, ok := fields["Schema"]; ok {
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			faults = append(faults, fmt.Errorf("reading Schema: %w", err))
		}
		s.Schema = compact.String()
		if err := checkStreamSchema(raw); err != nil {
			faults = append(faults, err)
		}
	}
	faults = append(faults, s.decodeTransport(fields["Transport"])...)
	if err := s.decodeEncoding(fields["Encoding"]); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// decodeEncoding needs the transport, because bert belongs to time streams.
func (s *Stream) decodeEncoding(raw json.RawMessage) error {
	name, object, err := typed(raw)
	if err != nil {
		return fmt.Errorf("reading Encoding: %w", err)
	}
	s.Encoding = name
	bert := s.Transport == "time" && strings.EqualFold(name, "bert")
	if name != "" && !bert && !containsFold(encodings, name) {
		return fmt.Errorf("unknown encoding %q", name)
	}
	if object != nil && !strings.EqualFold(name, "csv") {
		return fmt.Errorf("encoding %q has no parameters", name)
	}
	return nil
}

func (s *Stream) decodeTransport(raw json.RawMessage) (faults []error) {
	name, object, err := typed(raw)
	if err != nil {
		return []error{fmt.Errorf("reading Transport: %w", err)}
	}
	if name == "" {
		return []error{errors.New("no Transport with a Type")}
	}
	i := slices.IndexFunc(transports, func(t transport) bool { return strings.EqualFold(t.name, name) })
	if i < 0 {
		return []error{fmt.Errorf("unknown transport %q", name)}
	}
	t := transports[i]
	s.Transport = t.name
	for _, field := range t.required {
		switch string(object[field]) {
		case "", "null", `""`, "[]":
			faults = append(faults, fmt.Errorf("transport %s needs %q", t.name, field))
		}
	}
	if direction := []string{"in", "out"}[s.Slot%2]; t.slots != "" && t.slots != direction {
		faults = append(faults, fmt.Errorf("transport %s is for %sput slots only", t.name, t.slots))
	}
	return faults
}

// typed reads the two ways to write a transport or an encoding: a string, or
// an object whose Type is that string. Null and nothing give an empty name.
func typed(raw json.RawMessage) (name string, object map[string]json.RawMessage, err error) {
	if raw == nil {
		return "", nil, nil
	}
	if raw[0] != '{' {
		err = json.Unmarshal(raw, &name)
		return name, nil, err
	}
	if err = json.Unmarshal(raw, &object); err != nil {
		return "", nil, err
	}
	if object["Type"] == nil {
		return "", nil, errors.New(`no "Type"`)
	}
	err = json.Unmarshal(object["Type"], &name)
	return name, object, err
}

// checkStreamSchema tells whether a descriptor's Schema is one of the forms
// of section 3.1: null, "$inherit", a reference, or an Avro schema.
func checkStreamSchema(raw json.RawMessage) error {
	if text := string(raw); text == "null" || text == `"$inherit"` {
		return nil
	}
	var object map[string]json.RawMessage
	if raw[0] == '{' {
		if err := json.Unmarshal(raw, &object); err != nil {
			return fmt.Errorf("reading Schema: %w", err)
		}
	}
	if _, ok := object["$ref"]; ok {
		if _, ok := schemaRef(string(raw)); !ok {
			return fmt.Errorf(`schema reference has the keys %v: want "$ref" alone, naming a schema`, slices.Sorted(maps.Keys(object)))
		}
		return nil
	}
	if _, err := parseSchema(raw); err != nil {
		return fmt.Errorf("reading Schema: %w", err)
	}
	return nil
}

// schemaRef is the name in {"$ref": name}.
func schemaRef(schema string) (name string, ok bool) {
	var ref map[string]string
	if json.Unmarshal([]byte(schema), &ref) != nil || len(ref) != 1 {
		return "", false
	}
	name, ok = ref["$ref"]
	return name, ok
}

func containsFold(list []string, name string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}
