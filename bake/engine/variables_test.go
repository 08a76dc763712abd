// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A base may have variables of the contract: each is replaced by the bake's
// own, or stays and binds what the bake does not.
func TestVariablesOfTheBase(t *testing.T) {
	streams := "STREAMS=0:/assets/0.json;1:/assets/1.json"
	for _, tc := range []struct {
		name string
		base string
		// change is made to bindings of all that the default bake has.
		change func(*engine.Bindings)
		// final leaves the bindings to the image's environment.
		final bool
		want  []string
	}{
		{"nothing", "PATH=/bin", func(*engine.Bindings) {}, false, nil},
		{"empty", "STREAMS=", func(*engine.Bindings) {}, false, nil},
		{"the bake's own values", streams, func(*engine.Bindings) {}, false, []string{
			"note ENV-14 STREAMS: STREAMS stays as the base image sets it",
		}},
		{"replaced", "STREAMS=0:/other.json", func(*engine.Bindings) {}, false, []string{
			"warning ENV-14 STREAMS: STREAMS from the base image is replaced",
		}},
		{"replaced in an environment", "STREAMS=0:/other.json", func(*engine.Bindings) {}, true, []string{
			"warning ENV-14 STREAMS: STREAMS from the base image is replaced",
		}},
		{"a model replaced", "MODEL=/fastscore/model.R", func(*engine.Bindings) {}, false, []string{
			"warning ENV-14 MODEL: MODEL from the base image is replaced",
		}},
		{"streams that stay", streams, func(b *engine.Bindings) { b.Streams = nil }, false, []string{
			"note ENV-14 STREAMS: STREAMS stays as the base image sets it",
		}},
		{"streams that stay and do not fit", "STREAMS=0:/assets/0.json;1:/assets/none.json", func(b *engine.Bindings) { b.Streams = nil }, false, []string{
			"error ENV-08 STREAMS: STREAMS from the base image: slot 1 -> /assets/none.json: no such file in the image",
			"note ENV-14 STREAMS: STREAMS stays as the base image sets it",
		}},
		{"streams of the base's own files", "STREAMS=0:/fastscore/in.json;1:/assets/1.json", func(b *engine.Bindings) { b.Streams = nil }, false, []string{
			"note ENV-08 STREAMS: STREAMS from the base image: slot 0 -> /fastscore/in.json: not part of the bake; whether the base image has it was not looked at",
			"note ENV-14 STREAMS: STREAMS stays as the base image sets it",
		}},
		{"broken schemas that stay", "SCHEMAS=in", func(b *engine.Bindings) { b.Schemas = nil }, false, []string{
			`error ENV-02 SCHEMAS: SCHEMAS from the base image: item 1 "in" has no ":"`,
			"note ENV-14 SCHEMAS: SCHEMAS stays as the base image sets it",
		}},
		{"attachments that stay", "ATTACHMENTS=/assets/none.zip", func(*engine.Bindings) {}, false, []string{
			"error ENV-08 ATTACHMENTS: ATTACHMENTS from the base image: item 1 -> /assets/none.zip: no such file in the image",
			"note ENV-14 ATTACHMENTS: ATTACHMENTS stays as the base image sets it",
			"warning A-06 ATTACHMENTS: the format of ATTACHMENTS is not documented",
		}},
		{"a model that stays", "MODEL=/assets/model.py3", func(b *engine.Bindings) { b.Model = "" }, false, []string{
			"note ENV-14 MODEL: MODEL stays as the base image sets it",
		}},
		{"a prefix that stays", "CONNECT_PREFIX=https://hub:8001", func(b *engine.Bindings) { b.ConnectPrefix = "" }, false, nil},
		{"a prefix that stays and is none", "CONNECT_PREFIX=hub:8001", func(b *engine.Bindings) { b.ConnectPrefix = "" }, false, []string{
			"error ENV-12 CONNECT_PREFIX: CONNECT_PREFIX from the base image is not a URL; expected https://host:8001",
		}},
		{"a prefix without encryption", "CONNECT_PREFIX=http://hub:8001", func(b *engine.Bindings) { b.ConnectPrefix = "" }, false, []string{
			"warning ENV-12 CONNECT_PREFIX: CONNECT_PREFIX from the base image is not encrypted (http)",
		}},
		{"a prefix replaced", "CONNECT_PREFIX=hub:8001", func(*engine.Bindings) {}, false, []string{
			"warning ENV-14 CONNECT_PREFIX: CONNECT_PREFIX from the base image is replaced",
		}},
		{"no prefix", "PATH=/bin", func(b *engine.Bindings) { b.ConnectPrefix = "" }, false, []string{
			"warning ENV-11 CONNECT_PREFIX: CONNECT_PREFIX is not set: engines since 1.8.2 do not work without it",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			img := bakery{}.over().image()
			img.BaseEnv = []string{tc.base}
			if !tc.final {
				bound, _ := engine.Decode(img.Env)
				tc.change(&bound)
				img.Bindings, img.Env = &bound, nil
			}
			var got []string
			for _, f := range engine.Check(img, engine.Options{}) {
				if !strings.HasPrefix(f.Rule, "X-") {
					line, _, _ := strings.Cut(show(f), " [")
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where the environment of the image to be is given, a variable of the base
// that is not in it does not stay.
func TestVariablesThatWereDropped(t *testing.T) {
	img := bakery{}.over().image()
	bound, _ := engine.Decode(img.Env)
	bound.Attachments = nil
	img.Bindings, img.Env, img.BaseEnv = &bound, bound.Env(), []string{"ATTACHMENTS=/assets/none.zip"}
	var got []string
	for _, f := range engine.Check(img, engine.Options{}) {
		got = append(got, f.Severity.String()+" "+f.Rule+" "+f.Message)
	}
	if diff := cmp.Diff([]string{"warning ENV-14 ATTACHMENTS from the base image is replaced"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
