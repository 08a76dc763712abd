// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/rogpeppe/go-internal/testscript"
)

// platform is the image of a platform; "" is the only one, or the first.
func (f *found) platform(platform string) (v1.Image, error) {
	if f.image != nil {
		return f.image, nil
	}
	m, err := f.index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, d := range m.Manifests {
		if platform == "" || d.Platform != nil && d.Platform.String() == platform {
			return f.index.Image(d.Digest)
		}
	}
	return nil, fmt.Errorf("the index has no image for %s", platform)
}

func theImage(ts *testscript.TestScript, neg bool, usage string, args []string) v1.Image {
	want(ts, !neg && (len(args) == 1 || len(args) == 2), usage)
	f, err := find(ts, args[0])
	ts.Check(err)
	img, err := f.platform(strings.Join(args[1:], ""))
	ts.Check(err)
	return img
}

func setDigest(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "digest IMAGE VAR")
	f, err := find(ts, args[0])
	ts.Check(err)
	ts.Setenv(args[1], f.digest.String())
}

func setLayer(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 3, "layer IMAGE N VAR")
	layers, err := theImage(ts, false, "", args[:1]).Layers()
	ts.Check(err)
	digest, err := layers[number(ts, args[1])].Digest()
	ts.Check(err)
	ts.Setenv(args[2], digest.Hex)
}

func tagIs(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "tagis IMAGE DIGEST|absent")
	got := "absent"
	f, err := find(ts, args[0])
	var answer *transport.Error
	switch {
	case err == nil:
		got = f.digest.String()
	case errors.Is(err, os.ErrNotExist), errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
	default:
		ts.Check(err)
	}
	if got != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

func printJSON(ts *testscript.TestScript, raw []byte) {
	var out bytes.Buffer
	ts.Check(json.Indent(&out, raw, "", "  "))
	fmt.Fprintln(ts.Stdout(), out.String())
}

func printManifest(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 1 {
		f, err := find(ts, args[0])
		ts.Check(err)
		printJSON(ts, f.raw)
		return
	}
	raw, err := theImage(ts, neg, "manifest IMAGE [PLATFORM]", args).RawManifest()
	ts.Check(err)
	printJSON(ts, raw)
}

func printConfig(ts *testscript.TestScript, neg bool, args []string) {
	raw, err := theImage(ts, neg, "config IMAGE [PLATFORM]", args).RawConfigFile()
	ts.Check(err)
	printJSON(ts, raw)
}

// printFiles prints "layer N TYPE" and below it "MODE UID:GID TIME NAME -> TARGET".
func printFiles(ts *testscript.TestScript, neg bool, args []string) {
	eachFile(ts, theImage(ts, neg, "files IMAGE [PLATFORM]", args), func(h *tar.Header, _ io.Reader) {
		fmt.Fprintf(ts.Stdout(), "%s %d:%d %d %s", h.FileInfo().Mode(), h.Uid, h.Gid, h.ModTime.Unix(), h.Name)
		if h.Linkname != "" {
			fmt.Fprintf(ts.Stdout(), " -> %s", h.Linkname)
		}
		fmt.Fprintln(ts.Stdout())
	}, func(n int, mediaType string) { fmt.Fprintf(ts.Stdout(), "layer %d %s\n", n, mediaType) })
}

func printContent(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "content IMAGE PATH")
	var content []byte
	eachFile(ts, theImage(ts, false, "", args[:1]), func(h *tar.Header, r io.Reader) {
		if h.Name == strings.TrimPrefix(args[1], "/") {
			var err error
			content, err = io.ReadAll(r)
			ts.Check(err)
		}
	}, func(int, string) {})
	if content == nil {
		ts.Fatalf("%s has no file %s", args[0], args[1])
	}
	_, _ = ts.Stdout().Write(content) // a strings.Builder
}

// eachFile walks the layers, lowest first.
func eachFile(ts *testscript.TestScript, img v1.Image, file func(*tar.Header, io.Reader), layer func(n int, mediaType string)) {
	layers, err := img.Layers()
	ts.Check(err)
	for n, l := range layers {
		mediaType, err := l.MediaType()
		ts.Check(err)
		layer(n, string(mediaType))
		content, err := l.Uncompressed()
		ts.Check(err)
		defer content.Close()
		for r := tar.NewReader(content); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			ts.Check(err)
			file(h, r)
		}
	}
}

func jsonKeys(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) > 1, "jsonkeys FILE KEY...")
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	got := map[string]bool{}
	keysOf(v, "", got)
	wanted := map[string]bool{}
	for _, key := range args[1:] {
		wanted[key] = true
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		ts.Fatalf("keys of %s (-want +got):\n%s", args[0], diff)
	}
}

func keysOf(v any, at string, got map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			key = strings.TrimPrefix(at+"."+key, ".")
			got[key] = true
			keysOf(below, key, got)
		}
	case []any:
		for _, below := range v {
			keysOf(below, at+"[]", got)
		}
	}
}
