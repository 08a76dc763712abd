// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A verifier is one run of Verify.
type verifier struct {
	img       *Base
	remote    *Remote
	platforms []*verifiedImage
	bound     map[string]bool // in-image paths that any platform binds

	mu         sync.Mutex // of all below
	layers     map[v1.Hash]*readLayer
	sizes      map[v1.Hash]blobSize
	mismatches []Mismatch
	findings   []engine.Finding
	found      map[engine.Finding]bool // what findings has
	notes      []string
}

// verifiedImage is one platform of a verifier.
type verifiedImage struct {
	*verifier
	*baseImage
	out    VerifiedPlatform
	record *Record        // nil without one that fits
	lies   bool           // there is a record, and it does not fit
	upon   bool           // there are layers upon the bake
	view   view           // of an image without a record
	unread bool           // a layer of the bake could not be read
	below  *readBase      // that the record names; nil where it names none
	assets []RecordedFile // that were compared

	// What the history says of the layers upon the base and the environment.
	layerHistory []string
	envHistory   string

	// Of the check that runs: whether it failed, and why it is not made.
	failed  bool
	skipped string
}

// mismatch notes that something is not as it is said to be; platform may be
// empty.
func (v *verifier) mismatch(platform, part, name, format string, args ...any) {
	m := Mismatch{Platforms: []string{}, Part: part, Name: name, Problem: fmt.Sprintf(format, args...)}
	if platform != "" {
		m.Platforms = append(m.Platforms, platform)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mismatches = append(v.mismatches, m)
}

// merged is the mismatches, those that platforms share once.
func (v *verifier) merged() []Mismatch {
	out := []Mismatch{}
	seen := map[[3]string]int{}
	for _, m := range v.mismatches {
		key := [3]string{m.Part, m.Name, m.Problem}
		i, again := seen[key]
		if !again {
			seen[key] = len(out)
			out = append(out, m)
			continue
		}
		for _, p := range m.Platforms {
			if !slices.Contains(out[i].Platforms, p) {
				out[i].Platforms = append(out[i].Platforms, p)
			}
		}
	}
	return out
}

func (v *verifier) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(v.notes, n) {
		v.notes = append(v.notes, n)
	}
}

// read reads manifests and configs. Images of an index that are not what the
// index says are left out.
func (v *verifier) read(ctx context.Context, chosen []v1.Platform) error {
	v.img.spare = func(entry v1.Descriptor, err error) error {
		if ctx.Err() != nil || !isMismatch(err) {
			return err
		}
		platform := ""
		if entry.Platform != nil {
			platform = entry.Platform.String()
		}
		v.mismatch(platform, "manifest", entry.Digest.String(), "%s", problem(err))
		return nil
	}
	err := v.img.read(ctx, chosen, cap(v.remote.moving), func(int) {})
	if err != nil && len(v.mismatches) == 0 {
		return err
	}
	if err != nil && !errors.Is(err, ErrNotFound) { // because images were left out
		return err
	}
	slices.SortFunc(v.mismatches, func(a, b Mismatch) int { return strings.Compare(a.Name, b.Name) })
	v.notes = append(v.notes, v.img.notes...)
	v.bound = map[string]bool{}
	for _, one := range v.img.images {
		p := &verifiedImage{verifier: v, baseImage: one}
		p.out = VerifiedPlatform{Platform: one.platform.String(), Digest: one.desc.Digest, Checks: []VerifiedCheck{}}
		bindings, _ := engine.Decode(one.config.env)
		for _, f := range boundFiles(bindings) {
			v.bound[f.Path] = true
		}
		v.platforms = append(v.platforms, p)
	}
	if len(v.platforms) > 0 && !slices.ContainsFunc(v.platforms, (*verifiedImage).baked) {
		return errNothingBaked()
	}
	return nil
}

// baked reports whether something is baked into the image, as far as its config
// tells.
func (p *verifiedImage) baked() bool {
	_, recorded := p.config.labels[RecordLabel]
	return recorded || len(contractEnv(envMap(p.config.env))) > 0
}

