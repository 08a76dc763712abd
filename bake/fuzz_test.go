// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// FuzzConfig reads foreign configs: what comes of one is a config again, with
// the bake's changes and no other.
func FuzzConfig(f *testing.F) {
	real, err := registrytest.BaseImage(f, registrytest.ImageOptions{}).RawConfigFile()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(real), `{}`, `null`, `[]`, `{"config":null}`, `{"config":{"Env":null,"Labels":null}}`,
		`{"config":{"Env":["MODEL=/a","MODEL=/b","MODEL","=","A"]},"history":[null,{}],"rootfs":{"diff_ids":[]}}`,
		`{"config":{"Labels":{"a":"<&>"}},"x":1e400,"created":"2020-02-20T20:02:20Z"}`,
		`{"Config":{"env":["A=b"]},"config":{"Env":"A"}}`, `{"created":1}`, `{"history":{}}`, `{"rootfs":{"diff_ids":["sha256:x"]}}`,
		`{"config":{"Env":["\ud800=x","A=\u2028"]}}`, `{"CONFIG":{"Env":"0"}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	spec := scorer("")
	spec.FS = fstest.MapFS{"m.py": {Data: []byte("x")}}
	spec.Model, spec.Schemas, spec.Streams = "m.py", nil, nil
	spec.Env, spec.Labels = map[string]string{"LEVEL": "1"}, map[string]string{"team": "risk"}
	plain := newPlan(f, spec)
	spec.Created = time.Unix(1700000000, 0)
	dated := newPlan(f, spec)
	f.Fuzz(func(t *testing.T, base []byte, created bool) {
		plan := plain
		if created {
			plan = dated
		}
		got, err := bake.Rebaked(t.Context(), plan, base)
		if err != nil {
			return
		}
		again, err := bake.Rebaked(t.Context(), plan, base)
		if err != nil || !bytes.Equal(got, again) {
			t.Errorf("a second time: %s, %v", again, err)
		}
		checkRebaked(t, base, got)
		// On its own result, a bake changes no variable and doubles none.
		twice, err := bake.Rebaked(t.Context(), plan, got)
		if err != nil {
			t.Fatalf("on its own result: %v", err)
		}
		if a, b := envOf(t, got), envOf(t, twice); !slices.Equal(a, b) {
			t.Errorf("Env %q became %q", a, b)
		}
	})
}

func envOf(t *testing.T, config []byte) []string {
	t.Helper()
	// A struct would take "CONFIG" for "config".
	var c, inner map[string]json.RawMessage
	var env []string
	err := json.Unmarshal(config, &c)
	if err == nil {
		err = json.Unmarshal(c["config"], &inner)
	}
	if err == nil {
		err = json.Unmarshal(inner["Env"], &env)
	}
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func checkRebaked(t *testing.T, base, got []byte) {
	t.Helper()
	var was, is map[string]json.RawMessage
	if err := json.Unmarshal(base, &was); err != nil {
		t.Fatalf("a config of what is none: %v", err)
	}
	if err := json.Unmarshal(got, &is); err != nil {
		t.Fatal(err)
	}
	for k, v := range was {
		if slices.Contains([]string{"config", "history", "rootfs", "created"}, k) {
			continue
		}
		var want bytes.Buffer
		if err := json.Compact(&want, v); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want.Bytes(), is[k]) {
			t.Errorf("%q is %s, was %s", k, is[k], v)
		}
	}
	var rootfs v1.RootFS
	if err := json.Unmarshal(is["rootfs"], &rootfs); err != nil || len(rootfs.DiffIDs) == 0 || rootfs.Type != "layers" {
		t.Errorf("rootfs %s: %v", is["rootfs"], err)
	}
	seen := map[string]bool{}
	for _, e := range envOf(t, got) {
		key, _, _ := strings.Cut(e, "=")
		if seen[key] && (key == "MODEL" || key == "LEVEL" || key == "CONNECT_PREFIX") {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
	}
	if !seen["MODEL"] || !seen["LEVEL"] || !seen["CONNECT_PREFIX"] {
		t.Errorf("Env %q lacks a variable of the bake", envOf(t, got))
	}
}
