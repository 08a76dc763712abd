// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// remoteFlags are the flags of every command that reaches a registry.
type remoteFlags struct {
	insecure                  bool
	caFile, certFile, keyFile string
	authFile                  string
	retries                   int
	timeout                   time.Duration
	jobs                      int
	progress                  string
	quiet, verbose            bool
	logFormat                 string
	mirrors                   []string // HOST=MIRROR
}

func (f *remoteFlags) register(fs *pflag.FlagSet) {
	f.registerWay(fs)
	fs.IntVar(&f.jobs, "jobs", 8, "`N` how many blobs to move at once, small ones apart")
	fs.StringVar(&f.progress, "progress", "auto", "`auto|tty|plain|none` how to show progress")
	f.registerLog(fs)
}

// registerWay adds the flags for the way to a registry.
func (f *remoteFlags) registerWay(fs *pflag.FlagSet) {
	fs.BoolVar(&f.insecure, "insecure", false, "allow plain HTTP and unverified certificates beyond loopback hosts")
	fs.StringVar(&f.caFile, "ca-file", "", "`FILE` trust the certificate authorities in this PEM file too")
	fs.StringVar(&f.certFile, "cert-file", "", "`FILE` client certificate, a PEM file")
	fs.StringVar(&f.keyFile, "key-file", "", "`FILE` key of the client certificate, a PEM file")
	fs.StringVar(&f.authFile, "authfile", "", "`FILE` registry credentials, instead of Docker's and Podman's")
	fs.IntVar(&f.retries, "retries", registry.DefaultRetries, "`N` how often to repeat a request after a passing failure")
	fs.DurationVar(&f.timeout, "timeout", registry.DefaultTimeout, "`DURATION` give up an attempt in which no byte moved for so long")
}

// registerLog adds the flags for what is said on the way.
func (f *remoteFlags) registerLog(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "say nothing but results and errors")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "log retries and fallbacks")
	fs.StringVar(&f.logFormat, "log-format", "text", "`text|json` format of the log")
}

// check makes sure that the numbers make sense.
func (f *remoteFlags) check() error {
	if f.jobs < 1 {
		return errUsage("--jobs %d: want 1 or more", f.jobs)
	}
	return f.checkWay()
}

// checkWay is check of the flags of registerWay.
func (f *remoteFlags) checkWay() error {
	switch {
	case f.retries < 0:
		return errUsage("--retries %d: want 0 or more", f.retries)
	case f.timeout <= 0:
		return errUsage("--timeout %v: want more than 0", f.timeout)
	}
	return nil
}

// remote makes the way to registries that the flags ask for.
func (f *remoteFlags) remote(env *environment) (*bake.Remote, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	logger, err := f.logger(env.stderr)
	if err != nil {
		return nil, err
	}
	transport, err := f.transport(env)
	if err != nil {
		return nil, err
	}
	keychain, err := f.keychain(env)
	if err != nil {
		return nil, err
	}
	mirrors, err := f.mirrorsOf()
	if err != nil {
		return nil, err
	}
	return bake.NewRemote(bake.RemoteOptions{
		Keychain:  keychain,
		Transport: transport,
		Insecure:  f.insecure,
		Retries:   f.retriesOption(),
		Timeout:   f.timeout,
		Jobs:      f.jobs,
		UserAgent: "crane-bake/" + version(),
		Logger:    logger,
		Mirrors:   mirrors,
	}), nil
}

// retriesOption is --retries as the library has it, where 0 is the default.
func (f *remoteFlags) retriesOption() int {
	if f.retries == 0 {
		return -1
	}
	return f.retries
}

func (f *remoteFlags) logger(w io.Writer) (*slog.Logger, error) {
	if f.logFormat != "text" && f.logFormat != "json" {
		return nil, errUsage("--log-format %q: want text or json", f.logFormat)
	}
	level := slog.LevelInfo
	switch {
	case f.quiet:
		return slog.New(slog.DiscardHandler), nil
	case !f.verbose:
		level = slog.LevelWarn // what takes so long
	}
	opts := &slog.HandlerOptions{Level: level}
	switch {
	case f.logFormat == "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	case !f.verbose:
		return slog.New(noteHandler{w}), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}

// noteHandler writes warnings as notes for people.
type noteHandler struct{ w io.Writer }

func (noteHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (h noteHandler) WithAttrs([]slog.Attr) slog.Handler             { return h }
func (h noteHandler) WithGroup(string) slog.Handler                  { return h }

func (h noteHandler) Handle(_ context.Context, r slog.Record) error {
	text := "note: " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s %v", a.Key, a.Value)
		return true
	})
	_, err := fmt.Fprintln(h.w, printable(text))
	return err
}
