// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package sbom_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/sbom"
)

type difference struct{ Name, Problem string }

// compare is sbom.Compare with what it has told.
func compare(raw []byte, f sbom.Format, img sbom.Image) (all []difference, own bool, err error) {
	own, err = sbom.Compare(raw, f, img, func(name, format string, args ...any) {
		all = append(all, difference{name, fmt.Sprintf(format, args...)})
	})
	return all, own, err
}

// What Compare finds is what was changed, in either format.
func TestCompare(t *testing.T) {
	for _, tc := range []struct {
		name   string
		img    func() sbom.Image
		change func(img *sbom.Image)
		want   []difference
	}{
		{"nothing", scorer, func(*sbom.Image) {}, nil},
		{"nothing of an index", index, func(*sbom.Image) {}, nil},
		{"subject", scorer, func(i *sbom.Image) { i.Digest = digest("9") }, []difference{
			{digest("1").String(), "is the image that it is about, not " + digest("9").String()},
		}},
		{"base", scorer, func(i *sbom.Image) { i.Base.Digest = digest("9") }, []difference{
			{digest("9").String(), "is not in it as base"}, {digest("2").String(), "is in it as base, and is none"},
		}},
		{"image", index, func(i *sbom.Image) { i.Images[1].Digest = digest("9") }, []difference{
			{digest("9").String(), "is not in it as image"}, {digest("3").String(), "is in it as image, and is none"},
		}},
		{"content", scorer, func(i *sbom.Image) { i.Files[0].SHA256 = digest("9").Hex }, []difference{
			{"/assets/model.py3", "has sha256 " + digest("a").Hex + ", the record says " + digest("9").Hex},
		}},
		{"content of a directory", scorer, func(i *sbom.Image) { i.Files[5].SHA256 = digest("9").Hex }, []difference{
			{"/assets/w", "has sha256 " + digest("e").Hex + ", the record says " + digest("9").Hex},
		}},
		{"link", scorer, func(i *sbom.Image) { i.Files[6].SHA256 = "link:x" }, []difference{
			{"/assets/link", "has sha256 link:../elsewhere, the record says link:x"},
		}},
		{"one more", scorer, func(i *sbom.Image) { i.Files = append(i.Files, sbom.File{Role: "asset", Path: "/x"}) }, []difference{
			{"/x", "is not in it; the record has it as asset"},
		}},
		{"one less", scorer, func(i *sbom.Image) { i.Files = i.Files[:6] }, []difference{
			{"/assets/link", "is in it as asset, and not in the record"},
		}},
		{"another slot", scorer, func(i *sbom.Image) { i.Files[3].Name = "4" }, []difference{
			{"/assets/s.json", "is not in it; the record has it as stream 4"},
			{"/assets/s.json", "is in it as stream 2, and not in the record"},
		}},
	} {
		for _, f := range []sbom.Format{sbom.CycloneDX, sbom.SPDX} {
			t.Run(tc.name+" "+string(f), func(t *testing.T) {
				raw := encode(t, tc.img(), f)
				img := tc.img()
				tc.change(&img)
				got, own, err := compare(raw, f, img)
				if diff := cmp.Diff(tc.want, got); err != nil || !own || diff != "" {
					t.Errorf("own %t, error %v, differences (-want +got):\n%s", own, err, diff)
				}
			})
		}
	}
}

