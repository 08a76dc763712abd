// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/crane-bake/crane-bake/bake"
)

const (
	// engineHome is the working directory of engines.
	engineHome = "/fastscore"
	// defaultPath is the PATH that Docker gives to an image without one.
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// An evaluation goes through the instructions below FROM.
type evaluation struct {
	file *File
	opts Options
	ps   *problems
	x    *expander

	args    map[string]string // of the global scope
	vars    map[string]string // set by ENV and ARG so far
	without map[string]bool   // automatic ones that ARG declares in vain
	baseEnv map[string]string

	workdir       string
	workdirOfBase bool
	user          string
	userOfBase    bool
	shell         []string
	shellOfBase   bool
	hasCmd        bool
	ports         map[string]bool

	context   *buildContext
	places    places
	spec      bake.Spec
	needsBase bool
}

func newEvaluation(f *File, opts Options, args map[string]string, base baseName, ps *problems) (*evaluation, error) {
	e := &evaluation{
		file: f, opts: opts, ps: ps, x: newExpander(f.escape),
		args: args, vars: map[string]string{}, without: map[string]bool{}, ports: map[string]bool{}, baseEnv: map[string]string{},
		workdir: engineHome, workdirOfBase: true, userOfBase: true,
		shell: []string{"/bin/sh", "-c"}, shellOfBase: true,
	}
	if opts.Base != nil {
		e.workdir = path.Join("/", opts.Base.WorkingDir)
		e.user = opts.Base.User
		if len(opts.Base.Shell) > 0 {
			e.shell = opts.Base.Shell
		}
		for _, kv := range opts.Base.Env {
			name, value, _ := strings.Cut(kv, "=")
			e.baseEnv[name] = value
		}
	}
	e.spec = bake.Spec{FS: opts.Context, Base: base.image, Env: map[string]string{}, Labels: map[string]string{}}
	if base.platform != "" {
		e.spec.Platforms = []string{base.platform}
	}
	var err error
	e.context, err = newBuildContext(opts, path.Base(f.name))
	e.places = places{context: e.context, dirs: map[string]bool{"/": true, e.workdir: true}}
	return e, err
}

func (e *evaluation) run() {
	for _, n := range e.file.body {
		c := command(n)
		if err := e.expand(c); err != nil {
			e.ps.addError(n.StartLine, err)
			continue
		}
		if err := e.follow(c, strings.TrimSpace(n.Original)); err != nil {
			e.ps.addError(n.StartLine, err)
		}
	}
	// An entrypoint is no use with the arguments of another one.
	if e.spec.Settings.Entrypoint != nil && !e.hasCmd && (e.opts.Base == nil || len(e.opts.Base.Cmd) > 0) {
		e.spec.Settings.Cmd = []string{}
	}
}

func (e *evaluation) expand(c any) error {
	if _, ok := c.(*instructions.ArgCommand); ok {
		return nil // its value may not be needed
	}
	if c, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		if err := c.Expand(func(s string) (string, error) { return e.x.word(s, e.lookup) }); err != nil {
			return err
		}
	}
	if c, ok := c.(instructions.SupportsSingleWordExpansionRaw); ok {
		return c.ExpandRaw(func(s string) (string, error) { return e.x.document(s, e.lookup) })
	}
	return nil
}

// lookup finds a variable in the Dockerfile's own environment and then in the
// base's.
func (e *evaluation) lookup(name string) (string, bool, error) {
	if v, ok := e.vars[name]; ok {
		return v, true, nil
	}
	if e.without[name] {
		return "", false, checkAutomatic(name)
	}
	e.needsBase = true
	if v, ok := e.baseEnv[name]; ok {
		return v, true, nil
	}
	if name == "PATH" {
		return defaultPath, true, nil
	}
	return "", false, nil
}

// follow does what an expanded instruction says.
func (e *evaluation) follow(c any, code string) error {
	switch c := c.(type) {
	case *instructions.ArgCommand:
		return e.arg(c)
	case *instructions.EnvCommand:
		return e.pairs(c.Env, func(k, v string) { e.vars[k], e.spec.Env[k] = v, v })
	case *instructions.LabelCommand:
		return e.pairs(c.Labels, func(k, v string) { e.spec.Labels[k] = v })
	case *instructions.MaintainerCommand:
		e.spec.Labels[authorsLabel] = c.Maintainer
	case *instructions.CopyCommand, *instructions.AddCommand:
		return e.transfer(newTransfer(c), code)
	case *instructions.WorkdirCommand:
		return e.changeDir(c.Path, code)
	case *instructions.UserCommand:
		return e.setUser(c.User)
	case *instructions.ExposeCommand:
		return e.expose(c.Ports)
	case *instructions.VolumeCommand:
		return e.addVolumes(c.Volumes)
	case *instructions.StopSignalCommand:
		e.spec.Settings.StopSignal = c.Signal
		return checkSignal(c.Signal)
	case *instructions.ShellCommand:
		e.shell, e.shellOfBase = c.Shell, false
	case *instructions.CmdCommand:
		e.spec.Settings.Cmd, e.hasCmd = e.commandLine(c.ShellDependantCmdLine), true
	case *instructions.EntrypointCommand:
		e.spec.Settings.Entrypoint = e.commandLine(c.ShellDependantCmdLine)
	}
	return nil
}

// arg declares variables: with the value of a build argument, or else with
// their default, or else with that of the global scope.
func (e *evaluation) arg(c *instructions.ArgCommand) error {
	for _, a := range c.Args {
		given, isGiven := e.opts.BuildArgs[a.Key]
		global, isGlobal := e.args[a.Key]
		switch {
		case isGiven:
			e.vars[a.Key] = given
		case a.Value != nil:
			v, err := e.x.word(*a.Value, e.lookup)
			if err != nil {
				return err
			}
			e.vars[a.Key] = v
		case isGlobal:
			e.vars[a.Key] = global
		case checkAutomatic(a.Key) != nil:
			e.without[a.Key] = true
		}
	}
	return nil
}
