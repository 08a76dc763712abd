// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

func TestEnv(t *testing.T) {
	base := &dockerfile.BaseConfig{Env: []string{"LIB=/lib", "PATH=/bin", "EMPTY="}}
	for name, c := range map[string]struct {
		text      string
		opts      dockerfile.Options
		want      args
		needsBase bool
	}{
		"pairs":             {text: `ENV A=1 B="two words" C='$A' D=a\ b E=`, want: args{"A": "1", "B": "two words", "C": "$A", "D": "a b", "E": ""}},
		"one":               {text: "ENV A  two  words ", want: args{"A": "two  words"}},
		"contract":          {text: "ENV STREAMS 0:/a/r.json;1:/a/k.json", want: args{"STREAMS": "0:/a/r.json;1:/a/k.json"}},
		"continued":         {text: "ENV A=1 \\\n # a comment\n B=2", want: args{"A": "1", "B": "2"}},
		"expanded":          {text: "ENV A=1\nENV B=${A}2 C=${A:+x} D=${A:-y}", want: args{"A": "1", "B": "12", "C": "x", "D": "1"}},
		"not in itself":     {text: "ENV A=1\nENV A=2 B=$A", want: args{"A": "2", "B": "1"}},
		"escaped":           {text: `ENV A=\$B C="\$B"`, want: args{"A": "$B", "C": "$B"}},
		"unset":             {text: "ENV A=x$B", want: args{"A": "x"}, needsBase: true},
		"base":              {text: "ENV A=$LIB/x PATH=$PATH:/a", opts: dockerfile.Options{Base: base}, want: args{"A": "/lib/x", "PATH": "/bin:/a"}, needsBase: true},
		"base without PATH": {text: "ENV PATH=/a:$PATH", opts: dockerfile.Options{Base: &dockerfile.BaseConfig{}}, want: args{"PATH": "/a:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, needsBase: true},
		"over base":         {text: "ENV LIB=/x\nENV A=$LIB", opts: dockerfile.Options{Base: base}, want: args{"LIB": "/x", "A": "/x"}},
		"ARG":               {text: "ARG A=1 B\nENV C=$A", want: args{"C": "1"}},
		"ARG over base":     {text: "ARG LIB=/x\nENV A=$LIB", opts: dockerfile.Options{Base: base}, want: args{"A": "/x"}},
		"ARG of the base":   {text: "ARG LIB\nENV A=$LIB", opts: dockerfile.Options{Base: base}, want: args{"A": "/lib"}, needsBase: true},
		"build argument":    {text: "ARG A=${}\nENV C=$A", opts: dockerfile.Options{BuildArgs: args{"A": "$x \\y"}}, want: args{"C": `$x \y`}},
		"not before ARG":    {text: "ENV B=$A\nARG A", opts: dockerfile.Options{BuildArgs: args{"A": "1"}}, want: args{"B": ""}, needsBase: true},
		"global":            {text: "ARG GLOBAL\nENV A=$GLOBAL", want: args{"A": "g"}},
		"global, default":   {text: "ARG GLOBAL=d\nENV A=$GLOBAL", want: args{"A": "d"}},
		"global, not here":  {text: "ENV A=$GLOBAL", want: args{"A": ""}, needsBase: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, needsBase := evaluateBase(t, "ARG GLOBAL=g\nFROM a\n"+c.text, c.opts)
			if diff := cmp.Diff(c.want, got.Env); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if needsBase != c.needsBase {
				t.Errorf("needs base: %t", needsBase)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	got := evaluate(t, "FROM a\nENV V=1\nLABEL a=$V \"b c\"=\"d e\"\nLABEL version $V\nMAINTAINER Ann <ann@example.com>\nLABEL a=2\n", dockerfile.Options{})
	want := args{"a": "2", "b c": "d e", "version": "1", "org.opencontainers.image.authors": "Ann <ann@example.com>"}
	if diff := cmp.Diff(want, got.Labels); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSettings(t *testing.T) {
	cmdOfBase := &dockerfile.BaseConfig{Cmd: []string{"c"}, Shell: []string{"/bin/ash", "-c"}}
	for name, c := range map[string]struct {
		text      string
		base      *dockerfile.BaseConfig
		want      bake.Settings
		needsBase bool
	}{
		"nothing":               {},
		"CMD":                   {text: `CMD ["a", "$b"]`, want: bake.Settings{Cmd: []string{"a", "$b"}}},
		"CMD, shell":            {text: "CMD a  $b &&\\\n c", want: bake.Settings{Cmd: []string{"/bin/sh", "-c", "a  $b && c"}}, needsBase: true},
		"CMD, shell of base":    {text: "CMD a", base: cmdOfBase, want: bake.Settings{Cmd: []string{"/bin/ash", "-c", "a"}}, needsBase: true},
		"CMD, other shell":      {text: "SHELL [\"/bin/bash\", \"-ec\"]\nCMD a", want: bake.Settings{Cmd: []string{"/bin/bash", "-ec", "a"}}},
		"CMD, cleared":          {text: "CMD []", want: bake.Settings{Cmd: []string{}}},
		"CMD, not JSON":         {text: "CMD ['a']", want: bake.Settings{Cmd: []string{"/bin/sh", "-c", "['a']"}}, needsBase: true},
		"CMD, the last":         {text: "CMD [\"a\"]\nCMD [\"b\"]", want: bake.Settings{Cmd: []string{"b"}}},
		"ENTRYPOINT":            {text: `ENTRYPOINT ["a"]`, want: bake.Settings{Entrypoint: []string{"a"}, Cmd: []string{}}},
		"ENTRYPOINT, base CMD":  {text: `ENTRYPOINT ["a"]`, base: cmdOfBase, want: bake.Settings{Entrypoint: []string{"a"}, Cmd: []string{}}},
		"ENTRYPOINT, no CMD":    {text: `ENTRYPOINT ["a"]`, base: &dockerfile.BaseConfig{}, want: bake.Settings{Entrypoint: []string{"a"}}},
		"ENTRYPOINT, own CMD":   {text: "CMD [\"b\"]\nENTRYPOINT [\"a\"]", want: bake.Settings{Entrypoint: []string{"a"}, Cmd: []string{"b"}}},
		"ENTRYPOINT, later CMD": {text: "ENTRYPOINT [\"a\"]\nCMD [\"b\"]", want: bake.Settings{Entrypoint: []string{"a"}, Cmd: []string{"b"}}},
		"ENTRYPOINT, shell":     {text: "ENTRYPOINT exec a", want: bake.Settings{Entrypoint: []string{"/bin/sh", "-c", "exec a"}, Cmd: []string{}}, needsBase: true},
		"ENTRYPOINT, cleared":   {text: "ENTRYPOINT []", want: bake.Settings{Entrypoint: []string{}, Cmd: []string{}}},
		"USER":                  {text: "ARG U=1000\nUSER $U:$U", want: bake.Settings{User: "1000:1000"}},
		"VOLUME":                {text: "ENV A=/a\nVOLUME $A /b\nVOLUME [\"/b\", \"/c d\"]", want: bake.Settings{Volumes: []string{"/a", "/b", "/c d"}}},
		"STOPSIGNAL":            {text: "ARG S=INT\nSTOPSIGNAL SIG$S", want: bake.Settings{StopSignal: "SIGINT"}},
		"STOPSIGNAL, number":    {text: "STOPSIGNAL 9", want: bake.Settings{StopSignal: "9"}},
		"STOPSIGNAL, real time": {text: "STOPSIGNAL RTMIN+3", want: bake.Settings{StopSignal: "RTMIN+3"}},
		"EXPOSE":                {text: "ARG P=\"8003 90/UDP\"\nEXPOSE $P\nEXPOSE 8003/tcp 100-102/sctp", want: bake.Settings{ExposedPorts: []string{"8003/tcp", "90/udp", "100/sctp", "101/sctp", "102/sctp"}}},
		"WORKDIR":               {text: "WORKDIR /fastscore\nWORKDIR a/../b\nWORKDIR c/", want: bake.Settings{WorkingDir: "/fastscore/b/c"}, needsBase: true},
		"WORKDIR, base":         {text: "USER 1\nWORKDIR a", base: &dockerfile.BaseConfig{WorkingDir: "/w"}, want: bake.Settings{WorkingDir: "/w/a", User: "1"}, needsBase: true},
		"WORKDIR, base, none":   {text: "USER 1\nWORKDIR a", base: cmdOfBase, want: bake.Settings{WorkingDir: "/a", User: "1"}, needsBase: true},
		"WORKDIR, unknown base": {text: "USER 1\nWORKDIR a", want: bake.Settings{WorkingDir: "/fastscore/a", User: "1"}, needsBase: true},
		"WORKDIR, known":        {text: "WORKDIR /fastscore", want: bake.Settings{WorkingDir: "/fastscore"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, needsBase := evaluateBase(t, "FROM a\n"+c.text, dockerfile.Options{Base: c.base})
			if diff := cmp.Diff(c.want, got.Settings); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if needsBase != c.needsBase {
				t.Errorf("needs base: %t", needsBase)
			}
		})
	}
}

func TestConfigProblems(t *testing.T) {
	for text, want := range map[string]string{
		"USER $A":              "USER is empty after expansion",
		"VOLUME /a $A":         "VOLUME is empty after expansion",
		"ENV $A=b":             `name "" is empty or has a "="`,
		"ARG A='B=C'\nENV $A=": `name "B=C" is empty or has a "="`,
		"LABEL $A=b":           `name "" is empty or has a "="`,
		"STOPSIGNAL TREM":      `signal "TREM": want a name such as SIGTERM, or a number from 1 to 64 (did you mean "TERM"?)`,
		"STOPSIGNAL 65":        `signal "65": want a name such as SIGTERM, or a number from 1 to 64 (signals: ` + signalNames + ")",
		"ARG A=${}":            `"${}": syntax error: bad substitution`,
		"EXPOSE http":          `port "http": want PORT or PORT-PORT, each 0 to 65535, with an optional /PROTOCOL`,
		"EXPOSE 65536":         `port "65536": want PORT or PORT-PORT, each 0 to 65535, with an optional /PROTOCOL`,
		"EXPOSE 3-2":           `port "3-2": want PORT or PORT-PORT, each 0 to 65535, with an optional /PROTOCOL`,
		"EXPOSE 80/http":       `port "80/http": protocol is none of tcp, udp and sctp`,
		"EXPOSE 8080:80/tcp":   `port "8080:80/tcp": a port of the host cannot be chosen here (write 80/tcp)`,
		"EXPOSE ${A":           `"${A": syntax error: missing '}'`,
		"EXPOSE 0-65535 1/udp": "more than 65536 ports",
		"WORKDIR $A/" + long:   `path "/` + long[:59] + `"... is longer than 4096 bytes`,
	} {
		t.Run(clipped(text), func(t *testing.T) {
			line := "2: "
			if strings.Contains(text, "\n") {
				line = "3: "
			}
			if diff := cmp.Diff([]string{line + want}, problems(t, "FROM a\n"+text, dockerfile.Options{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

var long = strings.Repeat("x", 5000)

func clipped(s string) string { return s[:min(len(s), 40)] }

const signalNames = "ABRT, ALRM, BUS, CHLD, CLD, CONT, FPE, HUP, ILL, INT, IO, IOT, KILL, PIPE, POLL, PROF, PWR, QUIT, SEGV, STKFLT, STOP, SYS, TERM, TRAP, TSTP, TTIN, TTOU, URG, USR1, USR2, VTALRM, WINCH, XCPU, XFSZ"
