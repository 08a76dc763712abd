// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/crane-bake/crane-bake/bake"
)

// authorsLabel says what MAINTAINER did (OCI image-spec, annotations.md).
const authorsLabel = "org.opencontainers.image.authors"

// pairs sets the pairs of ENV or LABEL.
func (e *evaluation) pairs(kvs instructions.KeyValuePairs, set func(k, v string)) error {
	for _, kv := range kvs {
		if kv.Key == "" || strings.Contains(kv.Key, "=") {
			return fmt.Errorf("name %s is empty or has a \"=\"", clip(kv.Key))
		}
		set(kv.Key, kv.Value)
	}
	return nil
}

// commandLine is what a CMD or ENTRYPOINT runs; not nil.
func (e *evaluation) commandLine(c instructions.ShellDependantCmdLine) []string {
	if !c.PrependShell {
		return append([]string{}, c.CmdLine...)
	}
	e.needsBase = e.needsBase || e.shellOfBase
	return append(slices.Clone(e.shell), strings.Join(c.CmdLine, " "))
}

// changeDir follows WORKDIR, which also makes the directory.
func (e *evaluation) changeDir(dir, code string) error {
	if !path.IsAbs(dir) {
		e.needsBase = e.needsBase || e.workdirOfBase
		dir = path.Join(e.workdir, dir)
	}
	dir = path.Clean(dir)
	if err := checkPath(dir); err != nil {
		return err
	}
	e.workdir, e.workdirOfBase = dir, false
	e.spec.Settings.WorkingDir = dir
	if e.isDir(dir) {
		return nil
	}
	c := bake.Copy{Dest: dir, Instruction: code}
	e.needsBase = e.needsBase || e.userOfBase
	// The number of a user with a name is in the base's file system alone.
	if owner, err := parseOwner(e.user); err == nil {
		c.Owner = owner
	}
	return e.put(c)
}

func (e *evaluation) setUser(user string) error {
	if user == "" {
		return errors.New("USER is empty after expansion")
	}
	e.user, e.userOfBase = user, false
	e.spec.Settings.User = user
	return nil
}

func (e *evaluation) addVolumes(volumes []string) error {
	for _, v := range volumes {
		if v == "" {
			return errors.New("VOLUME is empty after expansion")
		}
		if !slices.Contains(e.spec.Settings.Volumes, v) {
			e.spec.Settings.Volumes = append(e.spec.Settings.Volumes, v)
		}
	}
	return nil
}

// maxPorts bounds the ports of a file; each range can name 65,536 of them.
const maxPorts = 1 << 16

// expose follows EXPOSE, whose words may expand to several each.
func (e *evaluation) expose(words []string) error {
	for _, w := range words {
		specs, err := e.x.words(w, e.lookup)
		if err != nil {
			return err
		}
		for _, spec := range specs {
			ports, err := parsePorts(spec)
			if err != nil {
				return err
			}
			for _, p := range ports {
				if e.ports[p] {
					continue
				}
				if len(e.ports) == maxPorts {
					return fmt.Errorf("more than %d ports", maxPorts)
				}
				e.ports[p] = true
				e.spec.Settings.ExposedPorts = append(e.spec.Settings.ExposedPorts, p)
			}
		}
	}
	return nil
}

// parsePorts reads PORT[-PORT][/PROTOCOL] into PORT/PROTOCOL each.
func parsePorts(spec string) ([]string, error) {
	ports, protocol, _ := strings.Cut(spec, "/")
	if i := strings.LastIndex(ports, ":"); i >= 0 {
		return nil, &fault{
			message: fmt.Sprintf("port %s: a port of the host cannot be chosen here", clip(spec)),
			hint:    "write " + spec[i+1:],
		}
	}
	protocol = strings.ToLower(protocol)
	switch protocol {
	case "":
		protocol = "tcp"
	case "tcp", "udp", "sctp":
	default:
		return nil, fmt.Errorf("port %s: protocol is none of tcp, udp and sctp", clip(spec))
	}
	first, last, isRange := strings.Cut(ports, "-")
	from, err := strconv.ParseUint(first, 10, 16)
	to := from
	if err == nil && isRange {
		to, err = strconv.ParseUint(last, 10, 16)
	}
	if err != nil || to < from {
		return nil, fmt.Errorf("port %s: want PORT or PORT-PORT, each 0 to 65535, with an optional /PROTOCOL", clip(spec))
	}
	var list []string
	for p := from; p <= to; p++ {
		list = append(list, fmt.Sprintf("%d/%s", p, protocol))
	}
	return list, nil
}

// signals are the names of Linux's signals, without SIG.
var signals = strings.Fields(`ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT
	SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ`)

// checkSignal wants a signal's number or name, or RTMIN+N or RTMAX-N.
func checkSignal(s string) error {
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= 64 {
		return nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if slices.Contains(signals, name) || name == "RTMIN" || name == "RTMAX" {
		return nil
	}
	for _, prefix := range []string{"RTMIN+", "RTMAX-"} {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, prefix)); err == nil && n >= 1 && n <= 15 && strings.HasPrefix(name, prefix) {
			return nil
		}
	}
	return &fault{
		message: fmt.Sprintf("signal %s: want a name such as SIGTERM, or a number from 1 to 64", clip(s)),
		hint:    didYouMean(name, "signals", signals),
	}
}
