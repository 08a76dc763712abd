// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import "testing"

// Distribution-spec 1.1, "Content Management".
func TestDelete(t *testing.T) {
	remove := func(path string, status int, code string) step {
		return step{name: "delete", method: "DELETE", path: path, status: status, code: code}
	}
	manifest, theBlob := "/v2/r/manifests/", "/v2/r/blobs/"+sha(data)
	run(t, []workflow{
		{name: "tag", steps: pushed(
			remove(manifest+"v1", 202, ""), get(manifest+"v1", 404, "MANIFEST_UNKNOWN"), get(manifest+sha(theImage), 200, ""),
			remove(manifest+"v1", 404, "MANIFEST_UNKNOWN"),
		)},
		{name: "manifest and its tags", steps: pushed(
			put("r", "v2", imageType, theImage), put("r", "i", indexType, index(theImage)),
			remove(manifest+sha(theImage), 202, ""), get(manifest+"v1", 404, "MANIFEST_UNKNOWN"),
			get(manifest+sha(theImage), 404, "MANIFEST_UNKNOWN"), remove(manifest+sha(theImage), 404, "MANIFEST_UNKNOWN"),
			step{name: "list", method: "GET", path: "/v2/r/tags/list", status: 200, text: `{"name":"r","tags":["i"]}`},
			get(theBlob, 200, ""),
		)},
		{name: "manifest of two repositories", steps: pushed(
			blob("other", "{}"), blob("other", data), put("other", "v1", imageType, theImage),
			remove(manifest+sha(theImage), 202, ""), get("/v2/other/manifests/v1", 200, ""),
		)},
		{name: "blob", steps: pushed(
			remove(theBlob, 202, ""), get(theBlob, 404, "BLOB_UNKNOWN"), remove(theBlob, 404, "BLOB_UNKNOWN"),
			put("r", "again", imageType, theImage).but(404, "MANIFEST_BLOB_UNKNOWN"), blob("r", data), get(theBlob, 200, ""),
		)},
		{name: "blob of two repositories", steps: pushed(
			blob("other", data), remove(theBlob, 202, ""), get("/v2/other/blobs/"+sha(data), 200, ""),
		)},
		{name: "everything", steps: pushed(
			remove(manifest+sha(theImage), 202, ""), remove(theBlob, 202, ""), remove("/v2/r/blobs/"+sha("{}"), 202, ""),
			get("/v2/r/tags/list", 404, "NAME_UNKNOWN"),
		)},
		{name: "invalid references", steps: []step{
			remove(manifest+".v1", 404, "MANIFEST_UNKNOWN"), remove(manifest+"sha256:1", 400, "DIGEST_INVALID"),
			remove("/v2/r/blobs/v1", 400, "DIGEST_INVALID"),
		}},
	})
}
