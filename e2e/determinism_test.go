// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// The digests of what the tests bake, on any machine. Where goldenBase is
// right and another is not, crane-bake bakes the same files to other bytes than
// it did: users would push everything anew, and could not tell an image that
// was tampered with. That takes a reason and a line in the release notes.
const (
	goldenBase   = "sha256:3acf4f14ad957c76c0de0785da0f21b44045c716473a454807e934d013ece339"
	goldenScorer = "sha256:afbe993a4d693f9a54b71b4aae4ddfa9418b57658ea24e86af2134e1980f829f"
	goldenLookup = "sha256:ccc466c5e19b0cff26063b800bc400b2901885cf1c1aacd34d7adfc66731d6c6" // with a directory of 30 files, one of them large
)

func TestDigestIsTheSame(t *testing.T) {
	image := registrytest.BaseImage(t, registrytest.ImageOptions{})
	if digest, err := image.Digest(); err != nil || digest.String() != goldenBase {
		t.Fatalf("the base is %s, %v, want %s", digest, err, goldenBase)
	}
	cases := []circumstances{
		{name: "plain"},
		{name: "umask 077", umask: "077"},
		{name: "sources readable by their owner alone", mode: 0o600},
		{name: "sources writable by everybody", mode: 0o666},
		{name: "touched", mtime: time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)},
		{name: "touched before 1970", mtime: time.Date(1960, 1, 2, 3, 4, 5, 6, time.UTC)},
		{name: "another order of files", order: 1},
		{name: "yet another order of files", order: 2},
		{name: "east of Greenwich", env: []string{"TZ=Pacific/Kiritimati"}},
		{name: "west of Greenwich", env: []string{"TZ=America/St_Johns"}},
		{name: "another language", env: []string{"LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8"}},
		{name: "a home", env: []string{"HOME=/"}},
		{name: "one core", env: []string{"GOMAXPROCS=1"}},
		{name: "two cores", env: []string{"GOMAXPROCS=2"}},
		{name: "nine cores", env: []string{"GOMAXPROCS=9"}},
	}
	if os.Geteuid() == 0 {
		// Who is nobody else than himself is another user than root already.
		cases = append(cases, circumstances{name: "another user", user: 54321})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := sharedDir(t)
			writeLayout(t, filepath.Join(dir, "base"), "v1", image)
			openUp(t, dir)
			c.source(t, dir)
			if got := c.bake(t, dir); got != goldenScorer {
				t.Errorf("the example: digest %s, want %s", got, goldenScorer)
			}
			if got := c.bake(t, dir, "--asset", filepath.Join(dir, "lookup")); got != goldenLookup {
				t.Errorf("with a directory: digest %s, want %s", got, goldenLookup)
			}
		})
	}
}

// circumstances are what a digest must not depend on.
type circumstances struct {
	name  string
	umask string
	user  uint32
	env   []string
	mode  os.FileMode // of source files
	mtime time.Time   // of source files and directories
	order uint64      // seeds the order in which files are created
}

// source makes dir/scorer and dir/lookup.
func (c circumstances) source(t testing.TB, dir string) {
	t.Helper()
	copyScorer(t, dir)
	lookup := filepath.Join(dir, "lookup")
	if err := os.Mkdir(lookup, 0o755); err != nil {
		t.Fatal(err)
	}
	order := rand.New(rand.NewPCG(c.order, 0)).Perm(30)
	for _, i := range order {
		size := 100
		if i == 7 {
			size = 3 << 20 // several blocks of the compressor
		}
		content := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(content) // never fails
		name := filepath.Join(lookup, fmt.Sprintf("table-%c%d.csv", 'A'+i%3*32, i))
		if err := os.WriteFile(name, []byte(hex.EncodeToString(content)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tree := range []string{lookup, filepath.Join(dir, "scorer")} {
		entries, err := os.ReadDir(tree)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := filepath.Join(tree, e.Name())
			if c.mode != 0 {
				if err := os.Chmod(name, c.mode); err != nil {
					t.Fatal(err)
				}
			}
			if err := touch(name, c.mtime); err != nil {
				t.Fatal(err)
			}
		}
		if err := touch(tree, c.mtime); err != nil {
			t.Fatal(err)
		}
	}
}

func touch(name string, mtime time.Time) error {
	if mtime.IsZero() {
		return nil
	}
	return os.Chtimes(name, mtime, mtime)
}

// bake is the digest that the program reports of the example in dir.
func (c circumstances) bake(t testing.TB, dir string, flags ...string) string {
	t.Helper()
	out := sharedDir(t)
	if err := os.Chmod(out, 0o777); err != nil {
		t.Fatal(err)
	}
	args := slices.Concat([]string{
		craneBake, "build", "--quiet", "-f", filepath.Join(dir, "scorer", "bake.yaml"),
		"-b", "oci:" + filepath.Join(dir, "base") + ":v1", "-t", "oci:" + filepath.Join(out, "baked") + ":v1",
		"--digest-file", filepath.Join(out, "digest"),
	}, flags)
	if c.umask != "" {
		args = append([]string{"sh", "-c", "umask " + c.umask + ` && exec "$0" "$@"`}, args...)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + out}, c.env...)
	cmd.Dir = "/"
	if c.user != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.user, Gid: c.user}}
	}
	output(t, cmd)
	digest, err := os.ReadFile(filepath.Join(out, "digest"))
	if err != nil {
		t.Fatal(err)
	}
	if got := fromLayout(t, filepath.Join(out, "baked"), "v1"); got.digest.String() != string(digest) {
		t.Errorf("the layout has %s, the digest file %s", got.digest, digest)
	}
	return strings.TrimSpace(string(digest))
}

// sharedDir is a temporary directory that every user may enter, as those of
// testing.TB are not.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "crane-bake-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	openUp(t, dir)
	return dir
}

// openUp lets every user read all below dir.
func openUp(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(file string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(file, 0o755)
		}
		return os.Chmod(file, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
