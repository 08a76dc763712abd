// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// registryProcess is a running docker-registry.
type registryProcess struct {
	host, root string
	cmd        *exec.Cmd
}

// startRegistry runs docker-registry on loopback over files in dir.
func startRegistry(ctx context.Context, dir string) (*registryProcess, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &registryProcess{host: listener.Addr().String(), root: filepath.Join(dir, "root")}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", r.root, r.host)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	r.cmd = exec.Command("docker-registry", "serve", config)
	r.cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting docker-registry (scripts/install-peers installs it): %w", err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		res, err := http.Get("http://" + r.host + "/v2/")
		if err == nil {
			return r, res.Body.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("docker-registry does not answer: %w", err), r.stop())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (r *registryProcess) stop() error {
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	r.cmd.Wait() // it was told to end
	return nil
}

// clear empties the registry, and waits until the disk has caught up with what
// was written before: the next command shall not pay for it.
func (r *registryProcess) clear() error {
	err := os.RemoveAll(filepath.Join(r.root, "docker", "registry", "v2"))
	syscall.Sync()
	return err
}
