// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Command engine stands in for a FastScore engine: it reads the variables of
// the engine contract from its environment, loads what they name as an engine
// would, and prints one JSON report to standard output. It exits with 1 if
// anything is missing or invalid, and the report's "problems" say what.
//
// Put it into an image as the entry point, bake onto that image, and run the
// result. It shares no code with crane-bake's own check, so that a test which
// runs both compares two readings of the contract.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	report := Inspect(os.Getenv, os.DirFS("/"))
	report.Process = thisProcess()
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(report); err != nil {
		fmt.Fprintf(os.Stderr, "engine: writing the report: %v\n", err)
		os.Exit(1)
	}
	if len(report.Problems) > 0 {
		os.Exit(1)
	}
}
