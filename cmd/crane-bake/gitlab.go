// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
)

// The parts of a Code Quality report that GitLab reads.
// https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
type (
	gitLabIssue struct {
		Description string         `json:"description"`
		CheckName   string         `json:"check_name"`
		Fingerprint string         `json:"fingerprint"`
		Severity    string         `json:"severity"` // info, minor, major, critical or blocker
		Location    gitLabLocation `json:"location"`
	}
	gitLabLocation struct {
		Path  string      `json:"path"`
		Lines gitLabLines `json:"lines"`
	}
	gitLabLines struct {
		Begin int `json:"begin"`
	}
)

// gitLabReport collects issues. The zero value is an empty report.
type gitLabReport struct {
	issues []gitLabIssue
	seen   map[[sha256.Size]byte]int
}

// add adds what name says of the file at line; 0 is unknown. GitLab compares the
// fingerprints of two commits to tell new issues from old ones, so the line,
// which moves with its neighbours, is not in it. It shows one issue a
// fingerprint, so what is said twice of a file has a number.
func (r *gitLabReport) add(name, severity, file string, line int, text, hint string) {
	if r.seen == nil {
		r.seen = map[[sha256.Size]byte]int{}
	}
	same := sha256.Sum256([]byte(name + "\x00" + file + "\x00" + text))
	r.seen[same]++
	fingerprint := same
	if n := r.seen[same]; n > 1 {
		fingerprint = sha256.Sum256(fmt.Appendf(same[:], "%d", n))
	}
	if hint != "" {
		text += ". " + hint
	}
	r.issues = append(r.issues, gitLabIssue{
		Description: printable(text),
		CheckName:   name,
		Fingerprint: hex.EncodeToString(fingerprint[:]),
		Severity:    severity,
		Location:    gitLabLocation{printable(file), gitLabLines{max(line, 1)}},
	})
}

func (r *gitLabReport) addFinding(f finding) {
	severity := map[engine.Severity]string{engine.Error: "critical", engine.Warning: "minor", engine.Note: "info"}[f.Severity]
	file := f.File
	if file == "" {
		file = "." // every issue needs a place
	}
	r.add(f.Rule, severity, file, f.Line, message(f), f.Hint)
}

func (r *gitLabReport) write(w io.Writer) error {
	if r.issues == nil {
		r.issues = []gitLabIssue{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r.issues)
}

// writeGitLab writes a Code Quality report, which GitLab shows beside the lines
// of a merge request.
func writeGitLab(w io.Writer, findings []finding, _ fs.FS) error {
	var r gitLabReport
	for _, f := range findings {
		r.addFinding(f)
	}
	return r.write(w)
}

// gitLabVerification is the report on an image. It has no place in a repository:
// what is in the image is named by its path there, the rest by the image.
func gitLabVerification(image string, found *bake.Verification, findings []finding) *gitLabReport {
	r := &gitLabReport{}
	for _, m := range found.Mismatches {
		file := image
		if strings.HasPrefix(m.Name, "/") {
			file = m.Name
		}
		r.add("mismatch", "blocker", file, 0, m.String(), "")
	}
	for _, f := range findings {
		if f.File == "" {
			f.File = image
		}
		r.addFinding(f)
	}
	return r
}

// fromRoot names files as GitLab does, from the root of the repository: what
// $CI_PROJECT_DIR says, else the directory above this one that has a .git.
// Outside of a repository, names stay as they are.
func fromRoot(env *environment, findings []finding) error {
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	root := env.getenv("CI_PROJECT_DIR")
	for dir := wd; root == ""; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			root = dir
		} else if dir == filepath.Dir(dir) {
			return nil
		}
	}
	for i := range findings {
		if name, ok := nameBelow(root, wd, findings[i].File); ok {
			findings[i].File = name
		}
	}
	return nil
}

// nameBelow is the name from root of a file that is named from dir. Links count as
// what they lead to: a runner's directories are often behind one.
func nameBelow(root, dir, file string) (string, bool) {
	if file == "" {
		return "", false
	}
	absolute := filepath.FromSlash(file)
	if !filepath.IsAbs(absolute) {
		absolute = filepath.Join(dir, absolute)
	}
	// Only the directory's links: a file is shown where it is named.
	if real, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		absolute = filepath.Join(real, filepath.Base(absolute))
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	name, err := filepath.Rel(root, absolute)
	if err != nil || !filepath.IsLocal(name) {
		return "", false
	}
	return path.Clean(filepath.ToSlash(name)), true
}
