// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// The command is tested by the scripts in testdata/script: see
// https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript for their
// language. They run in parallel, each in a directory of its own, with an empty
// environment, registries of its own and no network beyond loopback.
//
// Beside crane-bake itself and testscript's own commands they have these. An
// IMAGE is any location that crane-bake takes; a PLATFORM chooses from an index.
//
//	scorer [DIR]                 write the files of examples/scorer to DIR (.)
//	archive FILE DIR             pack DIR as .zip, .tar, .tar.gz, .tgz or .tar.zst
//	random FILE BYTES            write a file that no compression shrinks
//	damage FILE                  change a byte in the middle
//	exitcode N PROGRAM ARG...    run, and want exit code N
//	fails N PROGRAM ARG...       exitcode, and: nothing on stdout, the error on
//	                             stderr in its form, no file and no tag changed
//	interrupt, exited N          send SIGINT to what runs in the background, as
//	                             soon as a registry's hold= says so; after wait,
//	                             want exit code N of it
//	serve VAR PROGRAM ARG...     run until interrupt; VAR is its first line
//	snapshot, unchanged          remember all files and tags; want them again
//	modeis MODE FILE             want the file or directory to have the mode
//	jsonkeys FILE KEY...         want exactly these keys: a, a.b, a[].b
//
//	registry NAME [OPTION...]    run a registry for the script; $NAME is its
//	                             HOST:PORT; see startRegistry for the options
//	authfile FILE HOST USER:PASSWORD
//	                             write credentials as docker login does
//	website NAME TYPE FILE       the same, but it answers anything with FILE
//	requests NAME N|+ METHOD PATTERN
//	                             want N such requests so far, or at least one
//	seed IMAGE [OPTION...]       put an engine image there; see seedOptions
//
//	attach IMAGE TYPE [TAG]      put an artifact beside the image: a referrer of
//	                             it, or with a TAG of its own
//	referrers IMAGE [TYPE...]    want referrers of these types
//
//	digest IMAGE VAR             set VAR to the image's digest
//	tagis IMAGE DIGEST|absent    want the image to have the digest
//	manifest IMAGE [PLATFORM]    print the manifest, indented
//	config IMAGE [PLATFORM]      print the config, indented
//	files IMAGE [PLATFORM]       print the layers and what is in them
//	content IMAGE PATH           print a file of the image
//	layer IMAGE N VAR            set VAR to the hex digest of the Nth layer
//
//	findings FILE                print the findings in a check's JSON, a line each
//	sarif FILE                   the same of its SARIF
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crane-bake/crane-bake/examples/scorer"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"crane-bake": main})
}

func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Values[worldKey{}] = newWorld(env.T().(testing.TB))
			// Nobody listens on tcpmux. A program under the race detector
			// would sleep for a second before it exits.
			env.Vars = append(env.Vars, "NOWHERE=127.0.0.1:1", "GORACE=atexit_sleep_ms=0")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"scorer":    writeScorer,
			"exitcode":  exitCodeIs,
			"fails":     fails,
			"interrupt": interrupt,
			"exited":    exited,
			"snapshot":  takeSnapshot,
			"unchanged": unchanged,
			"modeis":    modeIs,
			"jsonkeys":  jsonKeys,
			"registry":  startRegistryFor,
			"website":   startWebsite,
			"authfile":  writeAuthFile,
			"serve":     serve,
			"archive":   archive,
			"random":    random,
			"requests":  countRequests,
			"seed":      seed,
			"digest":    setDigest,
			"tagis":     tagIs,
			"manifest":  printManifest,
			"config":    printConfig,
			"files":     printFiles,
			"content":   printContent,
			"layer":     setLayer,
			"damage":    damage,
			"attach":    attach,
			"referrers": referrersAre,
			"findings":  printFindingsOf,
			"sarif":     printSARIF,
		},
	})
}

func writeScorer(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) <= 1, "scorer [DIR]")
	dir := ts.MkAbs(strings.Join(args, ""))
	ts.Check(fs.WalkDir(scorer.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := scorer.Files.ReadFile(name)
		if err != nil {
			return err
		}
		name = filepath.Join(dir, name)
		return errors.Join(os.MkdirAll(dir, 0o777), os.WriteFile(name, content, 0o666))
	}))
}

// want ends the script where a command is not used as it should be.
func want(ts *testscript.TestScript, ok bool, usage string) {
	if !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func exitCodeIs(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) > 1, "exitcode N PROGRAM ARG...")
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != number(ts, args[0]) {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// The form of an error: lines that name the program, each followed by a hint
// where there is one. Only a bake file, whose problems come all at once, has
// several.
var (
	errorLine = regexp.MustCompile(`^crane-bake: \S`)
	hintLine  = regexp.MustCompile(`^  \S`)
	inFile    = regexp.MustCompile(`^crane-bake: [^ ]*(\.yaml|Dockerfile)(:\d+)*: `)
)

func fails(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) > 1, "fails N PROGRAM ARG...")
	before := snapshot(ts)
	exitCodeIs(ts, false, args)
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("a failure wrote to standard output: %q", out)
	}
	checkUnchanged(ts, before)
	lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stderr"), "\n"), "\n")
	first := slices.IndexFunc(lines, errorLine.MatchString)
	if first < 0 {
		ts.Fatalf("no line %q on stderr", "crane-bake: what failed: why")
	}
	for i, line := range lines[first:] {
		hint := hintLine.MatchString(line) && errorLine.MatchString(lines[first+i-1])
		if i > 0 && !hint && !inFile.MatchString(line) {
			ts.Fatalf("neither the error nor its hint: %q", line)
		}
	}
}

func takeSnapshot(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 0, "snapshot")
	theWorld(ts).before = snapshot(ts)
}

func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 0, "unchanged")
	checkUnchanged(ts, theWorld(ts).before)
}

func checkUnchanged(ts *testscript.TestScript, before map[string]string) {
	if diff := cmp.Diff(before, snapshot(ts)); diff != "" {
		ts.Fatalf("files or tags changed (-before +after):\n%s", diff)
	}
}

// snapshot is all files below $WORK with what is in them, and all tags of the
// script's registries with their digests.
func snapshot(ts *testscript.TestScript) map[string]string {
	found := map[string]string{}
	work := ts.Getenv("WORK")
	ts.Check(filepath.WalkDir(work, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(work, name)
		if err != nil {
			return err
		}
		found[rel] = d.Type().String()
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		found[rel] += fmt.Sprintf(" %d bytes, sha256 %x", len(content), sha256.Sum256(content))
		return err
	}))
	theWorld(ts).addTags(ts, found)
	return found
}
