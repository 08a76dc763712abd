// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package provenance_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/provenance"
)

type difference struct{ Name, Problem string }

// compare is provenance.Compare with what it has told.
func compare(raw []byte, want provenance.Build) (all []difference, own bool, err error) {
	own, err = provenance.Compare(raw, want, func(name, format string, args ...any) {
		all = append(all, difference{name, fmt.Sprintf(format, args...)})
	})
	return all, own, err
}

func TestCompare(t *testing.T) {
	raw := encode(t, sample())
	for _, tc := range []struct {
		name   string
		change func(b *provenance.Build)
		want   []difference
	}{
		{"nothing", func(*provenance.Build) {}, nil},
		{"what an image does not tell", func(b *provenance.Build) {
			*b = provenance.Build{Digest: b.Digest, Materials: b.Materials[1:]}
		}, nil},
		{"subject", func(b *provenance.Build) { b.Digest.Hex = hex("9", 64) }, []difference{
			{"sha256:" + hex("1", 64), "is its subject, not sha256:" + hex("9", 64)},
			{"sha256:" + hex("1", 64), "is its subject, not sha256:" + hex("9", 64)},
		}},
		{"content", func(b *provenance.Build) { b.Materials[1].Digest = map[string]string{"sha256": "9"} }, []difference{
			{"/assets/model.py3", "has sha256 " + hex("3", 64) + ", the image says sha256 9"},
		}},
		{"no content", func(b *provenance.Build) { b.Materials[1].Digest = nil }, []difference{
			{"/assets/model.py3", "has sha256 " + hex("3", 64) + ", the image says no digest"},
		}},
		{"one more", func(b *provenance.Build) { b.Materials[2].Name = "/x" }, []difference{
			{"/x", "is not among its dependencies"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := sample()
			tc.change(&want)
			got, own, err := compare(raw, want)
			if diff := cmp.Diff(tc.want, got); err != nil || !own || diff != "" {
				t.Errorf("own %t, error %v, differences (-want +got):\n%s", own, err, diff)
			}
		})
	}
}

// A statement that was changed is still ours, and every part of it is compared.
func TestCompareChanged(t *testing.T) {
	raw := string(encode(t, sample()))
	model := `{"annotations":{"role":"model"},"digest":{"sha256":"` + hex("3", 64) + `"},"name":"/assets/model.py3"}`
	for _, tc := range []struct {
		name, old, now string
		want           []difference
	}{
		{"a field more", `{"_type"`, `{"x":1,"_type"`, nil},
		{"a field more in the predicate", `{"buildDefinition"`, `{"x":1,"buildDefinition"`, nil},
		{"the same twice", model, model + "," + model, nil},
		{"a second digest", model, model + "," + strings.Replace(model, hex("3", 64), hex("0", 64), 1), []difference{
			{"/assets/model.py3", "is among its dependencies twice, the other time with sha256 " + hex("0", 64)},
		}},
		{"a second digest before", model, strings.Replace(model, hex("3", 64), hex("0", 64), 1) + "," + model, []difference{
			{"/assets/model.py3", "is among its dependencies twice, the other time with sha256 " + hex("0", 64)},
		}},
		{"without a digest", model, model + `,{"name":"/assets/model.py3"}`, []difference{
			{"/assets/model.py3", "is among its dependencies twice, the other time with no digest"},
		}},
		{"another file", model, model + `,{"name":"/assets/other","digest":{"sha256":"00"}}`, nil},
		{"subject without a digest", `{"digest":{"sha256":"` + hex("1", 64) + `"},"name":"localhost:5000/scorer"}`, `{"name":"localhost:5000/scorer"}`, []difference{
			{"", "has a subject without sha256, not sha256:" + hex("1", 64)},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changed := strings.Replace(raw, tc.old, tc.now, 1)
			if changed == raw {
				t.Fatal("nothing was changed")
			}
			got, own, err := compare([]byte(changed), sample())
			if diff := cmp.Diff(tc.want, got); err != nil || !own || diff != "" {
				t.Errorf("own %t, error %v, differences (-want +got):\n%s", own, err, diff)
			}
		})
	}
}

// Statements of others are theirs.
func TestCompareForeign(t *testing.T) {
	raw := encode(t, sample())
	for name, foreign := range map[string][]byte{
		"another build type": bytes.Replace(raw, []byte(provenance.BuildType), []byte("https://example.com/build"), 1),
		"another predicate":  bytes.Replace(raw, []byte(provenance.PredicateType), []byte("https://example.com/p"), 1),
		"an empty one":       []byte("{}"),
	} {
		if got, own, err := compare(foreign, provenance.Build{}); err != nil || own || got != nil {
			t.Errorf("%s: own %t, error %v, differences %v", name, own, err, got)
		}
	}
}

// What cannot be read is said in the same words by every build of the program.
func TestCompareBroken(t *testing.T) {
	kind := `{"predicateType":"` + provenance.PredicateType + `", "predicate":`
	for raw, says := range map[string]string{
		"{":           "the statement is not JSON",
		"":            "the statement is not JSON",
		"[]":          "reading the statement: syntax error (line 1:1): unexpected token [",
		`{"_type":1}`: "reading the statement: (line 1:10): invalid value for string field _type: 1",
		kind + `1}`:   "reading the statement: syntax error (line 1:64): unexpected token 1",
		kind + `{ "buildDefinition": {"buildType": 1}}}`: "reading the SLSA provenance: (line 1:33): invalid value for string field buildType: 1",
	} {
		if got, own, err := compare([]byte(raw), sample()); fmt.Sprint(err) != says || own || got != nil {
			t.Errorf("%s: got %q, want %q; own %t, differences %v", raw, err, says, own, got)
		}
	}
}

// Anybody may attach anything.
func FuzzCompare(f *testing.F) {
	f.Add(encode(f, sample()))
	f.Add([]byte(`{"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":null},"subject":[{}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, own, err := compare(raw, sample())
		if (err != nil || !own) && got != nil {
			t.Errorf("own %t, error %v, and differences %v", own, err, got)
		}
	})
}
