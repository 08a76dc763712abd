// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
)

// files are what is baked: the example's five, and larger ones as rows need
// them.
type files struct{ dir string }

// small are the example's files, the model first.
var small = []string{"model.py3", "input.avsc", "output.avsc", "rest.json", "kafka.json"}

// newFiles copies the example's files to below dir.
func newFiles(dir string) (files, error) {
	f := files{filepath.Join(dir, "assets")}
	return f, f.copySmall(f.dir)
}

func (f files) copySmall(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range small {
		content, err := os.ReadFile(filepath.Join("examples", "scorer", name))
		if err != nil {
			return fmt.Errorf("run it in the repository: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// vary changes the model to that of a run: no registry has it already.
func (f files) vary(n int) error {
	model, err := os.ReadFile(filepath.Join("examples", "scorer", small[0]))
	if err != nil {
		return err
	}
	return os.WriteFile(f.path(small[0]), fmt.Appendf(model, "\n# run %d\n", n), 0o644)
}

func (f files) path(name string) string { return filepath.Join(f.dir, name) }

// make writes the file unless an earlier row did.
func (f files) make(name string, write func(io.Writer) error) (string, error) {
	path := f.path(name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	w, err := os.Create(path)
	if err != nil {
		return "", err
	}
	buffered := bufio.NewWriterSize(w, 1<<20)
	return path, errors.Join(write(buffered), buffered.Flush(), w.Close())
}

// noise is a file of bytes that no compressor shrinks.
func (f files) noise(name string, size int64) (string, error) {
	return f.make(name, func(w io.Writer) error {
		_, err := io.CopyN(w, rand.NewChaCha8([32]byte{1}), size)
		return err
	})
}

// jsonLines is a file of records as a scorer's reference data has them.
func (f files) jsonLines(name string, size int64) (string, error) {
	return f.make(name, func(w io.Writer) error {
		r := rand.New(rand.NewChaCha8([32]byte{2}))
		countries := []string{"DE", "FR", "GB", "IT", "NL", "US"}
		var record []byte
		for id := 0; size > 0; id++ {
			record = fmt.Appendf(record[:0],
				`{"id":%d,"customer":"c-%06d","country":%q,"age":%d,"utilization":%.4f,"debt_ratio":%.4f,"late_payments":%d,"open_lines":%d,"score":%.6f}`+"\n",
				id, r.IntN(1_000_000), countries[r.IntN(len(countries))], 18+r.IntN(70), r.Float64(), r.Float64(), r.IntN(4), r.IntN(12), r.Float64())
			record = record[:min(int64(len(record)), size)]
			size -= int64(len(record))
			if _, err := w.Write(record); err != nil {
				return err
			}
		}
		return nil
	})
}

// tarOf is the command that makes the tar that crane appends: of the five
// files, and of more.
func (f files) tarOf(to string, more ...string) command {
	args := []string{"tar", "-C", filepath.Dir(f.dir), "-cf", to}
	for _, name := range append(append([]string{}, small...), more...) {
		args = append(args, filepath.Join(filepath.Base(f.dir), name))
	}
	return command{args: args}
}

// smallTar is the tar of the five files.
func (f files) smallTar(ctx context.Context) (string, error) {
	to := f.dir + ".tar"
	args := f.tarOf(to).args
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("tar: %w\n%s", err, out)
	}
	return to, nil
}
