// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A base's own variables of the contract are part of the result, and are
// checked before a tag moves.
func TestVariablesOfTheBaseAreChecked(t *testing.T) {
	for _, tc := range []struct {
		name, env string
		change    func(*bake.Spec)
		rule      string
		severity  engine.Severity
	}{
		{"a connect prefix that is none", "CONNECT_PREFIX=connect:8001", func(*bake.Spec) {}, "ENV-12", engine.Error},
		{"a connect prefix that is none, replaced", "CONNECT_PREFIX=connect:8001", func(s *bake.Spec) { s.ConnectPrefix = "https://c:8001" }, "ENV-14", engine.Warning},
		{"streams that are replaced", "STREAMS=0:/old.json", func(*bake.Spec) {}, "ENV-14", engine.Warning},
		{"schemas that stay and are none", "SCHEMAS=input", func(s *bake.Spec) {
			s.Schemas = nil
			s.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: []byte("def action(x): yield x\n")}
		}, "ENV-02", engine.Error},
		{"allowed", "STREAMS=0:/old.json", func(s *bake.Spec) { s.Allow = []string{"ENV-14"} }, "ENV-14", engine.Note},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Env: []string{tc.env}}))
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
			tc.change(&spec)
			report, err := bake.Bake(t.Context(), spec, nil, bake.Options{})
			var found []engine.Finding
			if tc.severity == engine.Error {
				found = foundIn(err)
				if _, err := remote.Head(reference(t, srv.Host+"/team/scorer:1")); err == nil {
					t.Error("the tag exists")
				}
			} else if err != nil {
				t.Fatal(err, foundIn(err))
			} else {
				found = report.Findings
			}
			ok := false
			for _, f := range found {
				ok = ok || f.Rule == tc.rule && f.Severity == tc.severity
			}
			if !ok {
				t.Errorf("found %v, want %s %s", found, tc.severity, tc.rule)
			}
			_, err = bake.Bake(t.Context(), spec, nil, bake.Options{Strict: true})
			var check *bake.CheckError
			if errors.As(err, &check) != (tc.severity > engine.Note) {
				t.Errorf("strictly: %v", err)
			}
		})
	}
}
