// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a command took.
type usage struct {
	wall   time.Duration
	memory int64 // peak resident bytes of its largest process; 0 is not known
}

// then is the usage of commands that run one after the other.
func (u usage) then(next usage) usage {
	return usage{u.wall + next.wall, max(u.memory, next.memory)}
}

// command is a program run for measurement, with a home of its own.
type command struct {
	args []string
	env  []string // added to the lab's
	// watch is called every few milliseconds with the process's directory in
	// /proc; nil is not.
	watch func(proc string)
}

// home is a directory for what programs keep from run to run: caches, stores.
func (l *lab) home() (string, error) {
	home := filepath.Join(l.dir, "home")
	if err := os.MkdirAll(filepath.Join(home, "tmp"), 0o700); err != nil {
		return "", err
	}
	// Without credentials; buildah insists on the file.
	return home, os.WriteFile(filepath.Join(home, "config.json"), []byte("{}\n"), 0o600)
}

// timed runs a command and measures it as a whole process, start and end
// included. Caches are as the command finds them: see coldCache.
func (l *lab) timed(ctx context.Context, c command) (usage, error) {
	home, err := l.home()
	if err != nil {
		return usage{}, err
	}
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+filepath.Join(home, "tmp"), "XDG_RUNTIME_DIR="+home,
		"XDG_CACHE_HOME="+filepath.Join(home, "cache"), "XDG_CONFIG_HOME="+home, "DOCKER_CONFIG="+home, "REGISTRY_AUTH_FILE=")
	cmd.Env = append(cmd.Env, c.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	done := make(chan struct{})
	peak := make(chan int64)
	go func() { peak <- observe(cmd.Process.Pid, c.watch, done) }()
	err = cmd.Wait()
	u := usage{wall: time.Since(start)}
	close(done)
	u.memory = <-peak
	if err != nil {
		return u, fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return u, nil
}

// observe watches a process and returns its peak resident memory. What wait4
// reports is of no use: it counts this process's own memory before exec.
func observe(pid int, watch func(string), done <-chan struct{}) (peak int64) {
	proc := "/proc/" + strconv.Itoa(pid)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return peak
		case <-tick.C:
		}
		status, err := os.ReadFile(proc + "/status")
		if err != nil {
			continue // it is ending, or this is no Linux
		}
		_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
		if fields := bytes.Fields(after); len(fields) > 0 {
			kB, err := strconv.ParseInt(string(fields[0]), 10, 64)
			if err == nil {
				peak = max(peak, kB<<10)
			}
		}
		if watch != nil {
			watch(proc)
		}
	}
}

// coldCache forgets what crane-bake remembers from run to run.
func (l *lab) coldCache() error {
	return os.RemoveAll(filepath.Join(l.dir, "home", "cache"))
}
