// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStreamDecode(t *testing.T) {
	tests := []struct {
		name string
		slot int
		doc  string
		want Stream // without Slot
		errs []string
	}{
		{
			name: "shortcut", slot: 1, doc: `{"Transport": "DISCARD"}`,
			want: Stream{Transport: "discard"},
		},
		{
			name: "parameters", doc: `{"Transport": {"Type": "file", "Path": "/d"}, "Encoding": {"Type": "csv", "Delimiter": ";"}, "Schema": null}`,
			want: Stream{Transport: "file", Encoding: "csv", Schema: "null"},
		},
		{
			name: "inline schema", doc: `{"Transport": "REST", "Encoding": "JSON", "Schema": {"type": "array", "items": "int"}}`,
			want: Stream{Transport: "REST", Encoding: "JSON", Schema: `{"type":"array","items":"int"}`},
		},
		{
			name: "inherited schema", doc: `{"Transport": "REST", "Schema": "$inherit"}`,
			want: Stream{Transport: "REST", Schema: `"$inherit"`},
		},
		{
			name: "time stream", doc: `{"Transport": "time", "Encoding": "bert"}`,
			want: Stream{Transport: "time", Encoding: "bert"},
		},
		{name: "array", doc: `[]`, errs: []string{"not a JSON object: json: cannot unmarshal array into Go value of type map[string]json.RawMessage"}},
		{name: "null", doc: `null`, errs: []string{"not a JSON object: null"}},
		{name: "not UTF-8", doc: "{\"Transport\": \"\xff\"}", errs: []string{"not UTF-8"}},
		{name: "field names in lower case", doc: `{"transport": "REST"}`, errs: []string{"no Transport with a Type"}},
		{name: "no type", doc: `{"Transport": {"type": "REST"}}`, errs: []string{`reading Transport: no "Type"`}},
		{name: "unknown transport", doc: `{"Transport": "kafak"}`, errs: []string{`unknown transport "kafak"`}},
		{
			name: "mandatory fields", doc: `{"Transport": {"Type": "Kafka", "BootstrapServers": [], "Topic": ""}}`,
			want: Stream{Transport: "Kafka"},
			errs: []string{`transport Kafka needs "BootstrapServers"`, `transport Kafka needs "Topic"`},
		},
		{
			name: "shortcut for a transport with mandatory fields", doc: `{"Transport": "TCP"}`,
			want: Stream{Transport: "TCP"},
			errs: []string{`transport TCP needs "Host"`, `transport TCP needs "Port"`},
		},
		{
			name: "input on an output slot", slot: 3, doc: `{"Transport": {"Type": "UDP", "Port": 9000}}`,
			want: Stream{Transport: "UDP"}, errs: []string{"transport UDP is for input slots only"},
		},
		{
			name: "output on an input slot", slot: 2, doc: `{"Transport": "discard"}`,
			want: Stream{Transport: "discard"}, errs: []string{"transport discard is for output slots only"},
		},
		{
			name: "every fault is told", doc: `{"Transport": {"Type": "exec"}, "Encoding": "utf8", "Schema": "input"}`,
			want: Stream{Transport: "exec", Encoding: "utf8", Schema: `"input"`},
			errs: []string{"reading Schema: avro: unknown type: input", `transport exec needs "Run"`, `unknown encoding "utf8"`},
		},
		{
			name: "encoding of another transport", doc: `{"Transport": "REST", "Encoding": "bert"}`,
			want: Stream{Transport: "REST", Encoding: "bert"}, errs: []string{`unknown encoding "bert"`},
		},
		{
			name: "encoding parameters", doc: `{"Transport": "REST", "Encoding": {"Type": "json"}}`,
			want: Stream{Transport: "REST", Encoding: "json"}, errs: []string{`encoding "json" has no parameters`},
		},
		{
			name: "reference with more keys", doc: `{"Transport": "REST", "Schema": {"type": "int", "$ref": "a"}}`,
			want: Stream{Transport: "REST", Schema: `{"type":"int","$ref":"a"}`},
			errs: []string{`schema reference has the keys [$ref type]: want "$ref" alone, naming a schema`},
		},
		{
			name: "reference to no name", doc: `{"Transport": "REST", "Schema": {"$ref": 1}}`,
			want: Stream{Transport: "REST", Schema: `{"$ref":1}`},
			errs: []string{`schema reference has the keys [$ref]: want "$ref" alone, naming a schema`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.want.Slot = test.slot
			got := Stream{Slot: test.slot}
			var errs []string
			for _, err := range got.decode([]byte(test.doc)) {
				errs = append(errs, err.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("stream (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.errs, errs); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
