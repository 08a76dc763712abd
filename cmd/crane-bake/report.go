// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
)

// reportFlags are the flags that say how results are reported.
type reportFlags struct {
	format       string
	digestFile   string
	imageRefs    string
	metadataFile string
}

func (f *reportFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.format, "format", "text", "of standard output: text or json")
	fs.StringVar(&f.digestFile, "digest-file", "", "write the digest to this `file`, without a newline")
	fs.StringVar(&f.imageRefs, "image-refs", "", "write REPO@DIGEST of every published image to this `file`, one a line")
	fs.StringVar(&f.metadataFile, "metadata-file", "", "write the result as JSON with buildx's keys to this `file`")
}

func (f *reportFlags) check() error {
	if f.format != "text" && f.format != "json" {
		return errUsage("--format %q: want text or json", f.format)
	}
	return nil
}

// reportWriter writes what was baked: to standard output at once, to files at
// the end.
type reportWriter struct {
	flags   *reportFlags
	stdout  io.Writer
	reports []*bake.Report
}

// open makes sure, before anything is published, that the files can be
// written.
func (f *reportFlags) open(stdout io.Writer) (*reportWriter, error) {
	for _, name := range []string{f.digestFile, f.imageRefs, f.metadataFile} {
		if name == "" {
			continue
		}
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			return nil, errUsage("%s is a directory; want a file to write", name)
		}
		probe, err := os.CreateTemp(filepath.Dir(name), ".crane-bake-")
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", name, errors.Unwrap(err)) // the temporary name is no news
		}
		probe.Close()
		if err := os.Remove(probe.Name()); err != nil {
			return nil, err
		}
	}
	return &reportWriter{flags: f, stdout: stdout}, nil
}

// add reports one bake.
func (w *reportWriter) add(r *bake.Report) error {
	w.reports = append(w.reports, r)
	if w.flags.format == "json" {
		line, err := encodeJSON(r)
		if err != nil {
			return err
		}
		_, err = w.stdout.Write(line)
		return err
	}
	for _, ref := range r.Published {
		if _, err := fmt.Fprintln(w.stdout, ref); err != nil {
			return err
		}
	}
	return nil
}

// close writes the files.
func (w *reportWriter) close() error {
	var digests, refs []byte
	var metadata []any
	for i, r := range w.reports {
		if i > 0 {
			digests = append(digests, '\n')
		}
		digests = append(digests, r.Digest.String()...)
		for _, ref := range r.Published {
			refs = append(refs, ref+"\n"...)
		}
		metadata = append(metadata, buildxMetadata(r))
	}
	var whole any = metadata
	if len(metadata) == 1 {
		whole = metadata[0]
	}
	encoded, err := encodeJSON(whole)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{w.flags.digestFile, digests}, {w.flags.imageRefs, refs}, {w.flags.metadataFile, encoded}} {
		if f.name == "" || len(w.reports) == 0 {
			continue
		}
		if err := replaceFile(f.name, f.content); err != nil {
			return fmt.Errorf("writing %s: %w", f.name, err)
		}
	}
	return nil
}

// buildxMetadata is the result under the keys of docker buildx's
// --metadata-file, and in full under our own.
func buildxMetadata(r *bake.Report) map[string]any {
	m := map[string]any{
		"containerimage.digest": r.Digest,
		"containerimage.descriptor": map[string]any{
			"mediaType": r.MediaType,
			"digest":    r.Digest,
			"size":      r.Size,
		},
		"image.name": strings.Join(r.Tags, ","),
		"crane-bake": r,
	}
	if len(r.Platforms) == 1 {
		m["containerimage.config.digest"] = r.Platforms[0].ConfigDigest
	}
	return m
}

// encodeJSON is v on one line, without the escapes that only HTML needs.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// replaceFile writes a file through a temporary one beside it.
func replaceFile(name string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(content); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}
