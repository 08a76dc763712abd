// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Command certificates prints Mozilla's root certificates for TLS servers, in
// PEM, as the Go project publishes them. It is a module of its own so that its
// go.sum pins them and crane-bake depends on nothing for them.
//
// A root that is trusted with a condition, such as "only for what it issued
// until then", is left out: a PEM file says no conditions, so that everybody who
// reads it would trust the root without.
package main

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

func main() {
	w := bufio.NewWriter(os.Stdout)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "certificates:", err)
		os.Exit(1)
	}
}

func write(w io.Writer) error {
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return err
		}
	}
	return nil
}
