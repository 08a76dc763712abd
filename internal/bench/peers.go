// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// tools are the programs that are measured.
type tools struct{ crane, own string }

func buildTools(ctx context.Context, bin string) (tools, error) {
	for _, args := range [][]string{{"install", craneModule}, {"build", "-trimpath", "-o", filepath.Join(bin, "crane-bake"), "./cmd/crane-bake"}} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "GOBIN="+bin, "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return tools{}, fmt.Errorf("go %v: %w\n%s", args, err, out)
		}
	}
	return tools{filepath.Join(bin, "crane"), filepath.Join(bin, "crane-bake")}, nil
}

// registryProcess is a running docker-registry.
type registryProcess struct {
	host, root string
	cmd        *exec.Cmd
}

func startRegistry(ctx context.Context, dir string) (*registryProcess, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &registryProcess{host: listener.Addr().String(), root: filepath.Join(dir, "registry")}
	if err := listener.Close(); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "registry.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", r.root, r.host)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	r.cmd = exec.Command("docker-registry", "serve", config)
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

// dropBlobs empties the registry between runs with big blobs.
func (r *registryProcess) dropBlobs() error {
	return os.RemoveAll(filepath.Join(r.root, "docker", "registry", "v2"))
}

// pushBase pushes a base of ten layers of 300 kB.
func pushBase(ctx context.Context, host string) error {
	ref, err := name.NewTag(host + "/base/engine:ten")
	if err != nil {
		return err
	}
	img := v1.Image(empty.Image)
	for i := range int64(10) {
		l, err := random.Layer(300_000, "application/vnd.docker.image.rootfs.diff.tar.gzip", random.WithSource(rand.NewSource(i)))
		if err != nil {
			return err
		}
		if img, err = mutate.AppendLayers(img, l); err != nil {
			return err
		}
	}
	return remote.Write(ref, img, remote.WithContext(ctx))
}

// assets is what is baked.
type assets struct {
	dir, smallTar, big, bigTar string
}

func writeAssets(dir string, size int64) (assets, error) {
	a := assets{dir: filepath.Join(dir, "assets"), smallTar: filepath.Join(dir, "small.tar"), bigTar: filepath.Join(dir, "big.tar")}
	a.big = filepath.Join(a.dir, "big.bin")
	if err := os.Mkdir(a.dir, 0o755); err != nil {
		return a, err
	}
	for _, f := range []string{"model.py3", "input.avsc", "output.avsc", "rest.json", "kafka.json"} {
		content, err := os.ReadFile(filepath.Join("examples", "scorer", f))
		if err != nil {
			return a, fmt.Errorf("run it in the repository: %w", err)
		}
		if err := os.WriteFile(filepath.Join(a.dir, f), content, 0o644); err != nil {
			return a, err
		}
	}
	if out, err := exec.Command("tar", "-C", dir, "-cf", a.smallTar, "assets").CombinedOutput(); err != nil {
		return a, fmt.Errorf("tar: %w\n%s", err, out)
	}
	f, err := os.Create(a.big)
	if err != nil {
		return a, err
	}
	_, err = io.CopyN(f, cryptorand.Reader, size)
	return a, errors.Join(err, f.Close())
}

// makeTar makes the tar of the big asset that crane appends.
func (a assets) makeTar(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	out, err := exec.CommandContext(ctx, "tar", "-C", filepath.Dir(a.dir), "-cf", a.bigTar, "assets").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("tar: %w\n%s", err, bytes.TrimSpace(out))
	}
	return time.Since(start), err
}

func (a assets) craneArgs(base, dst string) []string {
	return []string{
		"mutate", base, "--append", a.smallTar, "-t", dst,
		"-e", "MODEL=/assets/model.py3", "-e", "SCHEMAS=inputsch:/assets/input.avsc;outputsch:/assets/output.avsc",
		"-e", "STREAMS=0:/assets/rest.json;1:/assets/kafka.json", "-e", "CONNECT_PREFIX=https://connect:8001",
	}
}

func (a assets) ownArgs(base, dst string) []string {
	in := func(f string) string { return filepath.Join(a.dir, f) }
	return []string{
		"build", "-b", base, "-t", dst, "-m", in("model.py3"), "-s", "inputsch=" + in("input.avsc"), "-s", "outputsch=" + in("output.avsc"),
		"--stream", "0=" + in("rest.json"), "--stream", "1=" + in("kafka.json"),
	}
}
