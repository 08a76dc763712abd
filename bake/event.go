// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import v1 "github.com/google/go-containerregistry/pkg/v1"

// Means is how a target got a blob.
type Means string

// The means.
const (
	Uploaded Means = "uploaded" // a blob of the bake was sent
	Copied   Means = "copied"   // a blob of the base was streamed from where it was
	Mounted  Means = "mounted"  // the registry shares a blob that it holds
	Reused   Means = "reused"   // the target had the blob
)

// An Event says how far a blob is on its way to a target.
type Event struct {
	Blob   string  // for people: "layer model", "base layer 3/10"
	Target string  // the location's repository or path
	Digest v1.Hash // zero while it is unknown
	Moved  int64   // bytes so far; less than before where a transfer starts again
	Total  int64   // bytes in all; 0 while that is unknown
	Done   Means   // how, once the target has the blob; else empty
}

// Transfer is what was moved, in bytes of blobs, and with how many requests.
type Transfer struct {
	UploadedBytes int64 `json:"uploadedBytes"`
	MountedBytes  int64 `json:"mountedBytes"`
	CopiedBytes   int64 `json:"copiedBytes"`
	ReusedBytes   int64 `json:"reusedBytes"`
	Requests      int64 `json:"requests"`
}

func (t *Transfer) add(how Means, n int64) {
	switch how {
	case Uploaded:
		t.UploadedBytes += n
	case Copied:
		t.CopiedBytes += n
	case Mounted:
		t.MountedBytes += n
	case Reused:
		t.ReusedBytes += n
	}
}
