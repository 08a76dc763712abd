// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// refused is the status with which the registry refused a client, and the
// code, which the answer to a HEAD lacks.
func refused(t *testing.T, err error) (int, transport.ErrorCode) {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a refusal of the registry", err)
	}
	if len(e.Errors) == 0 {
		return e.StatusCode, ""
	}
	return e.StatusCode, e.Errors[0].Code
}

func TestImmutable(t *testing.T) {
	for _, status := range []int{400, 409} {
		s := registrytest.Start(t, registrytest.Options{Immutable: status})
		first := registrytest.BaseImage(t, registrytest.ImageOptions{})
		second := registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 1})
		for range 2 { // the same digest again is no move
			if err := remote.Write(s.Ref(t, "r:v1"), first); err != nil {
				t.Fatal(err)
			}
		}
		got, code := refused(t, remote.Write(s.Ref(t, "r:v1"), second))
		if got != status || code != transport.TagInvalidErrorCode {
			t.Errorf("%d %s, want %d TAG_INVALID", got, code, status)
		}
		digest, err := second.Digest()
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{"r:v2", "r@" + digest.String()} {
			if err := remote.Write(s.Ref(t, ref), second); err != nil {
				t.Errorf("%s: %v", ref, err)
			}
		}
	}
}

func TestReadOnly(t *testing.T) {
	for status, code := range map[int]transport.ErrorCode{403: transport.DeniedErrorCode, 405: transport.UnsupportedErrorCode} {
		s := registrytest.Start(t, registrytest.Options{ReadOnly: status})
		img := registrytest.BaseImage(t, registrytest.ImageOptions{})
		s.Push(t, "r:v1", img)
		if _, err := remote.Get(s.Ref(t, "r:v1")); err != nil {
			t.Error(err)
		}
		gotStatus, gotCode := refused(t, remote.Write(s.Ref(t, "other:v1"), img))
		if gotStatus != status || gotCode != code {
			t.Errorf("%d %s, want %d %s", gotStatus, gotCode, status, code)
		}
		want(t, status, s, "DELETE", "/v2/r/manifests/v1", "")
	}
}

func TestFull(t *testing.T) {
	for _, status := range []int{500, 507} {
		s := registrytest.Start(t, registrytest.Options{Full: status})
		session := want(t, 202, s, "POST", "/v2/r/blobs/uploads/", "").header.Get("Location")
		a := want(t, status, s, "PATCH", session, data)
		if !strings.Contains(a.body, "no space left on device") {
			t.Errorf("answer %s", a.body)
		}
		want(t, status, s, "PUT", session+"&digest="+sha(data), data)
		want(t, 404, s, "GET", "/v2/r/blobs/"+sha(data), "")
		want(t, 204, s, "DELETE", session, "")
	}
}
