// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

// refusedBy holds lines that bring about each refusal, one at a time, after
// FROM a.
var refusedBy = map[string][]string{
	"RUN":           {"RUN true", "run [\"true\"]", "RUN --mount=type=cache,target=/x true", "RUN <<A\ntrue\nA"},
	"a second FROM": {"FROM b", "FROM b AS c"},
	"FROM scratch":  {""},
	"BUILDPLATFORM": {"ARG BUILDPLATFORM\nENV A=$BUILDPLATFORM", "ARG BUILDARCH\nENV A=${BUILDARCH:-x}"},
	"COPY --from":   {"COPY --from=b /x /y", "COPY --from=0 /x /y"},
	"COPY --parents": {
		"COPY --parents a/b /y", "COPY --parents=true a/b /y",
	},
	"ADD of a URL": {
		"ADD https://example.com/a /y", "ADD http://$HOST/a /y", "ADD git@example.com:a/b.git /y", "ADD git://example.com/a /y",
		"ARG URL=https://example.com/a\nADD $URL /y",
	},
	"ADD --checksum or --keep-git-dir": {"ADD --checksum=sha256:00 model.py3 /y", "ADD --keep-git-dir model.py3 /y"},
	"ADD of a bzip2 or xz archive":     {"ADD a.tar.bz2 /y", "ADD a.tar.xz /y"},
	"--chown by name":                  {"COPY --chown=fastscore model.py3 /y", "ADD --chown=0:staff model.py3 /y", "ARG O=a\nCOPY --chown=$O model.py3 /y"},
	"--chmod by letters":               {"COPY --chmod=u=rwX,go=rX model.py3 /y", "ADD --chmod=+x model.py3 /y", "ARG M=a-x\nCOPY --chmod=$M model.py3 /y"},
	"HEALTHCHECK":                      {"HEALTHCHECK NONE", "HEALTHCHECK --interval=1s CMD true"},
	"ONBUILD":                          {"ONBUILD RUN true", "ONBUILD COPY <<A /x\na\nA"},
	"# syntax= of another frontend":    {""},
}

