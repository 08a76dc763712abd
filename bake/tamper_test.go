// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// readable is tarOf with files that everybody may read.
func readable(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	r := tar.NewReader(bytes.NewReader(tarOf(t, pairs...)))
	for h, err := r.Next(); err != io.EOF; h, err = r.Next() {
		if err != nil {
			t.Fatal(err)
		}
		h.Mode = 0o755
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withLayer is an image with another layer in place of one of its own.
type withLayer struct {
	editedImage
	layer v1.Layer
}

func (w withLayer) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if digest, err := w.layer.Digest(); err == nil && digest == h {
		return w.layer, nil
	}
	return w.Image.LayerByDigest(h)
}

// swap puts files in place of the last layer, and makes manifest and config
// agree with that.
func swap(t testing.TB, img v1.Image, pairs ...string) v1.Image {
	t.Helper()
	layer := static.NewLayer(readable(t, pairs...), types.OCIUncompressedLayer)
	digest := must[v1.Hash](t)(layer.Digest())
	size := must[int64](t)(layer.Size())
	edited := edit(t, img, func(config, manifest map[string]any) {
		diffIDs := config["rootfs"].(map[string]any)["diff_ids"].([]any)
		layers := manifest["layers"].([]any)
		diffIDs[len(diffIDs)-1] = digest.String()
		layers[len(layers)-1] = map[string]any{"mediaType": types.OCIUncompressedLayer, "digest": digest.String(), "size": size}
	})
	w := withLayer{editedImage{img, must[[]byte](t)(edited.RawConfigFile()), must[[]byte](t)(edited.RawManifest())}, layer}
	return must[v1.Image](t)(partial.CompressedToImage(w))
}

// scorerLayer is the files of the scorer's layer, with changes.
func scorerLayer(changes map[string]string, more ...string) []string {
	pairs := []string{"assets/", ""}
	for _, name := range []string{"input.avsc", "kafka.json", "model.py3", "output.avsc", "rest.json"} {
		content := string(scorerFiles()[name].Data)
		if changed, ok := changes[name]; ok {
			content = changed
		}
		if content != "" {
			pairs = append(pairs, "assets/"+name, content)
		}
	}
	return append(pairs, more...)
}

// inRecord replaces a part of the record.
func inRecord(t testing.TB, old, new string) func(config, manifest map[string]any) {
	return func(config, _ map[string]any) {
		labels := config["config"].(map[string]any)["Labels"].(map[string]any)
		record := labels[bake.RecordLabel].(string)
		if labels[bake.RecordLabel] = strings.Replace(record, old, new, 1); labels[bake.RecordLabel] == record {
			t.Fatalf("no %s in %s", old, record)
		}
	}
}

// inEnv replaces a part of the environment.
func inEnv(t testing.TB, old, new string) func(config, manifest map[string]any) {
	return func(config, _ map[string]any) {
		c := config["config"].(map[string]any)
		env := must[[]byte](t)(json.Marshal(c["Env"]))
		changed := bytes.Replace(env, []byte(old), []byte(new), 1)
		if bytes.Equal(env, changed) {
			t.Fatalf("no %s in %s", old, env)
		}
		var list []any
		if err := json.Unmarshal(changed, &list); err != nil {
			t.Fatal(err)
		}
		c["Env"] = list
	}
}

func inAnnotations(key string, value any) func(config, manifest map[string]any) {
	return func(_, manifest map[string]any) {
		if annotations := manifest["annotations"].(map[string]any); value != nil {
			annotations[key] = value
		} else {
			delete(annotations, key)
		}
	}
}

func inHistory(change func(history []any) []any) func(config, manifest map[string]any) {
	return func(config, _ map[string]any) { config["history"] = change(config["history"].([]any)) }
}

// mismatches wants err to be a MismatchError with exactly these.
func mismatches(t testing.TB, v *bake.Verification, err error, want []string) {
	t.Helper()
	var found *bake.MismatchError
	if !errors.As(err, &found) || !errors.Is(err, bake.ErrIntegrity) {
		t.Fatalf("got %v %v, want a MismatchError", err, foundIn(err))
	}
	var got []string
	for _, m := range found.Mismatches {
		got = append(got, m.String())
		if !strings.Contains(err.Error(), m.String()) {
			t.Errorf("the error %q lacks %s", err, m)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mismatches (-want +got):\n%s", diff)
	}
	if v == nil || len(v.Mismatches) != len(got) {
		t.Errorf("the result has %+v", v)
	}
}

const (
	baseDigest = "org.opencontainers.image.base.digest"
	baseName   = "org.opencontainers.image.base.name"
)

func TestVerifyTampered(t *testing.T) {
	base := talkative(t, registrytest.ImageOptions{Layers: 3})
	srv := startWith(t, registrytest.Options{}, base)
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.Labels = map[string]string{"team": "risk"}
	report := doBake(t, spec)
	baked := pullImage(t, srv.Host+"/team/scorer:1")
	config := manifestOf(t, baked).Config.Digest.String()
	model, other := string(scorerFiles()["model.py3"].Data), "# fastscore.schema.0: input\n# fastscore.schema.1: output\ndef action(x): yield 666.0\n"
	sums := func(name, content string) string {
		return "asset /assets/" + name + ": its sha256 is " + sha256Hex([]byte(content)) + ", the record says " + sha256Hex(scorerFiles()[name].Data)
	}
	named := "crane-bake: files: /assets/model.py3 /assets/input.avsc /assets/output.avsc /assets/rest.json /assets/kafka.json"
	edits := func(changes ...func(config, manifest map[string]any)) v1.Image {
		return edit(t, baked, func(config, manifest map[string]any) {
			for _, change := range changes {
				change(config, manifest)
			}
		})
	}
	for _, tc := range []struct {
		name string
		img  v1.Image
		want []string
	}{
		{"another model", edits(inEnv(t, "MODEL=/assets/model.py3", "MODEL=/fastscore/model.py3")), []string{"variable MODEL: does not bind model to /assets/model.py3, which the record does"}},
		{"schemas exchanged", edits(inEnv(t, "input:/assets/input.avsc;output:/assets/output.avsc", "input:/assets/output.avsc;output:/assets/input.avsc")), []string{
			"variable SCHEMAS: does not bind schema input to /assets/input.avsc, which the record does",
			"variable SCHEMAS: does not bind schema output to /assets/output.avsc, which the record does",
			"variable SCHEMAS: binds schema input to /assets/output.avsc, which the record does not",
			"variable SCHEMAS: binds schema output to /assets/input.avsc, which the record does not",
		}},
		{"a further slot", edits(inEnv(t, "STREAMS=0:/assets/rest.json", "STREAMS=2:/assets/rest.json;0:/assets/rest.json")), []string{"variable STREAMS: binds stream 2 to /assets/rest.json, which the record does not"}},
		{"a variable is gone", edits(inEnv(t, "CONNECT_PREFIX", "CONNECT_PREFIXES")), []string{"record: does not fit: variable CONNECT_PREFIX is not set"}},
		{"a label is gone", edits(func(config, _ map[string]any) {
			delete(config["config"].(map[string]any)["Labels"].(map[string]any), "team")
		}), []string{"record: does not fit: label team is not set"}},
		{"another file, record as it was", swap(t, baked, scorerLayer(map[string]string{"model.py3": other})...), []string{sums("model.py3", other)}},
		{"another file of the same size", swap(t, baked, scorerLayer(map[string]string{"model.py3": strings.Replace(model, "2", "3", 1)})...), []string{sums("model.py3", strings.Replace(model, "2", "3", 1))}},
		{"a file is gone", swap(t, baked, scorerLayer(map[string]string{"rest.json": ""})...), []string{"asset /assets/rest.json: is missing"}},
		{"a further file", swap(t, baked, scorerLayer(nil, "assets/sitecustomize.py", "import os")...), []string{"file /assets/sitecustomize.py: is in the bake's layers, and not in the record"}},
		{"a further link", swap(t, baked, scorerLayer(nil, "etc/passwd", "->/assets/passwd")...), []string{"file /etc/passwd: is in the bake's layers, and not in the record"}},
		{"a directory of the base", swap(t, baked, scorerLayer(nil, "fastscore/lib/", "")...), []string{"directory /fastscore/lib: is in the bake's layers, and not in the record"}},
		{"a whiteout", swap(t, baked, scorerLayer(nil, "fastscore/.wh.lib", "x")...), []string{"file /fastscore/.wh.lib: is in the bake's layers, and not in the record"}},
		{"a file twice", swap(t, baked, scorerLayer(nil, "assets/model.py3", other)...), []string{"file /assets/model.py3: occurs twice in a layer of the bake", sums("model.py3", other)}},
		{"the same file twice", swap(t, baked, scorerLayer(nil, "assets/model.py3", model)...), []string{"file /assets/model.py3: occurs twice in a layer of the bake"}},
		{"several", swap(t, edits(inAnnotations(baseName, nil), inEnv(t, "1:/assets/kafka.json", "3:/assets/kafka.json")), scorerLayer(map[string]string{"model.py3": other, "input.avsc": ""}, "x", "y")...), []string{
			"variable STREAMS: does not bind stream 1 to /assets/kafka.json, which the record does",
			"variable STREAMS: binds stream 3 to /assets/kafka.json, which the record does not",
			"annotation " + baseName + ": is not there; the record has it",
			sums("model.py3", other),
			"asset /assets/input.avsc: is missing",
			"file /x: is in the bake's layers, and not in the record",
		}},
		{"the record's digest of a file", edits(inRecord(t, sha256Hex([]byte(model)), sha256Hex([]byte(other)))), []string{
			"asset /assets/model.py3: its sha256 is " + sha256Hex([]byte(model)) + ", the record says " + sha256Hex([]byte(other)),
		}},
		{"the record's size of a file", edits(inRecord(t, `"size":`, `"size":1`)), []string{
			fmt.Sprintf("asset /assets/model.py3: it has %d bytes, the record says 1%[1]d", len(model)),
		}},
		{"the record's seam", edits(inRecord(t, `"layers":3`, `"layers":2`)), []string{"record: does not fit: the first 2 layers are not those of the base that it names"}},
		{"no record at all", edits(inRecord(t, `{"version"`, `["version"`)), []string{"record: is no record: invalid character ':' after array element"}},
		{"the record forgets a file", edits(inRecord(t, `"role":"stream","name":"0","path":"/assets/rest.json"`, `"role":"stream","name":"0","path":"/assets/x.json"`)), []string{
			"variable STREAMS: does not bind stream 0 to /assets/x.json, which the record does",
			"history " + named + ": the record has no such layer of files",
			"asset /assets/x.json: is missing",
			"file /assets/rest.json: is in the bake's layers, and not in the record",
		}},
		{"history names another file", edits(inHistory(func(h []any) []any {
			entry := h[len(h)-2].(map[string]any)
			entry["created_by"] = strings.Replace(entry["created_by"].(string), "model.py3", "model.R", 1)
			return h
		})), []string{"history " + strings.Replace(named, "model.py3", "model.R", 1) + ": the record has no such layer of files"}},
		{"history lacks the layer", edits(inHistory(func(h []any) []any { return slices.Delete(h, len(h)-2, len(h)-1) })), []string{"history: it has entries for 0 layers upon the base, the record for 1"}},
		{"history sets something else", edits(inHistory(func(h []any) []any {
			h[len(h)-1].(map[string]any)["created_by"] = "crane-bake: environment: MODEL"
			return h
		})), []string{`history crane-bake: environment: MODEL: the record has "crane-bake: environment: MODEL SCHEMAS STREAMS CONNECT_PREFIX"`}},
		{"an annotation", edits(inAnnotations(baseDigest, "sha256:"+strings.Repeat("0", 64))), []string{
			"annotation " + baseDigest + `: is "sha256:` + strings.Repeat("0", 64) + `", the record says "` + digestOf(t, base).String() + `"`,
		}},
		{"an annotation is gone", edits(inAnnotations(baseDigest, nil)), []string{"annotation " + baseDigest + ": is not there; the record has it"}},
		{"a diffID", edits(func(config, _ map[string]any) {
			config["rootfs"].(map[string]any)["diff_ids"].([]any)[3] = "sha256:" + strings.Repeat("0", 64)
		}), []string{"layer " + report.Layers[0].Digest.String() + ": uncompressed it is " + report.Layers[0].DiffID.String() + ", the config says sha256:" + strings.Repeat("0", 64)}},
		{"a layer upon it", must[v1.Image](t)(mutate.AppendLayers(baked, static.NewLayer(tarOf(t, "assets/model.py3", other), types.OCIUncompressedLayer))), []string{
			"layer " + digestOfBytes(t, tarOf(t, "assets/model.py3", other)).String() + ": lies upon the bake, and the record does not tell of it",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if strings.Contains(strings.Join(tc.want, ""), config) {
				t.Fatal("the config's digest changes with it")
			}
			repo := "team/" + strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(tc.name), " ", "-"), ",", "")
			repo = strings.ReplaceAll(repo, "'", "")
			ref := srv.Push(t, repo+":1", tc.img)
			v, err := bake.Verify(t.Context(), srv.Host+"/"+repo+"@"+ref.DigestStr(), nil, bake.VerifyOptions{})
			mismatches(t, v, err, tc.want)
		})
	}
}

