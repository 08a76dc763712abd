// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "os"

// A Report is what a run found. The fields of all its structs stand in the
// order of their JSON names, so that the report is sorted at every level.
type Report struct {
	Attachments   []Attachment `json:"attachments"` // in the order of ATTACHMENTS
	ConnectPrefix string       `json:"connectPrefix"`
	Model         *Model       `json:"model"`    // null without a usable MODEL
	Problems      []string     `json:"problems"` // "VARIABLE [place]: what is wrong", sorted
	Process       Process      `json:"process"`
	Schemas       []Schema     `json:"schemas"` // by name
	Streams       []Stream     `json:"streams"` // by slot
}

// A Process says as whom and where the engine runs.
type Process struct {
	GID              int    `json:"gid"`
	UID              int    `json:"uid"`
	WorkingDirectory string `json:"workingDirectory"` // empty if unknown
}

func thisProcess() Process {
	dir, err := os.Getwd()
	if err != nil {
		dir = ""
	}
	return Process{GID: os.Getgid(), UID: os.Getuid(), WorkingDirectory: dir}
}

// A File is one bound file as the engine sees it. For a file that cannot be
// opened all but the path may be zero.
type File struct {
	GID      int    `json:"gid"`  // -1 if unknown
	Mode     string `json:"mode"` // permission bits, octal, as "0644"
	Path     string `json:"path"` // absolute, as bound
	Readable bool   `json:"readable"`
	SHA256   string `json:"sha256"` // hex
	Size     int64  `json:"size"`   // bytes
	UID      int    `json:"uid"`    // -1 if unknown
}

// A Model is the file of MODEL and what its annotations say.
type Model struct {
	File   File   `json:"file"`
	Runner string `json:"runner"` // empty for an extension that no runner has
	// Schemas maps an in-use slot to the schema its annotations give it: a
	// bound name, or inline JSON.
	Schemas map[string]string `json:"schemas"`
	Slots   []string          `json:"slots"` // in use, sorted; null if the file is no model
}

// A Schema is one binding of SCHEMAS.
type Schema struct {
	File     File   `json:"file"`
	FullName string `json:"fullName"` // Avro full name; empty for unnamed types
	Name     string `json:"name"`     // the bound name
	Type     string `json:"type"`     // Avro type; empty if the file is no schema
}

// A Stream is one binding of STREAMS.
type Stream struct {
	Encoding  string `json:"encoding"` // as written; empty for null or absent
	File      File   `json:"file"`
	Schema    string `json:"schema"` // as written, compact JSON; empty if absent
	Slot      int    `json:"slot"`
	Transport string `json:"transport"` // canonical spelling; empty if unknown
}

// An Attachment is one archive of ATTACHMENTS.
type Attachment struct {
	File    File `json:"file"`
	Members int  `json:"members"`
}