// A bill that was changed is still ours, and every entry of it is compared.
func TestCompareChanged(t *testing.T) {
	sum, other := digest("a").Hex, digest("0").Hex
	twice := func(t *testing.T, list, key, value string, change func(entry map[string]any)) func(map[string]any) {
		return func(bill map[string]any) {
			for _, e := range bill[list].([]any) {
				if entry := e.(map[string]any); entry[key] == value {
					again := maps.Clone(entry)
					change(again)
					bill[list] = append(bill[list].([]any), again)
					return
				}
			}
			t.Fatalf("no %s %q among %s", key, value, list)
		}
	}
	hashed := func(list, algorithm, key string, sums ...string) func(map[string]any) {
		return func(entry map[string]any) {
			var all []any
			for _, sum := range sums {
				all = append(all, map[string]any{algorithm: map[string]string{"alg": "SHA-256", "algorithm": "SHA256"}[algorithm], key: sum})
			}
			entry[list] = all
		}
	}
	cdxSum := func(sums ...string) func(map[string]any) { return hashed("hashes", "alg", "content", sums...) }
	spdxSum := func(sums ...string) func(map[string]any) {
		return hashed("checksums", "algorithm", "checksumValue", sums...)
	}
	same := func(map[string]any) {}
	all := []difference{{"", "has no SHA-256 of the image that it is about, " + digest("1").String()}, {digest("2").String(), "is not in it as base"}}
	for _, f := range scorer().Files {
		all = append(all, difference{f.Path, "is not in it; the record has it as " + strings.TrimSpace(f.Role+" "+f.Name)})
	}
	for _, tc := range []struct {
		name   string
		format sbom.Format
		change func(bill map[string]any)
		want   []difference
	}{
		{"no components", sbom.CycloneDX, func(bill map[string]any) { delete(bill, "components") }, all[1:]},
		{"no components and no subject", sbom.CycloneDX, func(bill map[string]any) {
			delete(bill, "components")
			delete(bill["metadata"].(map[string]any), "component")
		}, all},
		{"no packages", sbom.SPDX, func(bill map[string]any) { delete(bill, "packages") }, all},
		{"a second model", sbom.CycloneDX, twice(t, "components", "name", "model.py3", cdxSum(other)), []difference{
			{"/assets/model.py3", "is in it twice as model, the other time with sha256 " + other},
		}},
		{"a second model", sbom.SPDX, twice(t, "packages", "packageFileName", "/assets/model.py3", spdxSum(other)), []difference{
			{"/assets/model.py3", "is in it twice as model, the other time with sha256 " + other},
		}},
		{"a second model without a digest", sbom.CycloneDX, twice(t, "components", "name", "model.py3", cdxSum()), []difference{
			{"/assets/model.py3", "is in it twice as model, the other time with no digest"},
		}},
		{"the model twice", sbom.CycloneDX, twice(t, "components", "name", "model.py3", same), []difference{
			{"/assets/model.py3", "is in it twice as model"},
		}},
		{"the model twice", sbom.SPDX, twice(t, "packages", "packageFileName", "/assets/model.py3", same), []difference{
			{"/assets/model.py3", "is in it twice as model"},
		}},
		{"two digests", sbom.CycloneDX, twice(t, "components", "name", "model.py3", cdxSum(sum, other)), []difference{
			{"/assets/model.py3", "is in it twice as model, the other time with sha256 " + sum + " " + other},
		}},
		{"two digests", sbom.SPDX, twice(t, "packages", "packageFileName", "/assets/model.py3", spdxSum(sum, other)), []difference{
			{"/assets/model.py3", "is in it twice as model, the other time with sha256 " + sum + " " + other},
		}},
		{"a component without a role", sbom.CycloneDX, twice(t, "components", "name", "model.py3", func(entry map[string]any) { delete(entry, "properties") }), []difference{
			{"model.py3", "is in it as machine-learning-model, and not in the record"},
		}},
		{"a base without a digest", sbom.CycloneDX, twice(t, "components", "type", "container", cdxSum()), []difference{
			{"", "lists one base without SHA-256"},
		}},
	} {
		t.Run(tc.name+" "+string(tc.format), func(t *testing.T) {
			var bill map[string]any
			if err := json.Unmarshal(encode(t, scorer(), tc.format), &bill); err != nil {
				t.Fatal(err)
			}
			tc.change(bill)
			raw, err := json.Marshal(bill)
			if err != nil {
				t.Fatal(err)
			}
			got, own, err := compare(raw, tc.format, scorer())
			if diff := cmp.Diff(tc.want, got); err != nil || !own || diff != "" {
				t.Errorf("own %t, error %v, differences (-want +got):\n%s", own, err, diff)
			}
		})
	}
}

// A bill that another tool has merged or made more of is that tool's.
func TestCompareMerged(t *testing.T) {
	own := `{"name":"` + sbom.Tool + `","type":"application"}`
	for _, tc := range []struct {
		name   string
		format sbom.Format
		raw    string
		own    bool
	}{
		{"our tool", sbom.CycloneDX, `{"metadata":{"tools":{"components":[` + own + `]}}}`, true},
		{"another and ours", sbom.CycloneDX, `{"metadata":{"tools":{"components":[{"name":"hoppr","type":"application"},` + own + `]}}}`, false},
		{"ours and a service", sbom.CycloneDX, `{"metadata":{"tools":{"components":[` + own + `],"services":[{"name":"x"}]}}}`, false},
		{"in the old form", sbom.CycloneDX, `{"metadata":{"tools":[{"name":"crane-bake"}]}}`, false},
		{"our creator", sbom.SPDX, `{"creationInfo":{"creators":["Organization: Example","Tool: crane-bake"]}}`, true},
		{"another creator and ours", sbom.SPDX, `{"creationInfo":{"creators":["Tool: hoppr-1.0","Tool: crane-bake"]}}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got, own, err := compare([]byte(tc.raw), tc.format, index()); err != nil || own != tc.own || (got != nil) != tc.own {
				t.Errorf("own %t, want %t; error %v, differences %v", own, tc.own, err, got)
			}
		})
	}
}

// Bills of others are theirs; what is no bill is an error.
func TestCompareForeign(t *testing.T) {
	for _, f := range []sbom.Format{sbom.CycloneDX, sbom.SPDX} {
		foreign := bytes.ReplaceAll(encode(t, scorer(), f), []byte(sbom.Tool), []byte("another"))
		for _, raw := range []string{string(foreign), "{}", `{"packages":[null]}`, `{"components":[{}]}`} {
			if got, own, err := compare([]byte(raw), f, index()); err != nil || own || got != nil {
				t.Errorf("%s %.40s: own %t, error %v, differences %v", f, raw, own, err, got)
			}
		}
		if _, _, err := compare([]byte("{"), f, index()); err == nil {
			t.Errorf("%s: half an object is a bill", f)
		}
	}
}

// Anybody may attach anything.
func FuzzCompare(f *testing.F) {
	for _, format := range []sbom.Format{sbom.CycloneDX, sbom.SPDX} {
		f.Add(encode(f, index(), format))
		f.Add(encode(f, scorer(), format))
	}
	f.Add([]byte(`{"packages":[null],"components":[null],"metadata":{"tools":[{"name":"crane-bake"}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, format := range []sbom.Format{sbom.CycloneDX, sbom.SPDX} {
			got, own, err := compare(raw, format, scorer())
			if (err != nil || !own) && got != nil {
				t.Errorf("%s: own %t, error %v, and differences %v", format, own, err, got)
			}
		}
	})
}
