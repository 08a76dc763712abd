// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// difference compares two images of srv.
func difference(t testing.TB, srv *registrytest.Server, a, b string, platforms ...string) *bake.Difference {
	t.Helper()
	d, err := bake.Compare(t.Context(), srv.Host+a, srv.Host+b, nil, bake.CompareOptions{Platforms: platforms})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Of images with one digest the manifests are read, and nothing else.
func TestCompareIdentical(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	report := doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1", srv.Host+"/team/scorer:2"))
	srv.Reset()
	d := difference(t, srv, "/team/scorer:1", "/team/scorer:2")
	if !d.Identical || d.A.Digest != report.Digest || d.B.Digest != report.Digest || len(d.Platforms) > 0 {
		t.Errorf("it says %+v", d)
	}
	if n := len(srv.Requests()); n > 4 || srv.DownloadedBlobBytes() > 0 || srv.Count("GET", "/v2/*/manifests/*") != 2 {
		t.Errorf("%d requests, %d bytes of blobs", n, srv.DownloadedBlobBytes())
	}
	// A platform of it, by itself.
	d = difference(t, srv, "/team/scorer:1", "/team/scorer@"+report.Platforms[1].Digest.String(), "linux/arm64")
	if want := []bake.PlatformDifference{{Platform: "linux/arm64", Identical: true}}; !d.Identical || len(d.Platforms) != 1 || d.Platforms[0].Platform != want[0].Platform || !d.Platforms[0].Identical {
		t.Errorf("it says %+v", d)
	}
}

func text(s string) *string { return &s }

// Everything that a bake consists of, and what it costs to compare it.
func TestCompareEverything(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{LayerSize: 300 << 10}))
	srv.Push(t, "team/base:2", registrytest.BaseImage(t, registrytest.ImageOptions{LayerSize: 300 << 10, Seed: 2}))
	files := scorerFiles()
	files["weights.tar"] = &fstest.MapFile{Data: tarOf(t, "a", string(random(2<<20, 1)))}
	files["prod/kafka.json"] = &fstest.MapFile{Data: []byte(otherKafka)}
	files["v2/output.avsc"] = &fstest.MapFile{Data: []byte(`"float"`)}
	files["lookup/x.csv"] = &fstest.MapFile{Data: []byte("x")}
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.FS = files
	spec.Unpack = map[string]string{"weights.tar": "weights"}
	spec.Env = map[string]string{"LOG_LEVEL": "debug", "OLD": "1"}
	spec.Labels = map[string]string{"team": "risk"}
	first := doBake(t, spec)
	spec.Base, spec.Tags = srv.Host+"/team/base:2", []string{srv.Host + "/team/scorer:2"}
	spec.Schemas = map[string]string{"input": "input.avsc", "output": "v2/output.avsc", "spare": "v2/output.avsc"}
	spec.Streams = map[int]string{0: "rest.json", 1: "prod/kafka.json"}
	spec.Assets = []bake.Asset{{Path: "lookup"}}
	spec.Env = map[string]string{"LOG_LEVEL": "info", "NEW": "1"}
	spec.Labels = map[string]string{"team": "fraud"}
	spec.Annotations = map[string]string{"stage": "prod"}
	spec.ConnectPrefix = "https://prod:8001"
	spec.Settings = bake.Settings{User: "7"}
	second := doBake(t, spec)
	srv.Reset()
	got := difference(t, srv, "/team/scorer:1", "/team/scorer:2")
	if down := srv.DownloadedBytes(); down > 64<<10 {
		t.Errorf("moved %d bytes", down)
	}
	if got.Identical || got.A.Digest != first.Digest || got.B.Digest != second.Digest || len(got.Platforms) != 1 || len(got.Notes) > 0 {
		t.Fatalf("it says %+v", got)
	}
	content := func(data string) *bake.FileContent {
		return &bake.FileContent{Size: int64(len(data)), SHA256: sha256Hex([]byte(data))}
	}
	p := got.Platforms[0]
	hash := func(h v1.Hash) *v1.Hash { return &h }
	want := bake.PlatformDifference{
		Platform: "linux/amd64",
		Base: &bake.BaseChange{
			A: bake.InspectedBase{Name: first.Base.Name, Digest: hash(first.Base.Digest), Layers: 2},
			B: bake.InspectedBase{Name: second.Base.Name, Digest: hash(second.Base.Digest), Layers: 2},
		},
		ConnectPrefix: &bake.Change{Name: "CONNECT_PREFIX", A: text("https://connect:8001"), B: text("https://prod:8001")},
		Bindings:      []bake.Change{{Name: "schema spare", B: text("/assets/output.avsc")}},
		Files: []bake.FileChange{
			{Path: "/assets/kafka.json", As: []string{"stream 1"}, A: content(string(files["kafka.json"].Data)), B: content(otherKafka)},
			{Path: "/assets/lookup/", As: []string{"asset"}, B: &bake.FileContent{Size: 1, Files: 1, SHA256: treeSum("x.csv", sha256Hex([]byte("x")))}},
			{Path: "/assets/output.avsc", As: []string{"schema output", "schema spare"}, A: content(`{"type": "double"}`), B: content(`"float"`)},
		},
		Schemas:     []bake.SchemaChange{{Name: "output", Slots: []int{1}, Direction: bake.DirectionOutput, Verdict: bake.SchemaCompatible}},
		Env:         []bake.Change{{Name: "LOG_LEVEL", A: text("debug"), B: text("info")}, {Name: "NEW", B: text("1")}, {Name: "OLD", A: text("1")}},
		Labels:      []bake.Change{{Name: "team", A: text("risk"), B: text("fraud")}},
		Annotations: []bake.Change{{Name: "stage", B: text("prod")}},
		Settings:    []bake.Change{{Name: "User", B: text(`"7"`)}},
		Layers: bake.LayerDifference{
			Shared: first.Layers[:1], OnlyA: first.Layers[1:], OnlyB: second.Layers[1:], NewBytes: p.Layers.NewBytes,
		},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	below := manifestOf(t, pullImage(t, srv.Host+"/team/base:2")).Layers
	if n := below[0].Size + below[1].Size + second.Layers[1].Size; p.Layers.NewBytes != n {
		t.Errorf("%d bytes are new, want %d", p.Layers.NewBytes, n)
	}
	raw := must[[]byte](t)(json.Marshal(got))
	if strings.Contains(string(raw), "null") {
		t.Errorf("a list is null: %s", raw)
	}
}

