// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/bake"
)

const someDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestParseLocation(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"fastscore/engine", "docker.io/fastscore/engine:latest"},
		{"fastscore/engine:1.10", "docker.io/fastscore/engine:1.10"},
		{"engine", "docker.io/library/engine:latest"},
		{"docker.io/engine", "docker.io/library/engine:latest"},
		{"index.docker.io/fastscore/engine:1", "docker.io/fastscore/engine:1"},
		{"docker://fastscore/engine", "docker.io/fastscore/engine:latest"},
		{"docker:1", "docker.io/library/docker:1"},
		{"registry.example.com/a/b/c:v1", "registry.example.com/a/b/c:v1"},
		{"localhost:5000/scorer", "localhost:5000/scorer:latest"},
		{"127.0.0.1:5000/scorer:v1", "127.0.0.1:5000/scorer:v1"},
		{"[::1]:5000/scorer:v1", "[::1]:5000/scorer:v1"},
		{"example.com/a@" + someDigest, "example.com/a@" + someDigest},
		{"example.com/a:v1@" + someDigest, "example.com/a:v1@" + someDigest},
		{"oci:dir", "oci:dir"},
		{"oci:/a/b:v1", "oci:/a/b:v1"},
		{"oci:dir:a:b", "oci:dir:a:b"},
		{"oci:dir:", "oci:dir"},
		{"oci-archive:x.tar", "oci-archive:x.tar"},
		{"oci-archive:x.tar:v1", "oci-archive:x.tar:v1"},
		{"docker-archive:x.tar", "docker-archive:x.tar"},
		{"docker-archive:x.tar:scorer", "docker-archive:x.tar:docker.io/library/scorer:latest"},
		{"docker-archive:x.tar:team/scorer:v1", "docker-archive:x.tar:docker.io/team/scorer:v1"},
		{"docker-archive:x.tar:localhost:5000/scorer:v1", "docker-archive:x.tar:localhost:5000/scorer:v1"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			loc, err := bake.ParseLocation(tc.in, false)
			if err != nil || loc.String() != tc.want {
				t.Errorf("got %s, %v, want %s", loc, err, tc.want)
			}
			again, err := bake.ParseLocation(loc.String(), false)
			if err != nil || again.String() != tc.want {
				t.Errorf("a second time: %s, %v", again, err)
			}
		})
	}
}

func TestParseLocationFails(t *testing.T) {
	for _, in := range []string{
		"", " ", "a b", "UPPER/case", "docker://", "docker:///a", "oci:", "oci::tag", "oci-archive:", "docker-archive:",
		"docker-archive:x.tar:UPPER", "docker-archive:x.tar:a@" + someDigest,
		"/a", "a//b", "a/../b", "example.com:/a", "http://example.com/a", "dir:/x", "containers-storage:a://b", "a@sha256:123", "example.com/a:", "example.com/a@",
	} {
		loc, err := bake.ParseLocation(in, false)
		if !errors.Is(err, bake.ErrUsage) || !strings.Contains(err.Error(), strings.TrimPrefix(in, "docker://")) {
			t.Errorf("%q: got %q, %v, want a usage error that repeats it", in, loc, err)
		}
	}
}

func FuzzParseLocation(f *testing.F) {
	for _, seed := range []string{
		"fastscore/engine:1.10", "docker://a", "oci:dir:tag", "oci-archive:x.tar", "docker-archive:x:a/b:c", "localhost:5000/a@" + someDigest,
		"docker.io/a", "[::1]:5000/a", "a:b@c", "://", "oci::", "docker-archive:x:localhost:1/a",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, s string, insecure bool) {
		loc, err := bake.ParseLocation(s, insecure)
		if err != nil {
			if !errors.Is(err, bake.ErrUsage) {
				t.Errorf("%q: %v is no usage error", s, err)
			}
			return
		}
		again, err := bake.ParseLocation(loc.String(), insecure)
		if err != nil || again.String() != loc.String() {
			t.Errorf("%q is %q, which is %q: %v", s, loc, again, err)
		}
	})
}
