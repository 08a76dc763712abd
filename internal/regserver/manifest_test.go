// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/regserver"
	"github.com/google/go-cmp/cmp"
)

func length(s string) string { return strconv.Itoa(len(s)) }

// padded is a valid image manifest of exactly n bytes.
func padded(n int) string {
	empty := image("{}", data, `,"annotations":{"pad":""}`)
	return image("{}", data, `,"annotations":{"pad":"`+strings.Repeat("x", n-len(empty))+`"}`)
}

// Distribution-spec 1.1, "Pushing Manifests".
func TestPutManifest(t *testing.T) {
	child := image("{}", data, `,"annotations":{"a":"b"}`)
	docker := strings.ReplaceAll(theImage, imageType, dockerType)
	untyped := strings.Replace(theImage, fmt.Sprintf(`"mediaType":%q,`, imageType), "", 1)
	limit := padded(4 << 20)
	run(t, []workflow{
		{name: "by tag", steps: pushed()},
		{name: "by digest", steps: pushed(put("r", sha(child), imageType, child), step{
			name: "get", method: "GET", path: "/v2/r/manifests/" + sha(child), status: 200, text: child,
		})},
		{name: "by sha512", steps: pushed(
			step{
				name: "put", method: "PUT", path: "/v2/r/manifests/" + sha5(child), body: child, status: 201,
				header: map[string]string{"Content-Type": imageType}, want: map[string]string{"Docker-Content-Digest": sha5(child)},
			},
			step{name: "get", method: "GET", path: "/v2/r/manifests/" + sha5(child), status: 200, text: child},
		)},
		{name: "by another digest", steps: pushed(
			put("r", sha("x"), imageType, child).but(400, "DIGEST_INVALID"),
			get("/v2/r/manifests/"+sha("x"), 404, ""), get("/v2/r/manifests/"+sha(child), 404, ""),
		)},
		{name: "by an invalid reference", steps: pushed(
			put("r", "-v1", imageType, theImage).but(400, "TAG_INVALID"),
			put("r", strings.Repeat("v", 129), imageType, theImage).but(400, "TAG_INVALID"),
			put("r", strings.Repeat("v", 128), imageType, theImage),
			put("r", "sha256:1", imageType, theImage).but(400, "DIGEST_INVALID"),
		)},
		{name: "a tag moves", steps: pushed(put("r", "v1", imageType, child), step{
			name: "get", method: "GET", path: "/v2/r/manifests/v1", status: 200, text: child,
		})},
		{name: "tags that differ in case", steps: pushed(
			put("r", "V1", imageType, child),
			step{name: "get", method: "GET", path: "/v2/r/manifests/v1", status: 200, text: theImage},
			step{name: "get", method: "GET", path: "/v2/r/manifests/V1", status: 200, text: child},
			step{name: "list", method: "GET", path: "/v2/r/tags/list", status: 200, text: `{"name":"r","tags":["V1","v1"]}`},
		)},
		{name: "docker", steps: pushed(put("r", "d", dockerType, docker))},
		{name: "index", steps: pushed(put("r", "i", indexType, index(theImage)))},
		{name: "no mediaType in the body", steps: pushed(put("r", "u", imageType, untyped))},
		{name: "parameters of the content type", steps: pushed(put("r", "p", imageType+"; charset=utf-8", theImage))},
		{name: "size limit", steps: pushed(
			put("r", "limit", imageType, limit), put("r", "above", imageType, padded(4<<20+1)).but(413, "SIZE_INVALID"),
			get("/v2/r/manifests/above", 404, "MANIFEST_UNKNOWN"),
		)},
		{name: "no layers", steps: pushed(put("r", "n", imageType,
			fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":%s,"layers":[]}`, imageType, desc(configType, "{}"))))},
	})
}

func TestPutManifestRefused(t *testing.T) {
	other := "application/vnd.example+json"
	docker := fmt.Sprintf(`{"schemaVersion":2,"config":%s,"layers":[]}`, desc(configType, "{}"))
	tests := []struct {
		name, mediaType, manifest string
		status                    int
		code                      string
	}{
		{"no content type", "", theImage, 400, "MANIFEST_INVALID"},
		{"content type of another manifest", indexType, theImage, 400, "MANIFEST_INVALID"},
		{"unknown content type", other, strings.ReplaceAll(theImage, imageType, other), 400, "MANIFEST_INVALID"},
		{"docker without mediaType", dockerType, docker, 400, "MANIFEST_INVALID"},
		{"not JSON", imageType, theImage[1:], 400, "MANIFEST_INVALID"},
		{"more than one value", imageType, theImage + "{}", 400, "MANIFEST_INVALID"},
		{"null", imageType, "null", 400, "MANIFEST_INVALID"},
		{"schema version 1", imageType, strings.Replace(theImage, `n":2`, `n":1`, 1), 400, "MANIFEST_INVALID"},
		{"no config", imageType, `{"schemaVersion":2,"layers":[]}`, 400, "MANIFEST_INVALID"},
		{"image and index", imageType, image("{}", data, `,"manifests":[]`), 400, "MANIFEST_INVALID"},
		{"index and image", indexType, fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[],"layers":[]}`, indexType), 400, "MANIFEST_INVALID"},
		{"invalid digest", imageType, strings.Replace(theImage, sha(data), "sha256:1", 1), 400, "MANIFEST_INVALID"},
		{"descriptor without mediaType", imageType, strings.Replace(theImage, layerType, "", 1), 400, "MANIFEST_INVALID"},
		{"another size", imageType, strings.Replace(theImage, `"size":10`, `"size":9`, 1), 400, "MANIFEST_INVALID"},
		{"config of another repository", imageType, image("other", data, ""), 404, "MANIFEST_BLOB_UNKNOWN"},
		{"layer of another repository", imageType, image("{}", "other", ""), 404, "MANIFEST_BLOB_UNKNOWN"},
		{"manifest as a layer", imageType, image("{}", theImage, ""), 404, "MANIFEST_BLOB_UNKNOWN"},
		{"child of another repository", indexType, index(theImage, image("other", "other", "")), 404, "MANIFEST_BLOB_UNKNOWN"},
		{"blob as a child", indexType, index(data), 404, "MANIFEST_BLOB_UNKNOWN"},
	}
	var workflows []workflow
	for _, tt := range tests {
		workflows = append(workflows, workflow{name: tt.name, steps: pushed(
			blob("other", "other"), put("other", "v1", imageType, image("other", "other", "")).but(201, ""),
			put("r", "bad", tt.mediaType, tt.manifest).but(tt.status, tt.code),
			get("/v2/r/manifests/bad", 404, "MANIFEST_UNKNOWN"),
			get("/v2/r/manifests/"+sha(tt.manifest), map[bool]int{true: 200, false: 404}[tt.manifest == theImage], ""),
		)})
	}
	run(t, workflows)
}

// Every missing blob is named at once.
func TestPutManifestNamesWhatIsMissing(t *testing.T) {
	url := start(t, regserver.Options{})
	_, body := put("r", "v1", imageType, theImage).send(t, url+"/v2/r/manifests/v1")
	var got struct {
		Errors []struct {
			Code   string
			Detail struct{ Digest string }
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range got.Errors {
		lines = append(lines, e.Code+" "+e.Detail.Digest)
	}
	want := []string{"MANIFEST_BLOB_UNKNOWN " + sha("{}"), "MANIFEST_BLOB_UNKNOWN " + sha(data)}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// Layers that are elsewhere by their descriptor need not be in the repository.
func TestPutManifestWithLayersElsewhere(t *testing.T) {
	foreign := strings.Replace(image("{}", "absent", ""), layerType, "application/vnd.oci.image.layer.nondistributable.v1.tar", 1)
	linked := strings.Replace(image("{}", "absent", ""), `"size":6`, `"size":6,"urls":["https://example.com/layer"]`, 1)
	run(t, []workflow{
		{name: "nondistributable", steps: pushed(put("r", "f", imageType, foreign))},
		{name: "urls", steps: pushed(put("r", "u", imageType, linked))},
	})
}