func TestRefusals(t *testing.T) {
	fsys := scorer()
	fsys["a.tar.xz"] = &fstest.MapFile{Data: []byte("\xfd7zXZ\x00...")}
	fsys["a.tar.bz2"] = &fstest.MapFile{Data: bzip2Tar(t)}
	for _, r := range dockerfile.Refusals() {
		if len(refusedBy[r[0]]) == 0 {
			t.Errorf("no example of %q", r[0])
		}
		for _, lines := range refusedBy[r[0]] {
			t.Run(r[0]+"/"+lines, func(t *testing.T) {
				text := "FROM a\n" + lines
				switch r[0] {
				case "FROM scratch":
					text = "\nFROM scratch"
				case "# syntax= of another frontend":
					text = "# check=skip=all\n# syntax=example.com/other:1\nFROM a"
				}
				line := "2"
				if strings.Contains(lines, "ARG ") {
					line = "3"
				}
				want := []string{line + ": " + r[0] + " " + r[1] + " (" + r[2] + ")"}
				if diff := cmp.Diff(want, problems(t, text, dockerfile.Options{Context: fsys})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestAllAtOnce(t *testing.T) {
	got := problems(t, `# syntax=docker/dockerfile:1
ARG A
RUN before
FROM a AS b
ENV
RUN one \
  two
ENV A
COYP a b
WORKDIR
HEALTHCHECK NONE
EXPOSE
FROM c
COPY --from=b --chwon=1 /x /y
LABEL a=b c
CMD
COPY <<A /x
RUN inside
A
RUN after
COPY <<B /x
`, dockerfile.Options{})
	want := []string{
		"3: RUN needs a container runtime; crane-bake runs nothing (run it where the base is built, or make its files before the bake and COPY them)",
		"5: ENV requires at least one argument",
		"6: RUN needs a container runtime; crane-bake runs nothing (run it where the base is built, or make its files before the bake and COPY them)",
		"8: ENV must have two arguments",
		`9: unknown instruction "COYP" (did you mean "COPY"?)`,
		"10: WORKDIR requires exactly one argument",
		"11: HEALTHCHECK has no place in an OCI image (declare the probe where the engine is deployed)",
		"12: EXPOSE requires at least one argument",
		"13: a second FROM needs a container runtime; crane-bake runs nothing (build the other stages with docker build, and COPY what they make or name them in FROM)",
		"14: COPY --from takes files out of an image; crane-bake copies from the build context alone (put the files into the context before the bake)",
		`14: COPY has no option "--chwon" (did you mean "--chown"?)`,
		`15: Syntax error - can't find = in "c". Must be of the form: name=value`,
		"16: CMD without a command (CMD [] clears that of the base)",
		"20: RUN needs a container runtime; crane-bake runs nothing (run it where the base is built, or make its files before the bake and COPY them)",
		"21: unterminated heredoc",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSyntaxProblems(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":               {"", "0: the file has no instructions"},
		"comments":            {"\ufeff# a\n\n# b", "0: the file has no instructions"},
		"no FROM":             {"ARG A\nCOPY a b", "0: the file has no FROM (name the engine image, as in FROM fastscore/engine:1.10)"},
		"above FROM":          {"COPY a b\nFROM a", "1: COPY is above FROM (only ARG may precede FROM)"},
		"NUL":                 {"FROM a\nENV A=\x00", "2: the file is not text: it has a NUL byte"},
		"not UTF-8":           {"FROM a\n# \ufffd\n# \xff", "3: the file is not UTF-8 text"},
		"escape":              {"# escape=x\nFROM a", "1: escape is \"x\", want \\ or `"},
		"directive twice":     {"# escape=`\n# syntax=docker/dockerfile\n# escape=`\nFROM a", "3: only one escape parser directive can be used"},
		"unknown":             {"FROM a\nPRINT", `2: unknown instruction "PRINT" (instructions: ADD, ARG, CMD, COPY, ENTRYPOINT, ENV, EXPOSE, FROM, LABEL, MAINTAINER, SHELL, STOPSIGNAL, USER, VOLUME, WORKDIR)`},
		"option":              {"FROM --plattform=a a", `1: FROM has no option "--plattform" (did you mean "--platform"?)`},
		"option of none":      {"FROM a\nWORKDIR --x /a", `2: WORKDIR has no option "--x"`},
		"option of two words": {"FROM a\nSTOPSIGNAL --x TERM", `2: STOPSIGNAL has no option "--x"`},
		"option value":        {"FROM a\nADD --unpack=maybe a /b", "2: expecting boolean value for flag --unpack, not: maybe"},
		"no destination":      {"FROM a\nCOPY a", "2: COPY requires at least two arguments, but only one was provided. Destination could not be determined"},
		"heredoc destination": {"FROM a\nCOPY a <<b\nb", "2: COPY cannot accept a heredoc as a destination"},
		"JSON":                {"FROM a\nCMD [1]", "2: when using JSON array syntax, arrays must be comprised of strings only"},
		"SHELL":               {"FROM a\nSHELL bash", "2: SHELL requires the arguments to be in JSON form"},
		"ENTRYPOINT":          {"FROM a\nENTRYPOINT", "2: ENTRYPOINT without a command (ENTRYPOINT [] clears that of the base)"},
		"FROM arguments":      {"FROM a b", "1: FROM requires either one or three arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff([]string{c.want}, problems(t, c.text, dockerfile.Options{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	f, err := dockerfile.Parse([]byte("FROM a\n\nCOPY modle.py3 /a/\nENV A=${\nUSER $NOBODY"), "docker/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = f.Spec(dockerfile.Options{Context: scorer()})
	var e *bakefile.Error
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &e) {
		t.Fatalf("error is %#v, want a *bakefile.Error that is fs.ErrNotExist", err)
	}
	want := &bakefile.Error{File: "docker/Dockerfile", Problems: []bakefile.Problem{
		{Line: 3, Message: `source "modle.py3" is not in the build context`, Hint: `did you mean "model.py3"?`},
		{Line: 4, Message: `"${": syntax error: missing '}'`},
		{Line: 5, Message: "USER is empty after expansion"},
	}}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(err.Error(), `docker/Dockerfile:3: source "modle.py3"`) {
		t.Errorf("error says %q", err)
	}
}
