// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/regserver"
	"github.com/google/go-cmp/cmp"
)

func TestRestart(t *testing.T) {
	subject := image("{}", data, `,"subject":`+desc(imageType, theImage))
	opts := regserver.Options{Dir: filepath.Join(t.TempDir(), "made", "by", "the registry")}
	url, stop := serve(t, opts)
	play(t, url, pushed(put("r", "V1", imageType, subject), blob("team/other", "other")))
	resp, _ := begin.send(t, url+begin.path)
	session := resp.Header.Get("Location")
	stop()

	play(t, start(t, opts), []step{
		{name: "tag", method: "GET", path: "/v2/r/manifests/v1", status: 200, text: theImage, want: map[string]string{"Content-Type": imageType}},
		{name: "tag", method: "GET", path: "/v2/r/manifests/V1", status: 200, text: subject},
		{name: "tags", method: "GET", path: "/v2/r/tags/list", status: 200, text: `{"name":"r","tags":["V1","v1"]}`},
		{name: "catalog", method: "GET", path: "/v2/_catalog", status: 200, text: `{"repositories":["r","team/other"]}`},
		stored,
		get("/v2/team/other/blobs/"+sha(data), 404, "BLOB_UNKNOWN"),
		{name: "an upload does not survive", method: "PUT", path: session + "&digest=" + sha(data), status: 404, code: "BLOB_UPLOAD_UNKNOWN"},
		{name: "delete", method: "DELETE", path: "/v2/r/manifests/" + sha(subject), status: 202},
		get("/v2/r/manifests/V1", 404, "MANIFEST_UNKNOWN"),
	})
}

// files are the registry's files whose path has the part.
func files(t *testing.T, dir, part string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, part) {
			found = append(found, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Neither an upload that failed nor one that a crash ended leaves a file, and
// content that no repository has is not kept.
func TestDiskKeepsNothingUnused(t *testing.T) {
	dir := t.TempDir()
	url, stop := serve(t, regserver.Options{Dir: dir})
	play(t, url, []step{
		begin,
		{name: "mismatch", method: "PUT", path: "@&digest=" + sha("x"), body: data, status: 400},
		begin,
		{name: "cancel", method: "DELETE", path: "@", status: 204},
		blob("r", data), blob("r", data), blob("other", data),
	})
	if diff := cmp.Diff([]string(nil), files(t, dir, "staged")); diff != "" {
		t.Errorf("staged files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{strings.Replace(sha(data), ":", "-", 1)}, files(t, dir, "content")); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	play(t, url, []step{
		{name: "delete", method: "DELETE", path: "/v2/r/blobs/" + sha(data), status: 202},
		{name: "delete", method: "DELETE", path: "/v2/other/blobs/" + sha(data), status: 202},
		begin, patch("0-9", data, 202, "", "0-9"),
	})
	stop()
	crashed := filepath.Join(dir, "staged", "left")
	if err := os.WriteFile(crashed, []byte("half a bl"), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, regserver.Options{Dir: dir})
	if diff := cmp.Diff([]string(nil), files(t, dir, "")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestNewWithoutDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := regserver.New(regserver.Options{Dir: file}); err == nil {
		t.Error("a file served as a directory")
	}
}

// A failure of the storage is the server's fault, and its details are for the
// log alone.
func TestStorageFailure(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	url, stop := serve(t, regserver.Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	play(t, url, pushed())
	content := filepath.Join(dir, "content", strings.Replace(sha(theImage), ":", "-", 1))
	if err := os.Remove(content); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(content, 0o755); err != nil { // opens, but does not read
		t.Fatal(err)
	}
	resp, body := get("", 500, "").send(t, url+"/v2/r/manifests/v1")
	stop() // and with it, writing to the log
	if resp.StatusCode != 500 || errorCode(body) != "UNKNOWN" {
		t.Errorf("answer %d %s, want 500 UNKNOWN", resp.StatusCode, body)
	}
	if strings.Contains(body, "content") {
		t.Errorf("the answer tells of files: %s", body)
	}
	if !strings.Contains(log.String(), "level=ERROR msg=storage method=GET path=/v2/r/manifests/v1") {
		t.Errorf("log: %s", &log)
	}
}
