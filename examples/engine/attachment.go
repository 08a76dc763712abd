// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// attachments loads the archives of ATTACHMENTS, a list of paths (O-1 of the
// engine contract).
func (in *inspection) attachments(value string) []Attachment {
	const variable = "ATTACHMENTS"
	attachments := []Attachment{}
	for _, path := range listItems(value) {
		if !in.validPath(variable, path) {
			continue
		}
		file, content := in.read(variable, path)
		a := Attachment{File: file}
		if content != nil {
			n, err := countMembers(path, content)
			if err != nil {
				in.problem(variable, "%s: %v", path, err)
			}
			a.Members = n
		}
		attachments = append(attachments, a)
	}
	return attachments
}

// countMembers is the number of entries of an archive, directories included.
// The archive is read to its end, so that truncation shows.
func countMembers(name string, content []byte) (int, error) {
	switch {
	case strings.HasSuffix(name, ".zip"):
		return countZip(content)
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return countTarGzip(content)
	}
	return 0, errors.New("not a .zip, .tar.gz or .tgz archive")
}

func countZip(content []byte) (int, error) {
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return 0, fmt.Errorf("reading zip: %w", err)
	}
	for _, member := range z.File {
		if err := drain(member); err != nil {
			return 0, fmt.Errorf("reading zip member %q: %w", member.Name, err)
		}
	}
	return len(z.File), nil
}

// drain reads a member to its end, where its checksum is compared.
func drain(member *zip.File) error {
	r, err := member.Open()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

func countTarGzip(content []byte) (int, error) {
	z, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return 0, fmt.Errorf("reading gzip: %w", err)
	}
	members := 0
	for t := tar.NewReader(z); ; members++ {
		if _, err := t.Next(); err == io.EOF {
			break
		} else if err != nil {
			return 0, fmt.Errorf("reading tar: %w", err)
		}
	}
	// The checksum stands behind the padding that the tar reader leaves.
	if _, err := io.Copy(io.Discard, z); err != nil {
		return 0, fmt.Errorf("reading gzip: %w", err)
	}
	return members, nil
}
