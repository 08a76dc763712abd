// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Crane-bake bakes models, schemas and streams into engine images without
// Docker. See "crane-bake help".
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second interrupt ends the program at once.
	context.AfterFunc(ctx, stop)
	env := &environment{stdout: os.Stdout, stderr: os.Stderr, stdin: os.Stdin, lookup: os.LookupEnv}
	code := run(ctx, env, os.Args[1:])
	stop()
	os.Exit(code)
}
