// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"syscall"
)

// The spec's "Error Codes", and UNKNOWN, which distribution answers when the
// fault is its own.
const (
	codeBlobUnknown         = "BLOB_UNKNOWN"
	codeBlobUploadInvalid   = "BLOB_UPLOAD_INVALID"
	codeBlobUploadUnknown   = "BLOB_UPLOAD_UNKNOWN"
	codeDigestInvalid       = "DIGEST_INVALID"
	codeManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
	codeManifestInvalid     = "MANIFEST_INVALID"
	codeManifestUnknown     = "MANIFEST_UNKNOWN"
	codeNameInvalid         = "NAME_INVALID"
	codeNameUnknown         = "NAME_UNKNOWN"
	codeSizeInvalid         = "SIZE_INVALID"
	codeTagInvalid          = "TAG_INVALID"
	codeUnsupported         = "UNSUPPORTED"
	codeUnknown             = "UNKNOWN"
)

// A refused error is an answer in the form that the spec gives to errors.
type refused struct {
	status int
	causes []cause
}

type cause struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  any    `json:"detail,omitempty"`
}

func refusal(status int, code, message string) *refused {
	return &refused{status: status, causes: []cause{{Code: code, Message: message}}}
}

// about adds the digest that a refusal is about.
func (e *refused) about(digest string) *refused {
	e.causes[0].Detail = map[string]string{"digest": digest}
	return e
}

func (e *refused) Error() string {
	return fmt.Sprintf("%d %s: %s", e.status, e.causes[0].Code, e.causes[0].Message)
}

// refuse answers err. What is not a refusal is a failure of the storage, whose
// paths are for the log and not for the client.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var e *refused
	if !errors.As(err, &e) {
		s.log.ErrorContext(r.Context(), "storage", "method", r.Method, "path", r.URL.Path, "error", err)
		e = refusal(http.StatusInternalServerError, codeUnknown, "the registry's storage failed")
		if errors.Is(err, syscall.ENOSPC) {
			e = refusal(http.StatusInsufficientStorage, codeUnknown, syscall.ENOSPC.Error())
		}
	}
	body, err := json.Marshal(map[string][]cause{"errors": e.causes})
	if err != nil {
		panic(err) // strings and maps of strings always encode
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone
	}
}

func writeJSON(w http.ResponseWriter, mediaType string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone
	return nil
}
