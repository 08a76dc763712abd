// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// recordFits reads the record and proves that it fits the image: the seam above
// all.
func (p *verifiedImage) recordFits() error {
	r, err := recordOf(p.config)
	p.out.Recorded = r != nil || err != nil
	switch {
	case errors.Is(err, errUponBake):
		p.record, p.upon = r, true
		for _, desc := range p.manifest.Layers[r.Base.Layers+len(r.Layers):] {
			p.differs("layer", desc.Digest.String(), "lies upon the bake, and the record does not tell of it")
		}
	case errors.Is(err, ErrIntegrity):
		p.lies = true
		p.differs("record", "", "%s", problem(err))
		return nil
	case err != nil:
		return err
	case r == nil:
		p.skipped = p.noRecord()
		return nil
	}
	p.record = r
	p.readHistory()
	if _, err := p.img.unbake(p.baseImage, r); err != nil {
		p.differs("record", "", "%v", err)
	}
	return nil
}

// configFits compares what the config says with the record.
func (p *verifiedImage) configFits() {
	p.bindingsFit()
	if !p.upon { // or else there is more history
		p.historyFits()
	}
}

// variables are the ones that bind files of a role.
var variables = map[Role]string{RoleModel: "MODEL", RoleSchema: "SCHEMAS", RoleStream: "STREAMS", RoleAttachment: "ATTACHMENTS"}

// bindingsFit wants every file of the record to be bound as what it was baked
// for. A binding that the record does not have is wrong too where it is to one
// of these files; others are to files of the base.
func (p *verifiedImage) bindingsFit() {
	bindings, _ := engine.Decode(p.config.env)
	bound := boundFiles(bindings)
	isBound := map[File]bool{}
	for _, f := range bound {
		isBound[f] = true
	}
	recorded := map[File]bool{}
	own := map[string]bool{}
	for _, a := range p.record.Assets {
		if variables[a.Role] == "" || a.Tree {
			continue
		}
		f := File{Role: a.Role, Name: a.Name, Path: a.Path}
		recorded[f], own[f.Path] = true, true
		if !isBound[f] {
			p.differs("variable", variables[a.Role], "does not bind %s to %s, which the record does", describe(a.Role, a.Name), a.Path)
		}
	}
	for _, f := range bound {
		if own[f.Path] && !recorded[f] {
			p.differs("variable", variables[f.Role], "binds %s to %s, which the record does not", describe(f.Role, f.Name), f.Path)
		}
	}
}

// readHistory reads what the history says of the layers upon the base, and of
// the environment.
func (p *verifiedImage) readHistory() {
	for _, raw := range p.config.history[p.record.Base.History:] {
		var h historyEntry
		if err := json.Unmarshal(raw, &h); err != nil {
			p.differs("history", "", "%v", err)
			continue
		}
		switch {
		case !h.EmptyLayer:
			p.layerHistory = append(p.layerHistory, h.CreatedBy)
		case strings.HasPrefix(h.CreatedBy, setBy(nil)):
			p.envHistory = h.CreatedBy
		}
	}
}

// historyFits compares the history with the record. Layers of other tools, of a
// bake that was rebased without a record, have histories of their own.
func (p *verifiedImage) historyFits() {
	r, layers := p.record, p.layerHistory
	own := slices.ContainsFunc(layers, func(by string) bool { return strings.HasPrefix(by, ownHistory) }) || p.envHistory != ""
	if len(r.Layers) > 0 && !own {
		return
	}
	if n := len(layers); n != len(r.Layers) && (n > 0 || len(r.Assets) > 0) {
		p.differs("history", "", "it has entries for %d layers upon the base, the record for %d", n, len(r.Layers))
		return
	}
	paths := map[string]bool{}
	for _, a := range r.Assets {
		paths[a.Path] = true
	}
	longestFirst := slices.SortedFunc(maps.Keys(paths), func(a, b string) int { return len(b) - len(a) })
	for i, by := range layers {
		if p.ownLayer(i) && !namesAssets(by, r.Layers[i], longestFirst) {
			p.differs("history", by, "the record has no such layer of %s", r.Layers[i])
		}
	}
	if want := setBy(inOrder(r.Env.Set)); p.envHistory != want && len(r.Env.Set) > 0 {
		p.differs("history", p.envHistory, "the record has %q", want)
	}
}

// inOrder is variables in their order in the image.
func inOrder(keys []string) []string {
	rest := slices.Sorted(slices.Values(keys))
	var out []string
	for _, k := range contractVariables {
		if i := slices.Index(rest, k); i >= 0 {
			out, rest = append(out, k), slices.Delete(rest, i, i+1)
		}
	}
	return append(out, rest...)
}

// ownLayer reports whether layer i of the bake was packed by this package, as
// its history says, so that the record lists its files.
func (p *verifiedImage) ownLayer(i int) bool {
	return i < len(p.layerHistory) && strings.HasPrefix(p.layerHistory[i], ownHistory)
}

var andMore = lazyregexp.New(`^and \d+ more$`)

// namesAssets reports whether a history is that of a layer of the class with
// files at paths, of which the longest come first: they may have spaces.
func namesAssets(by, class string, paths []string) bool {
	rest, ok := strings.CutPrefix(by, createdBy(class, nil))
	for named := 1; ok && rest != ""; named++ {
		if named > namedInHistory {
			return andMore().MatchString(rest)
		}
		ok = false
		for _, path := range paths {
			if after, found := strings.CutPrefix(rest, path); found && (after == "" || after[0] == ' ') {
				rest, ok = strings.TrimPrefix(after, " "), true
				break
			}
		}
	}
	return ok
}

// annotationsFit compares the manifest's annotations with the record.
func (p *verifiedImage) annotationsFit() {
	if isDocker(p.desc.MediaType) { // it was made one on the way, or put into an archive
		p.skipped = "Docker's media types have no annotations"
		return
	}
	r := p.record
	p.annotations("annotation", p.manifest.Annotations, r.Annotations, r.Base.Digest, p.differs)
}

// indexAnnotations compares the index's annotations with the records.
func (v *verifier) indexAnnotations() {
	for _, p := range v.platforms {
		if p.record == nil || p.record.Base.Index == nil || v.img.index == nil || isDocker(v.img.desc.MediaType) {
			continue
		}
		index := p.record.Base.Index
		p.annotations("index annotation", v.img.annotations, index.Annotations, index.Digest, func(part, name, format string, args ...any) {
			v.mismatch("", part, name, format, args...)
		})
	}
}

// annotations compares annotations with what the record says was set upon the
// base with the digest. A bake may give the base another name, which the record
// does not keep: that is noted.
func (p *verifiedImage) annotations(part string, got map[string]string, change RecordedChange, base v1.Hash, differs func(part, name, format string, args ...any)) {
	for _, k := range change.Set {
		value, ok := got[k]
		switch name := p.record.Base.Name; {
		case !ok && k == baseNameAnnotation && name == "": // of a base in a file
		case !ok:
			differs(part, k, "is not there; the record has it")
		case k == baseNameAnnotation && value != name:
			p.note("%s %s is %q; the record calls the base %q", part, k, value, name)
		case k == baseDigestAnnotation && value != base.String():
			differs(part, k, "is %q, the record says %q", value, base)
		}
	}
}
