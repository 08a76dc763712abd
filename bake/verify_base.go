// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// baseWait is how long the registry of a base may take to answer, retries
// included: an image is often verified where its base cannot be reached.
const baseWait = 30 * time.Second

// A readBase is the base that a record names, as far as it could be read.
type readBase struct {
	name   string // by digest
	image  *baseImage
	wrong  error // what its name stands for is no base
	absent error // it cannot be read here
}

// readBases reads manifests and configs of the bases that the records name.
func (v *verifier) readBases(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(v.remote.moving))
	for _, p := range v.platforms {
		if p.record == nil || p.record.Base.Name == "" {
			continue
		}
		g.Go(func() error {
			p.below = v.readBase(ctx, p.record.Base)
			return ctx.Err()
		})
	}
	return g.Wait()
}

// readBase reads the base that a record names, by its digest.
func (v *verifier) readBase(ctx context.Context, r RecordedBase) *readBase {
	out := &readBase{name: r.Name}
	loc, err := ParseLocation(r.Name, v.remote.insecure)
	if err == nil && !loc.registry() {
		err = errors.New("it is in no registry")
	}
	if err != nil {
		out.wrong = err
		return out
	}
	out.name = loc.withDigest(r.Digest.String())
	ctx, cancel := context.WithTimeoutCause(ctx, baseWait, fmt.Errorf("no answer within %s", baseWait))
	defer cancel()
	b, err := openUnread(ctx, "base", out.name, v.remote)
	if err != nil {
		out.wrong = err
		return out
	}
	defer b.Close() // was opened for reading only
	raw, err := b.readTop(ctx)
	if err == nil && !b.desc.MediaType.IsImage() {
		out.wrong = fmt.Errorf("it is no image of one platform: media type %q", b.desc.MediaType)
		return out
	}
	top := err
	if top == nil {
		err = b.readBelow(ctx, raw, nil, 1, func(int) {})
	}
	switch {
	case err == nil:
		out.image = b.images[0]
	case ctx.Err() != nil:
		out.absent = fmt.Errorf("%s: %w", out.name, context.Cause(ctx))
	case top == nil && isMismatch(err) && !isMissing(err):
		out.wrong = err
	default:
		out.absent = err
	}
	return out
}

// baseFits compares what is left of the image without its bake with the base
// that the record names: its layers, and its config but for what a bake adds.
func (p *verifiedImage) baseFits() error {
	switch {
	case p.record == nil:
		p.skipped = p.noRecord()
		return nil
	case p.below == nil:
		p.skipped = "the record names no base in a registry"
		p.note("%s: what is not of the bake was not compared with it", p.skipped)
		return nil
	case p.below.absent != nil:
		p.skipped = "the base cannot be read: " + p.below.absent.Error()
		p.note("the base cannot be read, and was not compared: %v", p.below.absent)
		return nil
	case p.below.wrong != nil:
		p.differs("base", p.below.name, "%s", problem(p.below.wrong))
		return nil
	}
	was, err := unbakedConfig(p.config, p.record)
	if err != nil {
		p.skipped = "its record does not fit" // which was said
		return nil
	}
	p.baseLayersFit(p.below.image, was)
	if p.upon { // another tool wrote the config
		return nil
	}
	p.baseVariablesFit(p.below.image.config.env, was.env)
	p.baseSettingsFit(p.below.image.config, was)
	return nil
}

// baseLayersFit compares the layers below the bake, and their history. The
// layers of docker save have digests of the archive's making.
func (p *verifiedImage) baseLayersFit(base *baseImage, was *baseConfig) {
	want, got := base.manifest.Layers, p.manifest.Layers[:p.record.Base.Layers]
	if len(want) != len(got) {
		p.differs("base", p.below.name, "it has %d layers, the record says %d", len(want), len(got))
		return
	}
	_, saved := p.img.source.(*dockerSource)
	for i, desc := range got {
		switch {
		case !saved && desc.Digest != want[i].Digest:
			p.differs("base layer", desc.Digest.String(), "layer %d of the base is %s", i+1, want[i].Digest)
		case was.diffIDs[i] != base.config.diffIDs[i]:
			p.differs("base layer", desc.Digest.String(), "its config says that it is %s, that of the base %s", was.diffIDs[i], base.config.diffIDs[i])
		}
	}
	if saved {
		p.note("an archive of docker save does not keep the digests of layers: those of the base were compared by its config")
	}
	if !slices.EqualFunc(was.history, base.config.history, equalJSON) {
		p.differs("history", "", "that of the base is another")
	}
}

// baseVariablesFit compares the environment without the bake with the base's.
// Values are not shown: they may be secrets.
func (p *verifiedImage) baseVariablesFit(base, was []string) {
	all := countKeys(p.config.env)
	for _, key := range p.record.Env.Set {
		if all[key] > 1 {
			p.differs("variable", key, "is set %d times, by the bake once", all[key])
		}
	}
	p.compareMaps("variable", envMap(base), envMap(was))
	before, after := countKeys(base), countKeys(was)
	for _, key := range sortedKeys(after) {
		// Of one that the bake sets it leaves one.
		if !slices.Contains(p.record.Env.Set, key) && before[key] > 0 && after[key] > before[key] {
			p.differs("variable", key, "is set %d times, in the base %d", after[key], before[key])
		}
	}
}

// countKeys is how often each variable is in an environment.
func countKeys(env []string) map[string]int {
	n := map[string]int{}
	for _, e := range env {
		key, _, _ := strings.Cut(e, "=")
		n[key]++
	}
	return n
}

// compareMaps compares variables or labels without the bake with the base's.
func (p *verifiedImage) compareMaps(part string, base, was map[string]string) {
	for _, key := range unionKeys(base, was) {
		want, had := base[key]
		got, has := was[key]
		switch {
		case !had:
			p.differs(part, key, "is set, neither by the base nor by the bake")
		case !has:
			p.differs(part, key, "is not set, which the base does")
		case got != want:
			p.differs(part, key, "has another value than in the base, and the bake did not set it")
		}
	}
}

func unionKeys[V any](a, b map[string]V) []string {
	all := map[string]V{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

// baseSettingsFit compares everything else in the configs.
func (p *verifiedImage) baseSettingsFit(base, was *baseConfig) {
	p.compareMaps("label", base.labels, was.labels)
	if base.created != was.created {
		p.differs("config", "created", "is %q without the bake, in the base %q", was.created, base.created)
	}
	compare := func(part string, base, was object, apart ...string) {
		for _, key := range unionKeys(base, was) {
			if !slices.Contains(apart, key) && !equalJSON(base[key], was[key]) {
				p.differs(part, key, "is %s without the bake, in the base %s", shortJSON(was[key]), shortJSON(base[key]))
			}
		}
	}
	compare("config", base.raw, was.raw, "config", "created", "history", "rootfs")
	compare("setting", base.config, was.config, "Env", "Labels")
}

// equalJSON reports whether two values say the same; a member that is not there
// is null.
func equalJSON(a, b json.RawMessage) bool {
	x, errX := plainJSON(a)
	y, errY := plainJSON(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func plainJSON(raw json.RawMessage) (v any, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// shortJSON is a value for an error: entrypoints may be scripts.
func shortJSON(raw json.RawMessage) string {
	const most = 80
	switch {
	case len(raw) == 0:
		return "null"
	case len(raw) > most:
		return strings.ToValidUTF8(string(raw[:most]), "") + "…"
	}
	return string(raw)
}
