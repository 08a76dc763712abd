// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import (
	"strings"
	"testing"
)

// pushed is a repository r with an image, tagged v1.
func pushed(more ...step) []step {
	return append([]step{blob("r", "{}"), blob("r", data), put("r", "v1", imageType, theImage)}, more...)
}

var theImage = image("{}", data, "")

// Distribution-spec 1.1, "Pulling manifests", "Pulling blobs", "Checking if
// content exists in the registry".
func TestPull(t *testing.T) {
	manifest := "/v2/r/manifests/"
	headers := map[string]string{
		"Content-Type": imageType, "Docker-Content-Digest": sha(theImage), "Content-Length": length(theImage),
	}
	accept := func(value string, status int) step {
		return step{
			name: "accept " + value, method: "GET", path: manifest + "v1", status: status,
			header: map[string]string{"Accept": value},
		}
	}
	ranged := func(value string, status int, contentRange, text string) step {
		return step{
			name: "range " + value, method: "GET", path: "/v2/r/blobs/" + sha(data), status: status, text: text,
			header: map[string]string{"Range": value}, want: map[string]string{"Content-Range": contentRange},
		}
	}
	run(t, []workflow{
		{name: "manifest", steps: pushed(
			step{name: "tag", method: "GET", path: manifest + "v1", status: 200, want: headers, text: theImage},
			step{name: "digest", method: "GET", path: manifest + sha(theImage), status: 200, want: headers, text: theImage},
			step{name: "escaped digest", method: "GET", path: manifest + strings.Replace(sha(theImage), ":", "%3A", 1), status: 200, text: theImage},
			step{name: "head of tag", method: "HEAD", path: manifest + "v1", status: 200, want: headers},
			step{name: "head of digest", method: "HEAD", path: manifest + sha(theImage), status: 200, want: headers},
			accept(imageType+";q=0.5, "+indexType, 200), accept("*/*", 200), accept(dockerType, 404),
		)},
		{name: "unknown manifest", steps: pushed(
			get(manifest+"v2", 404, "MANIFEST_UNKNOWN"), get(manifest+sha("x"), 404, "MANIFEST_UNKNOWN"),
			get(manifest+".v1", 404, "MANIFEST_UNKNOWN"), get(manifest+"sha256:1", 400, "DIGEST_INVALID"),
			get("/v2/other/manifests/v1", 404, "MANIFEST_UNKNOWN"), get("/v2/other/manifests/"+sha(theImage), 404, "MANIFEST_UNKNOWN"),
			step{name: "head", method: "HEAD", path: manifest + "v2", status: 404},
			// Content that a repository has as a blob is no manifest of it.
			get(manifest+sha(data), 404, "MANIFEST_UNKNOWN"),
		)},
		{name: "blob", steps: pushed(
			stored,
			step{name: "head", method: "HEAD", path: "/v2/r/blobs/" + sha(data), status: 200, want: map[string]string{
				"Content-Length": "10", "Docker-Content-Digest": sha(data), "Content-Type": "application/octet-stream",
			}},
			step{
				name: "cached", method: "GET", path: "/v2/r/blobs/" + sha(data), status: 304,
				header: map[string]string{"If-None-Match": `"` + sha(data) + `"`},
			},
		)},
		{name: "blob of another repository", steps: pushed(
			get("/v2/other/blobs/"+sha(data), 404, "BLOB_UNKNOWN"),
			step{name: "head", method: "HEAD", path: "/v2/other/blobs/" + sha(data), status: 404},
			get("/v2/r/blobs/"+sha(theImage), 404, "BLOB_UNKNOWN"), // which is a manifest
			get("/v2/r/blobs/sha256:1", 400, "DIGEST_INVALID"),
		)},
		{name: "range of a blob", steps: pushed(
			ranged("bytes=2-4", 206, "bytes 2-4/10", "234"), ranged("bytes=7-", 206, "bytes 7-9/10", "789"),
			ranged("bytes=-3", 206, "bytes 7-9/10", "789"), ranged("bytes=8-99", 206, "bytes 8-9/10", "89"),
			ranged("bytes=10-", 416, "bytes */10", ""),
		)},
	})
}

func TestEndpoints(t *testing.T) {
	get := func(path string, status int, code string) step {
		return step{name: "get", method: "GET", path: path, status: status, code: code}
	}
	not := func(method, path, allow string) step {
		return step{name: "method", method: method, path: path, status: 405, want: map[string]string{"Allow": allow}}
	}
	long := strings.Repeat("a", 256)
	run(t, []workflow{
		{name: "base", steps: []step{
			{name: "get", method: "GET", path: "/v2/", status: 200, want: map[string]string{"Docker-Distribution-Api-Version": "registry/2.0"}},
			get("/v2", 200, ""), get("/", 404, "UNSUPPORTED"), get("/v1/", 404, ""), get("/v2/r", 404, ""), get("/v2/r/unknown/x", 404, ""),
		}},
		{name: "names", steps: []step{
			get("/v2/R/blobs/"+sha(data), 400, "NAME_INVALID"), get("/v2/a//b/tags/list", 400, "NAME_INVALID"),
			get("/v2/-a/tags/list", 400, "NAME_INVALID"), get("/v2/a..b/tags/list", 400, "NAME_INVALID"),
			get("/v2/a___b/tags/list", 400, "NAME_INVALID"), get("/v2/../tags/list", 400, "NAME_INVALID"),
			get("/v2/"+long+"/tags/list", 400, "NAME_INVALID"), get("/v2/"+long[1:]+"/tags/list", 404, "NAME_UNKNOWN"),
			get("/v2/a__b/c---d/e.f/tags/list", 404, "NAME_UNKNOWN"),
			blob("blobs/manifests/tags", data),
			{name: "get", method: "GET", path: "/v2/blobs/manifests/tags/blobs/" + sha(data), status: 200, text: data},
		}},
		{name: "methods", steps: []step{
			not("POST", "/v2/", "GET, HEAD"), not("PUT", "/v2/_catalog", "GET, HEAD"), not("POST", "/v2/r/tags/list", "GET, HEAD"),
			not("PUT", "/v2/r/blobs/"+sha(data), "DELETE, GET, HEAD"), not("POST", "/v2/r/manifests/v1", "DELETE, GET, HEAD, PUT"),
			not("GET", "/v2/r/blobs/uploads/", "POST"), not("POST", "/v2/r/blobs/uploads/1", "DELETE, GET, PATCH, PUT"),
			not("DELETE", "/v2/r/referrers/"+sha(data), "GET, HEAD"),
		}},
	})
}
