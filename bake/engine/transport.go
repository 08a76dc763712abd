// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// A transport is one row of the table of transports. All that is common to
// transports is said by its row; check adds what only this one needs.
type transport struct {
	name            string // canonical spelling; names are compared without case
	inputs, outputs bool
	keeps           func(d *descriptor) bool // record boundaries; nil: never
	seek            seeking
	fields          []field
	anyField        bool // of a legacy transport: fields are not checked
	legacy          string
	// opaque transports carry nothing that Encoding and Schema describe.
	opaque bool
	check  func(d *descriptor)
}

// seeking is what a transport can go back to.
type seeking int

const (
	seekNothing seeking = iota // Loop is an error
	seekUnsure                 // Loop draws a warning
	seekBytes
	seekRecords
)

// A field is one member of a transport.
type field struct {
	name     string
	want     want
	required bool
	nullable bool
}

// want is the type of a field.
type want int

const (
	wantString want = iota
	wantStrings
	wantStringOrStrings
	wantBool
	wantCount // an integer that is not negative
	wantInt
	wantNumber // seconds
	wantObject
)

var wantNames = [...]string{
	wantString: "a string", wantStrings: "an array of strings", wantStringOrStrings: "a string or an array of strings",
	wantBool: "true or false", wantCount: "an integer that is not negative", wantInt: "an integer", wantNumber: "a number", wantObject: "an object",
}

// fits tells whether v has the type.
func (w want) fits(v jsonpos.Value) bool {
	switch w {
	case wantString:
		return v.Kind() == jsonpos.String
	case wantStringOrStrings:
		return v.Kind() == jsonpos.String || wantStrings.fits(v)
	case wantStrings:
		for item := range v.Items() {
			if item.Kind() != jsonpos.String {
				return false
			}
		}
		return v.Kind() == jsonpos.Array
	case wantBool:
		return v.Kind() == jsonpos.Bool
	case wantCount:
		n, ok := v.Int()
		return ok && n >= 0
	case wantInt:
		_, ok := v.Int()
		return ok
	case wantNumber:
		return v.Kind() == jsonpos.Number
	case wantObject:
		return v.Kind() == jsonpos.Object
	}
	return false
}

// isEmpty tells whether a mandatory field says nothing.
func isEmpty(v jsonpos.Value) bool {
	switch v.Kind() {
	case jsonpos.String:
		return strings.TrimSpace(v.Text()) == ""
	case jsonpos.Array, jsonpos.Object:
		return v.Len() == 0
	}
	return v.Kind() == jsonpos.Null
}

func always(*descriptor) bool { return true }

var kafkaFields = []field{
	{name: "BootstrapServers", want: wantStrings, required: true},
	{name: "Topic", required: true},
	{name: "Group"},
	{name: "CommitOffset", want: wantBool},
	{name: "Partition", want: wantInt},
	{name: "MaxWaitTime", want: wantInt},
	{name: "Principal", nullable: true},
	{name: "Keytab", nullable: true},
}

// transports in the order of the contract's table.
var transports = []*transport{
	{
		name: "REST", inputs: true, outputs: true, keeps: (*descriptor).simpleREST,
		fields: []field{{name: "Mode"}}, check: checkREST,
	},
	{
		name: "HTTP", inputs: true, outputs: true, keeps: (*descriptor).chunked, seek: seekBytes,
		fields: []field{{name: "Url", required: true}, {name: "Chunked", want: wantBool}}, check: checkHTTP,
	},
	{name: "Kafka", inputs: true, outputs: true, keeps: always, seek: seekRecords, fields: kafkaFields, check: checkKafka},
	{name: "kafka-offset", outputs: true, keeps: always, fields: kafkaFields, opaque: true, check: checkKafkaOffset},
	{
		name: "S3", inputs: true, outputs: true, seek: seekUnsure, check: checkS3,
		fields: []field{
			{name: "Bucket", required: true},
			{name: "ObjectKey", required: true},
			{name: "Region"},
			{name: "IntegrityChecks", want: wantBool},
			{name: "AccessKeyID"},
			{name: "SecretAccessKey"},
		},
	},
	{
		name: "file", inputs: true, outputs: true, seek: seekBytes,
		fields: []field{{name: "Path", required: true}}, check: checkAbsolutePath,
	},
	{
		name: "ODBC", inputs: true, outputs: true, keeps: always, opaque: true, check: checkODBC,
		fields: []field{
			{name: "ConnectionString", required: true},
			{name: "SelectQuery"},
			{name: "InsertIntoTable"},
			{name: "OutputFields", want: wantStrings},
			{name: "Timeout", want: wantCount, nullable: true},
		},
	},
	{
		name: "HDFS", inputs: true, outputs: true, seek: seekUnsure, check: checkHDFS,
		fields: []field{
			{name: "NameNode", required: true}, {name: "Path", required: true}, {name: "Authentication", want: wantObject, nullable: true},
		},
	},
	{
		name: "TCP", inputs: true, outputs: true,
		fields: []field{{name: "Host", required: true}, {name: "Port", want: wantInt, required: true}}, check: checkPort,
	},
	{
		name: "UDP", inputs: true, keeps: always,
		fields: []field{{name: "Port", want: wantInt, required: true}, {name: "BindTo"}}, check: checkPort,
	},
	{
		name: "exec", inputs: true, outputs: true,
		fields: []field{{name: "Run", required: true}, {name: "Args", want: wantStrings}},
	},
	{
		name: "inline", inputs: true, keeps: (*descriptor).inlineArray, seek: seekUnsure, check: checkInline,
		fields: []field{{name: "Data", want: wantStringOrStrings}, {name: "DataBinary", want: wantStringOrStrings}},
	},
	{name: "discard", outputs: true, opaque: true},
	{
		name: "time", inputs: true, keeps: always, opaque: true, check: checkTime,
		fields: []field{
			{name: "TimeZero", want: wantNumber, nullable: true},
			{name: "Delay", want: wantNumber},
			{name: "Period", want: wantNumber},
			{name: "MaxCount", want: wantCount, nullable: true},
			{name: "Overflow"},
		},
	},
	{name: "debug", inputs: true, anyField: true, seek: seekUnsure, legacy: `transport "debug" was replaced by "inline"`},
	{name: "console", outputs: true, anyField: true, opaque: true, legacy: `transport "console" was removed after 1.6`},
}

// transportNamed finds a row; names are compared without case.
func transportNamed(name string) *transport {
	for _, t := range transports {
		if strings.EqualFold(t.name, name) {
			return t
		}
	}
	return nil
}

// mandatory are the fields that a transport cannot do without.
func (t *transport) mandatory() []string {
	var names []string
	for _, f := range t.fields {
		if f.required {
			names = append(names, f.name)
		}
	}
	if t.name == "inline" {
		names = append(names, "Data or DataBinary")
	}
	return names
}

// field finds a field by name.
func (t *transport) field(name string) *field {
	for i := range t.fields {
		if t.fields[i].name == name {
			return &t.fields[i]
		}
	}
	return nil
}