// images verifies every platform's image.
func (v *verifier) images(ctx context.Context) error {
	for _, p := range v.platforms {
		if err := p.before(); err != nil {
			return fmt.Errorf("platform %s: %w", p.out.Platform, err)
		}
	}
	v.indexAnnotations()
	v.noteUnrecorded()
	// Everything that records name is read side by side.
	var ahead []v1.Descriptor
	for _, p := range v.platforms {
		if p.record != nil {
			ahead = append(ahead, p.own()...)
		}
	}
	g, reading := errgroup.WithContext(ctx)
	g.Go(func() error { return v.readAhead(reading, ahead) })
	g.Go(func() error { return v.readBases(reading) })
	if err := g.Wait(); err != nil {
		return err
	}
	for _, p := range v.platforms {
		if err := p.after(ctx); err != nil {
			return fmt.Errorf("platform %s: %w", p.out.Platform, err)
		}
	}
	return nil
}

// noteUnrecorded says which images have no record.
func (v *verifier) noteUnrecorded() {
	var without []string
	for _, p := range v.platforms {
		if !p.out.Recorded {
			without = append(without, p.out.Platform)
		}
	}
	switch len(without) {
	case 0:
	case len(v.platforms):
		v.note("no record of a bake: its assets cannot be compared")
	default:
		v.note("no record of a bake for %s: its assets cannot be compared", strings.Join(without, ", "))
	}
}

// check makes one check and notes how it went.
func (p *verifiedImage) check(name string, do func() error) error {
	p.failed, p.skipped = false, ""
	if err := do(); err != nil {
		return err
	}
	c := VerifiedCheck{Check: name, Result: CheckPassed}
	switch {
	case p.failed:
		c.Result = CheckFailed
	case p.skipped != "":
		c.Result, c.Reason = CheckSkipped, p.skipped
	}
	p.out.Checks = append(p.out.Checks, c)
	return nil
}

// differs notes a mismatch of this platform.
func (p *verifiedImage) differs(part, name, format string, args ...any) {
	p.failed = true
	p.mismatch(p.out.Platform, part, name, format, args...)
}

// before is the checks for which no layer is read.
func (p *verifiedImage) before() error {
	if err := p.check("manifest", p.platformAgrees); err != nil {
		return err
	}
	if err := p.check("record", p.recordFits); err != nil {
		return err
	}
	noRecord := func(do func()) func() error {
		return func() error {
			if p.record == nil {
				p.skipped = p.noRecord()
			} else {
				do()
			}
			return nil
		}
	}
	if err := p.check("config", noRecord(p.configFits)); err != nil {
		return err
	}
	return p.check("annotations", noRecord(p.annotationsFit))
}

// noRecord says why nothing is compared with a record.
func (p *verifiedImage) noRecord() string {
	if p.lies {
		return "its record does not fit"
	}
	return "it has no record of a bake"
}

// platformAgrees compares the index with the config: that an entry has the
// digest, size and media type of its manifest is settled when it is read.
func (p *verifiedImage) platformAgrees() error {
	var config v1.Platform
	for key, to := range map[string]*string{"os": &config.OS, "architecture": &config.Architecture, "variant": &config.Variant} {
		if err := p.config.raw.get(key, to); err != nil {
			p.differs("config", p.manifest.Config.Digest.String(), "%v", err)
		}
	}
	want := p.baseImage.platform
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	if p.entry != nil && (differ(config.OS, want.OS) || differ(config.Architecture, want.Architecture) || differ(config.Variant, want.Variant)) {
		p.differs("platform", want.String(), "its image %s is for %s", p.desc.Digest, config)
	}
	if !p.baked() {
		p.differs("platform", p.out.Platform, "nothing is baked into it, unlike the others")
	}
	return nil
}

// after is the checks for which layers are read.
func (p *verifiedImage) after(ctx context.Context) error {
	if err := p.check("layers", func() error { return p.layersMatch(ctx) }); err != nil {
		return err
	}
	if err := p.check("base layers", func() error { return p.baseIsThere(ctx) }); err != nil {
		return err
	}
	if err := p.check("base", p.baseFits); err != nil {
		return err
	}
	if err := p.check("assets", p.assetsMatch); err != nil {
		return err
	}
	return p.check("contract", p.contractHolds)
}