// schemaModel is a model with the schemas of its slots, big or small.
func schemaModel(size int, annotations ...string) []byte {
	model := "def action(x):\n    yield x\n"
	for _, a := range annotations {
		model = "# fastscore.schema." + a + "\n" + model
	}
	for i := 0; len(model) < size; i++ {
		model += fmt.Sprintf("# %x\n", random(1000, byte(i)))
	}
	return []byte(model)
}

func TestCompareSchemas(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	one, two := `{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}`, `{"type":"record","name":"R","fields":[{"name":"x","type":"double"}]}`
	more := `{"type":"record","name":"R","fields":[{"name":"x","type":"int"},{"name":"y","type":"string"}]}`
	lax := `{"type":"record","name":"R","fields":[{"name":"x","type":"int"},{"name":"y","type":"string","default":""}]}`
	input, output, big := schemaModel(0, "0: s", "1: other"), schemaModel(0, "0: other", "1: s"), schemaModel(3<<20, "0: s", "1: other")
	want := func(verdict bake.SchemaVerdict, direction bake.SchemaDirection, path, reason string, slots ...int) bake.SchemaChange {
		return bake.SchemaChange{Name: "s", Slots: append([]int{}, slots...), Direction: direction, Verdict: verdict, Path: path, Reason: reason}
	}
	const compatible, breaking, not = bake.SchemaCompatible, bake.SchemaBreaking, bake.SchemaNotCompared
	const in, out, both = bake.DirectionInput, bake.DirectionOutput, bake.DirectionBoth
	for i, tc := range []struct {
		name    string
		a, b    string
		modelA  []byte
		modelB  []byte
		want    bake.SchemaChange
		andFile func(fstest.MapFS)
	}{
		{"input wider", one, two, input, input, want(compatible, in, "", "", 0), nil},
		{"input narrower", two, one, input, input, want(breaking, in, "x", "data has double, the new schema wants int", 0), nil},
		{"output wider", one, two, output, output, want(breaking, out, "x", "the new schema writes double, readers with the old one want int", 1), nil},
		{"output narrower", two, one, output, output, want(compatible, out, "", "", 1), nil},
		{"input wants more", one, more, input, input, want(breaking, in, "y", "data has no such field, the new schema wants string", 0), nil},
		{"input wants more, with a default", one, lax, input, input, want(compatible, in, "", "", 0), nil},
		{"output says more", one, more, output, output, want(compatible, out, "", "", 1), nil},
		{"output says less", more, one, output, output, want(breaking, out, "y", "the new schema writes no such field, readers with the old one want string", 1), nil},
		{"both, wider", one, two, schemaModel(0, "0: s", "1: s"), input, want(breaking, both, "x", "the new schema writes double, readers with the old one want int", 0, 1), nil},
		{"both, narrower", two, one, schemaModel(0, "0: s", "1: s"), input, want(breaking, both, "x", "data has double, the new schema wants int", 0, 1), nil},
		{"both, with a default", one, lax, schemaModel(0, "0: s", "1: s"), input, want(compatible, both, "", "", 0, 1), nil},
		{"used by nobody", one, two, schemaModel(0, "0: other", "1: other"), input[:0:0], want(breaking, both, "x", "the new schema writes double, readers with the old one want int"), nil},
		{"a large model", one, two, big, big, want(breaking, both, "x", "the new schema writes double, readers with the old one want int"), nil},
		{"a large model in one", one, two, input, big, want(breaking, both, "x", "the new schema writes double, readers with the old one want int", 0), nil},
		{"another name", one, strings.Replace(one, "R", "S", 1), input, input, want(compatible, in, "", "data has record R, the new schema wants record S", 0), nil},
		{"another text", one, one + "\n", input, input, want(compatible, in, "", "", 0), nil},
		{"no schema", one, `"dubble"`, input, input, want(not, in, "", `the reader's schema: type "dubble" is undefined`, 0), nil},
		{"large", one, `{"type":"record","name":"R","doc":"` + fmt.Sprintf("%x", random(1500000, 1)) + `","fields":[]}`, input, input, want(not, in, "", "it is in a large layer", 0), nil},
		{"by a stream", one, two, schemaModel(0, "1: other"), schemaModel(0, "1: other"), want(compatible, in, "", "", 0), func(files fstest.MapFS) {
			files["rest.json"] = &fstest.MapFile{Data: []byte(`{"Version": "1.2", "Transport": {"Type": "REST"}, "Encoding": "json", "Schema": {"$ref": "s"}}`)}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var refs []string
			for j, side := range []struct {
				schema string
				model  []byte
			}{{tc.a, tc.modelA}, {tc.b, tc.modelB}} {
				spec := scorer(srv.Host+"/team/base:1", fmt.Sprintf("%s/team/scorer%d:%d", srv.Host, i, j))
				files := spec.FS.(fstest.MapFS)
				if len(side.model) == 0 {
					side.model = tc.modelA
				}
				files["model.py3"] = &fstest.MapFile{Data: side.model}
				files["s.avsc"] = &fstest.MapFile{Data: []byte(side.schema)}
				if tc.andFile != nil {
					tc.andFile(files)
				}
				spec.Schemas = map[string]string{"s": "s.avsc", "other": "output.avsc"}
				doBake(t, spec)
				refs = append(refs, fmt.Sprintf("/team/scorer%d:%d", i, j))
			}
			d := difference(t, srv, refs[0], refs[1])
			if diff := cmp.Diff([]bake.SchemaChange{tc.want}, d.Platforms[0].Schemas); diff != "" {
				t.Errorf("schemas (-want +got):\n%s", diff)
			}
		})
	}
}

