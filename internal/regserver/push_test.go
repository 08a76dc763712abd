// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import (
	"testing"

	"github.com/crane-bake/crane-bake/internal/regserver"
)

const data = "0123456789"

var (
	begin  = step{name: "begin", method: "POST", path: "/v2/r/blobs/uploads/", status: 202, want: map[string]string{"Range": "0-0"}}
	finish = step{name: "finish", method: "PUT", path: "@&digest=" + sha(data), status: 201, want: map[string]string{
		"Location": "/v2/r/blobs/" + sha(data), "Docker-Content-Digest": sha(data),
	}}
	stored = step{name: "stored", method: "GET", path: "/v2/r/blobs/" + sha(data), status: 200, text: data}
	absent = get("/v2/r/blobs/"+sha(data), 404, "BLOB_UNKNOWN")
)

// patch is a chunk with its Content-Range.
func patch(contentRange, body string, status int, code, progress string) step {
	return step{
		name: "patch " + contentRange, method: "PATCH", path: "@", body: body, status: status, code: code,
		header: map[string]string{"Content-Range": contentRange}, want: map[string]string{"Range": progress},
	}
}

// Distribution-spec 1.1, "Pushing blobs".
func TestUpload(t *testing.T) {
	run(t, []workflow{
		{name: "post then put", steps: []step{
			begin,
			{name: "put", method: "PUT", path: "@&digest=" + sha(data), body: data, status: 201},
			stored,
			finish.but(404, "BLOB_UPLOAD_UNKNOWN"),
		}},
		{name: "single post", steps: []step{blob("r", data), stored}},
		{name: "single post of another digest", steps: []step{
			{name: "post", method: "POST", path: begin.path + "?digest=" + sha("x"), body: data, status: 400, code: "DIGEST_INVALID"},
			get("/v2/r/blobs/"+sha("x"), 404, "BLOB_UNKNOWN"), absent,
		}},
		{name: "single post ignored", opts: regserver.Options{NoMonolithicPost: true}, steps: []step{
			{name: "post", method: "POST", path: begin.path + "?digest=" + sha(data), body: data, status: 202},
			absent,
			{name: "put", method: "PUT", path: "@&digest=" + sha(data), body: data, status: 201},
			stored,
		}},
		{name: "streamed patch", steps: []step{
			begin,
			{name: "patch", method: "PATCH", path: "@", body: data, stream: true, status: 202, want: map[string]string{"Range": "0-9"}},
			finish, stored,
		}},
		{name: "streamed put", steps: []step{
			begin,
			{name: "put", method: "PUT", path: "@&digest=" + sha(data), body: data, stream: true, status: 201},
			stored,
		}},
		{name: "patch without a range appends", steps: []step{
			begin,
			{name: "patch", method: "PATCH", path: "@", body: data[:4], status: 202, want: map[string]string{"Range": "0-3"}},
			{name: "patch", method: "PATCH", path: "@", body: data[4:], status: 202, want: map[string]string{"Range": "0-9"}},
			finish, stored,
		}},
		{name: "empty blob", steps: []step{
			begin,
			{name: "put", method: "PUT", path: "@&digest=" + sha(""), status: 201},
			{name: "head", method: "HEAD", path: "/v2/r/blobs/" + sha(""), status: 200, want: map[string]string{"Content-Length": "0"}},
		}},
		{name: "sha512", steps: []step{
			{name: "begin", method: "POST", path: begin.path + "?digest-algorithm=sha512", status: 202},
			{name: "put", method: "PUT", path: "@&digest=" + sha5(data), body: data, status: 201},
			{name: "get", method: "GET", path: "/v2/r/blobs/" + sha5(data), status: 200, text: data},
			absent,
		}},
		{name: "sha512 of a session for sha256", steps: []step{
			begin, patch("0-3", data[:4], 202, "", "0-3"),
			{name: "put", method: "PUT", path: "@&digest=" + sha5(data), body: data[4:], status: 201},
			{name: "get", method: "GET", path: "/v2/r/blobs/" + sha5(data), status: 200, text: data},
		}},
		{name: "unknown algorithm", steps: []step{
			begin.with("?digest-algorithm=md5").but(400, "DIGEST_INVALID"),
			begin,
			{name: "put", method: "PUT", path: "@&digest=md5:00", body: data, status: 400, code: "DIGEST_INVALID"},
		}},
	})
}

// with appends to the path.
func (s step) with(query string) step {
	s.path += query
	return s
}