func digestOfBytes(t testing.TB, b []byte) v1.Hash {
	t.Helper()
	h, _, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestVerifyTamperedIndex(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	report := doBake(t, spec)
	index := pullIndex(t, srv.Host+"/team/scorer:1")
	amd64, arm64 := report.Platforms[0].Digest.String(), report.Platforms[1].Digest.String()
	for name, tc := range map[string]struct {
		change func(index map[string]any, entries []map[string]any)
		want   []string
	}{
		"children swapped": {
			func(_ map[string]any, e []map[string]any) {
				e[0]["platform"], e[1]["platform"] = e[1]["platform"], e[0]["platform"]
			},
			[]string{"platform linux/arm64: its image " + amd64 + " is for linux/amd64", "platform linux/amd64: its image " + arm64 + " is for linux/arm64"},
		},
		"a size": {
			func(_ map[string]any, e []map[string]any) { e[1]["size"] = 7 },
			[]string{"manifest " + arm64 + ": it has " + sizeOf(t, index, 1) + " bytes, its index says 7"},
		},
		"a media type": {
			func(_ map[string]any, e []map[string]any) { e[0]["mediaType"] = types.DockerManifestSchema2 },
			[]string{"manifest " + amd64 + `: its media type is "application/vnd.oci.image.manifest.v1+json", its index says "application/vnd.docker.distribution.manifest.v2+json"`},
		},
		"an annotation": {
			func(index map[string]any, _ []map[string]any) {
				index["annotations"].(map[string]any)[baseDigest] = amd64
			},
			[]string{"index annotation " + baseDigest + `: is "` + amd64 + `", the record says "` + report.Base.Digest.String() + `"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() // a registry might notice
			into := must[layout.Path](t)(layout.Write(dir, empty.Index))
			if err := into.AppendIndex(editIndex(t, index, tc.change)); err != nil {
				t.Fatal(err)
			}
			v, err := bake.Verify(t.Context(), "oci:"+dir, nil, bake.VerifyOptions{})
			mismatches(t, v, err, tc.want)
		})
	}
}

func sizeOf(t testing.TB, index v1.ImageIndex, n int) string {
	t.Helper()
	raw := must[[]byte](t)(json.Marshal(must[*v1.IndexManifest](t)(index.IndexManifest()).Manifests[n].Size))
	return string(raw)
}
