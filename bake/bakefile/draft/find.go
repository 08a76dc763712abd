// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// Bounds on what is looked at: a directory for one bake is small, and one that
// is not was probably not meant.
const (
	maxEntries = 10_000
	maxDepth   = 3        // directories below the one that is drafted
	maxContent = 16 << 20 // bytes of a model, schema or descriptor
)

// A file is one file that was found, and what it shows of itself.
type file struct {
	name  string // in the file system
	depth int    // directories between it and the drafted one

	content []byte             // of a model, schema or descriptor
	model   engine.ModelSurvey // of a model
	broken  bool               // of a model: the check finds errors in it
	survey  engine.FileSurvey  // of a schema or descriptor
}

func (f *file) stem() string { return stem(f.name) }

func stem(name string) string {
	base := path.Base(name)
	return strings.TrimSuffix(base, path.Ext(base))
}

func (f *file) namesSchemas() bool {
	return slices.ContainsFunc(f.model.Slots, func(s engine.SlotSurvey) bool { return s.Schema != "" })
}

// findings are the files of a directory by the part that they can play, each
// kind in order of name.
type findings struct {
	models, schemas, streams, archives []*file
	others                             []*file // data, modules and the like
}

type finder struct {
	*findings
	fsys fs.FS
	dir  string
	seen int
}

func find(fsys fs.FS, dir string) (*findings, error) {
	d := &finder{findings: &findings{}, fsys: fsys, dir: path.Clean(dir)}
	return d.findings, fs.WalkDir(fsys, d.dir, d.visit)
}

func (d *finder) visit(name string, entry fs.DirEntry, err error) error {
	switch {
	case err != nil && name == d.dir:
		return err
	case name == d.dir:
		if !entry.IsDir() {
			return &fs.PathError{Op: "open", Path: name, Err: errors.New("not a directory")}
		}
		return nil
	}
	if d.seen++; d.seen > maxEntries {
		return fmt.Errorf("more than %d files: name the directory of one bake", maxEntries)
	}
	skip := err != nil || unspeakable(entry.Name()) || private(entry.Name())
	if entry.IsDir() {
		if skip || d.depth(name) >= maxDepth || slices.Contains(foreign, entry.Name()) || d.hasBakeFile(name) {
			return fs.SkipDir
		}
		return nil
	}
	if skip || housekeeping(entry.Name()) {
		return nil
	}
	info, err := fs.Stat(d.fsys, name) // through symbolic links
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	d.sort(&file{name: name, depth: d.depth(name)}, info.Size())
	return nil
}

// depth is how many directories lie between name and the drafted one.
func (d *finder) depth(name string) int {
	if d.dir != "." {
		name = strings.TrimPrefix(name, d.dir+"/")
	}
	return strings.Count(name, "/")
}

func (d *finder) hasBakeFile(dir string) bool {
	_, err := fs.Stat(d.fsys, path.Join(dir, "bake.yaml"))
	return err == nil
}

// sort puts a file among those of its kind.
func (d *finder) sort(f *file, size int64) {
	if isArchive(f.name) && !strings.Contains(f.name, "${") { // which keys may not have
		d.archives = append(d.archives, f)
		return
	}
	ext := path.Ext(f.name)
	empty, _ := engine.SurveyModel(f.name, nil)
	if empty.Runner == "" && ext != ".avsc" || size > maxContent || !d.read(f) {
		d.others = append(d.others, f)
		return
	}
	if ext == ".avsc" || ext == ".json" {
		f.survey = engine.SurveyFile(f.content)
	}
	var errs []string // rules
	var found []engine.Finding
	f.model, found = engine.SurveyModel(f.name, f.content)
	for _, x := range found {
		if x.Severity == engine.Error {
			errs = append(errs, x.Rule)
		}
	}
	f.broken = len(errs) > 0
	switch {
	case f.survey.Kind == engine.StreamFile:
		d.streams = append(d.streams, f)
	case f.survey.Kind == engine.SchemaFile, ext == ".avsc":
		d.schemas = append(d.schemas, f)
	case ext == ".json" && f.survey.Kind != engine.PFAFile, ext == ".yaml" && slices.Contains(errs, "M-11"):
		d.others = append(d.others, f) // data or settings
	default:
		d.models = append(d.models, f)
	}
}

func (d *finder) read(f *file) bool {
	r, err := d.fsys.Open(f.name)
	if err != nil {
		return false
	}
	f.content, err = io.ReadAll(io.LimitReader(r, maxContent+1))
	return errors.Join(err, r.Close()) == nil && len(f.content) <= maxContent
}

// isArchive tells whether a bake can unpack the file.
func isArchive(name string) bool {
	return slices.ContainsFunc([]string{".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst"}, func(ext string) bool { return strings.HasSuffix(name, ext) })
}

// foreign are directories of other tools.
var foreign = []string{"__pycache__", "node_modules", "venv"}

// unspeakable names are hidden, or cannot be written in a bake file on one
// line. There, "c:x" is a path on another drive.
func unspeakable(name string) bool {
	return len(name) > 1 && name[1] == ':' || strings.HasPrefix(name, ".") || strings.Contains(name, `\`) || !utf8.ValidString(name) ||
		strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

var privateName = lazyregexp.New(`(?i)(^id_(rsa|dsa|ecdsa|ed25519)|secret|credential|passw(or)?d|^kubeconfig)|\.(pem|key|p12|pfx|jks|keytab|kdbx|env|netrc)$`)

// private tells whether a file is likely to hold secrets. It is not even
// mentioned: a suggestion would be taken.
func private(name string) bool { return privateName().MatchString(name) }

var housekeepingName = lazyregexp.New(`(?i)^(readme|licen[sc]e|notice|changelog|makefile|(docker|container|jenkins)file)(\..*)?$|\.dockerfile$|^(bake|(docker-)?compose)\.ya?ml$|~$|\.(swp|bak|pyc)$`)

// housekeeping are files about the bake, not for it.
func housekeeping(name string) bool { return housekeepingName().MatchString(name) }