// What one side alone has, and sides without a record.
func TestComparePlatforms(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	srv.Push(t, "team/base:2", registrytest.BaseIndex(t, "linux/arm64/v8", "linux/s390x"))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	doBake(t, scorer(srv.Host+"/team/base:2", srv.Host+"/team/scorer:2"))
	d := difference(t, srv, "/team/scorer:1", "/team/scorer:2")
	if !slices.Equal(d.OnlyA, []string{"linux/amd64"}) || !slices.Equal(d.OnlyB, []string{"linux/s390x"}) || len(d.Platforms) != 1 || d.Identical {
		t.Errorf("it says %+v", d)
	}
	if _, err := bake.Compare(t.Context(), srv.Host+"/team/scorer:1", srv.Host+"/team/scorer:2", nil, bake.CompareOptions{Platforms: []string{"linux/s390x"}}); !errors.Is(err, bake.ErrNotFound) {
		t.Errorf("a platform that one side lacks: %v", err)
	}
}

func TestCompareRefuses(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	lying := edit(t, pullImage(t, srv.Host+"/team/scorer:1"), inRecord(t, `"layers":2`, `"layers":1`))
	srv.Push(t, "team/lying:1", lying)
	wrong := edit(t, pullImage(t, srv.Host+"/team/scorer:1"), inRecord(t, sha256Hex(scorerFiles()["input.avsc"].Data), strings.Repeat("0", 64)))
	srv.Push(t, "team/wrong:1", wrong)
	for _, tc := range []struct {
		a, b string
		want error
		says string
	}{
		{"/team/scorer:1", "/team/none:1", bake.ErrNotFound, "team/none:1"},
		{"/team/scorer:1", "/team/base:1", bake.ErrNotFound, "nothing is baked into it"},
		{"/team/lying:1", "/team/scorer:1", bake.ErrIntegrity, "the first 1 layers are not those of the base"},
		{"/team/scorer:1", "/team/wrong:1", bake.ErrIntegrity, "/assets/input.avsc is not what the record says"},
		{"/team/Scorer:1", "/team/scorer:1", bake.ErrUsage, "Scorer"},
	} {
		d, err := bake.Compare(t.Context(), srv.Host+tc.a, srv.Host+tc.b, nil, bake.CompareOptions{})
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s and %s: got %+v, %v", tc.a, tc.b, d, err)
		}
	}
}
