// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	fs.StringVar(&f.format, "format", "text", "`text|json` form of standard output")
	fs.StringVar(&f.digestFile, "digest-file", "", "`FILE` write the digest to this file, without a newline")
	fs.StringVar(&f.imageRefs, "image-refs", "", "`FILE` write REPO@DIGEST of every published image to this file, one a line")
	fs.StringVar(&f.metadataFile, "metadata-file", "", "`FILE` write the result as JSON with buildx's keys to this file")
}

func (f *reportFlags) check() error {
	if f.format != "text" && f.format != "json" {
		return errUsage("--format %q: want text or json", f.format)
	}
	return nil
}

// reportWriter writes results: to standard output at once; what was published,
// to files at the end.
type reportWriter struct {
	flags     *reportFlags
	stdout    io.Writer
	published []result
}

// result is what a command published, or what it would.
type result struct {
	report     any // for JSON
	digest     v1.Hash
	published  []string // REPO@DIGEST; empty of a dry run
	descriptor map[string]any
	config     v1.Hash // zero where there are several
	names      []string
}

// open makes sure, before anything is published, that the files can be
// written.
func (f *reportFlags) open(stdout io.Writer) (*reportWriter, error) {
	for _, name := range []string{f.digestFile, f.imageRefs, f.metadataFile} {
		if name == "" {
			continue
		}
		if err := writable(name); err != nil {
			return nil, err
		}
	}
	return &reportWriter{flags: f, stdout: stdout}, nil
}

// add reports one bake.
func (w *reportWriter) add(r *bake.Report) error {
	one := result{
		report: r, digest: r.Digest, published: r.Published, names: r.Tags,
		descriptor: map[string]any{"mediaType": r.MediaType, "digest": r.Digest, "size": r.Size},
	}
	if len(r.Platforms) == 1 {
		one.config = r.Platforms[0].ConfigDigest
	}
	return w.write(one)
}

// addPromoted reports one promotion.
func (w *reportWriter) addPromoted(r *bake.PromoteReport) error {
	return w.write(result{
		report: r, digest: r.Digest, published: r.Published, names: r.Destinations,
		descriptor: map[string]any{"mediaType": r.MediaType, "digest": r.Digest, "size": r.Size},
	})
}

func (w *reportWriter) write(r result) error {
	if len(r.published) > 0 {
		w.published = append(w.published, r)
	}
	if w.flags.format == "json" {
		line, err := encodeJSON(r.report)
		if err != nil {
			return err
		}
		_, err = w.stdout.Write(line)
		return err
	}
	for _, ref := range r.published {
		if _, err := fmt.Fprintln(w.stdout, ref); err != nil {
			return err
		}
	}
	return nil
}

// close writes the files. Where nothing was published they are empty: whoever
// named a file finds it, and nothing in it that is of an earlier run.
func (w *reportWriter) close() error {
	var digests, refs []byte
	var metadata []any
	for i, r := range w.published {
		if i > 0 {
			digests = append(digests, '\n')
		}
		digests = append(digests, r.digest.String()...)
		for _, ref := range r.published {
			refs = append(refs, ref+"\n"...)
		}
		metadata = append(metadata, r.buildxMetadata())
	}
	encoded, err := encodeMetadata(metadata)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{w.flags.digestFile, digests}, {w.flags.imageRefs, refs}, {w.flags.metadataFile, encoded}} {
		if f.name == "" {
			continue
		}
		if err := replaceFile(f.name, f.content); err != nil {
			return fmt.Errorf("writing %w", err)
		}
	}
	return nil
}

// buildxMetadata is the result under the keys of docker buildx's
// --metadata-file, and in full under our own.
func (r result) buildxMetadata() map[string]any {
	m := map[string]any{
		"containerimage.digest":     r.digest,
		"containerimage.descriptor": r.descriptor,
		"image.name":                strings.Join(r.names, ","),
		"crane-bake":                r.report,
	}
	if r.config != (v1.Hash{}) {
		m["containerimage.config.digest"] = r.config
	}
	return m
}

// encodeMetadata is the content of --metadata-file: an object of one result, a
// list of several.
func encodeMetadata(all []any) ([]byte, error) {
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return encodeJSON(all[0])
	}
	return encodeJSON(all)
}

// encodeJSON is v on one line, without the escapes that only HTML needs.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
