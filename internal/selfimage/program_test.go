// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Without the commit, the same source would make another image.
func TestFromCommit(t *testing.T) {
	t.Parallel()
	const revision = "0123456789abcdef0123456789abcdef01234567"
	for name, tc := range map[string]struct {
		settings []debug.BuildSetting
		want     program
		wrong    string
	}{
		"commit": {
			[]debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: "2026-02-03T04:05:06+01:00"}},
			program{version: "v1.2.3", revision: revision, created: time.Date(2026, 2, 3, 3, 5, 6, 0, time.UTC)},
			"",
		},
		"no repository": {
			[]debug.BuildSetting{{Key: "GOOS", Value: "linux"}}, program{}, "no commit: want a clone of the repository",
		},
		"no time": {
			[]debug.BuildSetting{{Key: "vcs.revision", Value: revision}}, program{}, "no commit: want a clone of the repository",
		},
		"wrong time": {
			[]debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: "now"}},
			program{},
			`the commit's time: parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := fromCommit(&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: tc.settings})
			said := ""
			if err != nil {
				said = err.Error()
			}
			if diff := cmp.Diff(tc.wrong, said); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(program{})); diff != "" {
				t.Errorf("program (-want +got):\n%s", diff)
			}
		})
	}
}
