// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long the scripts wait for what must come.
const patience = 20 * time.Second

func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) <= 1, "interrupt [NAME]")
	w := theWorld(ts)
	for _, name := range args {
		select {
		case <-w.registry(ts, ts.Getenv(name)).held:
		case <-time.After(patience):
			ts.Fatalf("the request that %s waits for did not come", name)
		}
	}
	w.started = append(ts.BackgroundCmds(), w.served...)
	for _, cmd := range w.started {
		ts.Check(cmd.Process.Signal(os.Interrupt))
	}
}

func exited(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 1 && len(theWorld(ts).started) > 0, "exited N, after interrupt and wait")
	for _, cmd := range theWorld(ts).served {
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
	}
	for _, cmd := range theWorld(ts).started {
		if code := cmd.ProcessState.ExitCode(); code != number(ts, args[0]) {
			ts.Fatalf("exit code %d, want %s", code, args[0])
		}
	}
}

// serve runs the program until interrupt; the first line of its standard output
// becomes the value of a variable.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) > 1, "serve VAR crane-bake ARG...")
	program := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, args[1])); err == nil && info.Mode().IsRegular() {
			program = filepath.Join(dir, args[1])
			break
		}
	}
	cmd := exec.Command(program, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	ts.Check(err)
	ts.Setenv(args[0], strings.TrimSuffix(line, "\n"))
	theWorld(ts).served = append(theWorld(ts).served, cmd)
}

func modeIs(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 2, "modeis MODE FILE")
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("mode %s, want %s", got, args[0])
	}
}
