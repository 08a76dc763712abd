// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A container is what these tests read of a pod's.
type container struct {
	Command []string
	Args    []string
	Env     []struct{ Name, Value string }
	Mounts  []mount `yaml:"volumeMounts"`
}

type mount struct {
	Path string `yaml:"mountPath"`
}

// runContainer runs a container whose volumes are directories of the world of
// the same name, and which finds nothing else that it may write.
func (w *world) runContainer(t *testing.T, c container, values ...string) outcome {
	t.Helper()
	values = append(values, "registry.example.com", w.registry.Host)
	for _, m := range c.Mounts {
		values = append(values, "="+m.Path+"/", "="+filepath.Join(w.dir, m.Path)+"/")
	}
	fill := strings.NewReplacer(values...).Replace
	w.env = map[string]string{"TMPDIR": "/nonexistent"}
	for _, e := range c.Env {
		w.env[e.Name] = filepath.Join(w.dir, e.Value) // every variable is a volume
	}
	var args []string
	for _, arg := range c.Args {
		args = append(args, fill(arg))
	}
	if len(c.Command) > 0 && !slices.Equal(c.Command, []string{"crane-bake"}) {
		t.Fatalf("command %q", c.Command)
	}
	return w.run(t, "empty", filepath.Join(binaries, "crane-bake"), args...)
}

// newPodWorld is a world whose src is a volume at name, and which has an empty
// directory that is not to be written.
func newPodWorld(t *testing.T, name string) *world {
	t.Helper()
	return newPodWorldOn(t, startRegistry(t), name)
}

func newPodWorldOn(t *testing.T, registry *registryServer, name string) *world {
	t.Helper()
	w := newWorldOn(t, registry)
	w.login(t, "auth/config.json", w.registry)
	if err := os.Rename(filepath.Join(w.dir, "src"), filepath.Join(w.dir, name)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(w.dir, "empty"), 0o555); err != nil {
		t.Fatal(err)
	}
	return w
}
