// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"maps"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// values compares variables, labels, annotations and settings: those that the
// bakes set, where both records tell which these are; otherwise all that the
// images have.
func (c *comparison) values() error {
	var of [2]values
	for i, side := range c.sides {
		var err error
		if c.recorded() {
			of[i] = side.baked()
		} else if of[i], err = side.img.values(); err != nil {
			return &sideError{side.side, err}
		}
	}
	a, b := of[0], of[1]
	c.out.Env = mapChanges(a.env, b.env)
	c.out.Labels = mapChanges(a.labels, b.labels)
	c.out.Annotations = mapChanges(a.annotations, b.annotations)
	c.out.Settings = mapChanges(a.settings, b.settings)
	return nil
}

// recorded reports whether both sides have a record of all of their bake.
func (c *comparison) recorded() bool {
	return c.sides[0].what.Recorded && c.sides[1].what.Recorded
}

// unrecorded is why a side is not Recorded.
func (s comparedSide) unrecorded() string {
	if _, labelled := s.img.config.labels[RecordLabel]; labelled {
		return "has layers upon its bake, of which its record does not tell"
	}
	return "has no record of a bake"
}

// baked is what the bake set.
func (s comparedSide) baked() values {
	return values{withoutContract(s.what.Env.Set), s.what.Labels.Set, s.what.Annotations.Set, texts(s.what.Settings)}
}

// values is what an image sets, by kind: settings are the other members of its
// config as JSON.
type values struct{ env, labels, annotations, settings map[string]string }

// values is all that the image sets, whoever set it, but for what crane-bake
// and the engine contract have their own words for.
func (img *baseImage) values() (values, error) {
	config := img.config
	v := values{withoutContract(envMap(config.env)), maps.Clone(config.labels), maps.Clone(img.manifest.Annotations), map[string]string{}}
	delete(v.labels, RecordLabel)
	delete(v.annotations, baseNameAnnotation)
	delete(v.annotations, baseDigestAnnotation)
	for key, raw := range config.config {
		if key == "Env" || key == "Labels" || leftover[key] || sameJSON(raw, nil) {
			continue
		}
		value, err := plainJSON(raw)
		if err != nil {
			return v, err
		}
		one, err := json.Marshal(value) // whatever their tools' way to write it
		if err != nil {
			return v, err
		}
		v.settings[key] = string(one)
	}
	return v, nil
}

// leftOut is a note on what of an image without a record is taken for its
// base's; empty where that is nothing.
func (img *baseImage) leftOut() (string, error) {
	v, err := img.values()
	if err != nil {
		return "", err
	}
	var parts []string
	for _, kind := range []struct {
		what string
		of   map[string]string
	}{{"variables", v.env}, {"labels", v.labels}, {"annotations", v.annotations}, {"settings", v.settings}} {
		if len(kind.of) > 0 {
			parts = append(parts, kind.what+" "+strings.Join(sortedKeys(kind.of), ", "))
		}
	}
	if len(parts) == 0 {
		return "", nil
	}
	return "left out, since nobody recorded whether they are the base's: " + strings.Join(parts, "; "), nil
}

// withoutContract is variables without those of the engine contract, which are
// compared as bindings.
func withoutContract(env map[string]string) map[string]string {
	env = maps.Clone(env)
	for _, k := range contractVariables {
		delete(env, k)
	}
	return env
}

func texts(m map[string]json.RawMessage) map[string]string {
	out := map[string]string{}
	for k, raw := range m {
		out[k] = string(raw)
	}
	return out
}

// base compares the bases, where both are known.
func (c *comparison) base() {
	a, b := c.sides[0].what.Base, c.sides[1].what.Base
	for i, base := range []InspectedBase{a, b} {
		if base.Name == "" && base.Digest == nil {
			c.difference.note("%s does not tell what it was made of: the bases were not compared", c.sides[i].location)
			return
		}
	}
	if !sameBase(a, b) {
		c.out.Base = &BaseChange{a, b}
	}
}

// sameBase compares bases by digest, where both are known. What an image
// without a record calls its base may be the index.
func sameBase(a, b InspectedBase) bool {
	if a.Digest == nil || b.Digest == nil {
		return a.Digest == b.Digest && a.Name == b.Name
	}
	is := func(digest, other *v1.Hash) bool { return digest != nil && *digest == *other }
	same := is(a.Digest, b.Digest) || is(a.Index, b.Digest) || is(b.Index, a.Digest)
	return same && a.Name == b.Name
}