// Distribution-spec 1.1, "Pushing a blob in chunks" and "Cancel a blob upload".
func TestChunkedUpload(t *testing.T) {
	run(t, []workflow{
		{name: "in order", steps: []step{
			begin, patch("0-3", data[:4], 202, "", "0-3"), patch("4-7", data[4:8], 202, "", "0-7"),
			{
				name: "put", method: "PUT", path: "@&digest=" + sha(data), body: data[8:], status: 201,
				header: map[string]string{"Content-Range": "8-9"},
			},
			stored,
		}},
		{name: "out of order", steps: []step{
			begin, patch("4-7", data[4:8], 416, "BLOB_UPLOAD_INVALID", "0-0"), patch("0-3", data[:4], 202, "", "0-3"),
			patch("0-3", data[:4], 416, "BLOB_UPLOAD_INVALID", "0-3"), patch("5-7", data[5:8], 416, "BLOB_UPLOAD_INVALID", "0-3"),
			{
				name: "last chunk out of order", method: "PUT", path: "@&digest=" + sha(data), body: data[8:], status: 416,
				header: map[string]string{"Content-Range": "8-9"}, want: map[string]string{"Range": "0-3"},
			},
			{name: "status", method: "GET", path: "@", status: 204, want: map[string]string{"Range": "0-3"}},
			patch("4-9", data[4:], 202, "", "0-9"), finish, stored,
		}},
		{name: "malformed range", steps: []step{
			begin, patch("bytes 0-9/10", data, 416, "BLOB_UPLOAD_INVALID", "0-0"), patch("9-0", data, 416, "", "0-0"),
			patch("0-99999999999999999999", data, 416, "", "0-0"), patch("0-9", data, 202, "", "0-9"), finish,
		}},
		{name: "range longer than the body", steps: []step{
			begin, patch("0-9", data[:4], 400, "SIZE_INVALID", ""),
			{name: "the upload failed", method: "GET", path: "@", status: 404, code: "BLOB_UPLOAD_UNKNOWN"},
		}},
		{name: "range longer than the stream", steps: []step{begin, patch("0-9", data[:4], 400, "SIZE_INVALID", "").streamed()}},
		{name: "range shorter than the stream", steps: []step{begin, patch("0-3", data, 400, "SIZE_INVALID", "").streamed()}},
		{name: "digest mismatch", steps: []step{
			begin, patch("0-9", data, 202, "", "0-9"),
			{name: "put", method: "PUT", path: "@&digest=" + sha("x"), status: 400, code: "DIGEST_INVALID"},
			get("/v2/r/blobs/"+sha("x"), 404, "BLOB_UNKNOWN"), absent,
			{name: "the upload failed", method: "GET", path: "@", status: 404, code: "BLOB_UPLOAD_UNKNOWN"},
		}},
		{name: "digest missing", steps: []step{
			begin, patch("0-9", data, 202, "", "0-9"),
			{name: "put", method: "PUT", path: "@", status: 400, code: "DIGEST_INVALID"},
			finish,
		}},
		{name: "cancel", steps: []step{
			begin, patch("0-3", data[:4], 202, "", "0-3"),
			{name: "cancel", method: "DELETE", path: "@", status: 204},
			{name: "gone", method: "PATCH", path: "@", body: data, status: 404, code: "BLOB_UPLOAD_UNKNOWN"},
		}},
		{name: "unknown session", steps: []step{
			{name: "patch", method: "PATCH", path: "/v2/r/blobs/uploads/nope", body: data, status: 404, code: "BLOB_UPLOAD_UNKNOWN"},
			get("/v2/r/blobs/uploads/nope", 404, "BLOB_UPLOAD_UNKNOWN"),
		}},
		{name: "query of the location dropped", steps: []step{
			begin, {name: "put", method: "PUT", path: "@x&digest=" + sha(data), body: data, status: 400, code: "BLOB_UPLOAD_INVALID"},
		}},
		{name: "minimum length", opts: regserver.Options{ChunkMinLength: 4}, steps: []step{
			{name: "begin", method: "POST", path: begin.path, status: 202, want: map[string]string{"OCI-Chunk-Min-Length": "4"}},
			patch("0-3", data[:4], 202, "", "0-3"), patch("4-6", data[4:7], 202, "", "0-6"), patch("7-9", data[7:], 400, "SIZE_INVALID", ""),
		}},
		{name: "minimum length except the last", opts: regserver.Options{ChunkMinLength: 8}, steps: []step{
			begin, patch("0-7", data[:8], 202, "", "0-7"), patch("8-9", data[8:], 202, "", "0-9"), finish, stored,
		}},
	})
}

func (s step) streamed() step {
	s.stream = true
	return s
}

// Distribution-spec 1.1, "Mounting a blob from another repository".
func TestMount(t *testing.T) {
	mount := func(query string, status int, location string) step {
		s := step{name: "mount", method: "POST", path: "/v2/r/blobs/uploads/?" + query, status: status}
		if location != "" {
			s.want = map[string]string{"Location": location}
		}
		return s
	}
	here := "mount=" + sha(data)
	put := step{name: "put", method: "PUT", path: "@&digest=" + sha(data), body: data, status: 201}
	run(t, []workflow{
		{name: "from a repository that has it", steps: []step{
			blob("team/a", data), absent, mount(here+"&from=team/a", 201, "/v2/r/blobs/"+sha(data)), stored,
		}},
		{name: "from a repository that lacks it", steps: []step{blob("a", data), mount(here+"&from=b", 202, ""), absent, put, stored}},
		{name: "without from", steps: []step{blob("a", data), mount(here, 202, ""), absent, put, stored}},
		{name: "from an invalid name", steps: []step{blob("a", data), mount(here+"&from=A", 202, ""), put, stored}},
		{name: "of an invalid digest", steps: []step{blob("a", data), mount("mount=sha256:1&from=a", 202, ""), put, stored}},
		{name: "switched off", opts: regserver.Options{NoMount: true}, steps: []step{
			blob("a", data), mount(here+"&from=a", 202, ""), absent, put, stored,
		}},
	})
}

// A session belongs to the repository that it was begun in.
func TestSessionOfAnotherRepository(t *testing.T) {
	url := start(t, regserver.Options{})
	resp, _ := begin.send(t, url+begin.path)
	other := "/v2/other" + resp.Header.Get("Location")[len("/v2/r"):]
	play(t, url, []step{
		{name: "patch", method: "PATCH", path: other, body: data, status: 404, code: "BLOB_UPLOAD_UNKNOWN"},
		{name: "put", method: "PUT", path: other + "&digest=" + sha(data), body: data, status: 404, code: "BLOB_UPLOAD_UNKNOWN"},
		get("/v2/other/blobs/"+sha(data), 404, "BLOB_UNKNOWN"),
	})
}
