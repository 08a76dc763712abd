// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
)

// object is a JSON object whose members keep their bytes until they are
// changed, so that fields of a base that this package has never heard of
// survive a bake.
type object map[string]json.RawMessage

func (o object) get(key string, v any) error {
	raw, ok := o[key]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func (o object) set(key string, v any) error {
	raw, err := marshal(v)
	o[key] = raw
	return err
}

// marshal is json.Marshal without the escaping that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// baseConfig is the parts of an image config that a bake reads.
type baseConfig struct {
	raw     object
	config  object
	env     []string
	labels  map[string]string
	created string
	history []json.RawMessage
	diffIDs []v1.Hash
}

func parseConfig(raw []byte) (*baseConfig, error) {
	c := &baseConfig{config: object{}}
	if err := json.Unmarshal(raw, &c.raw); err != nil {
		return nil, err
	}
	if c.raw == nil {
		return nil, errors.New("it is null") // which is JSON, but no config
	}
	var rootfs struct {
		DiffIDs []v1.Hash `json:"diff_ids"`
	}
	for _, f := range []struct {
		from object
		key  string
		to   any
	}{{c.raw, "config", &c.config}, {c.raw, "created", &c.created}, {c.raw, "history", &c.history}, {c.raw, "rootfs", &rootfs}} {
		if err := f.from.get(f.key, f.to); err != nil {
			return nil, err
		}
	}
	if c.config == nil { // "config": null
		c.config = object{}
	}
	c.diffIDs = rootfs.DiffIDs
	if err := c.config.get("Env", &c.env); err != nil {
		return nil, err
	}
	return c, c.config.get("Labels", &c.labels)
}

// chainID identifies the stack of the base's layers.
func (c *baseConfig) chainID() string {
	ids := make([]digest.Digest, len(c.diffIDs))
	for i, d := range c.diffIDs {
		ids[i] = digest.Digest(d.String())
	}
	return identity.ChainID(ids).String()
}

// value is the value of an environment variable: the last one wins, as at exec.
func value(env []string, key string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], key+"="); ok {
			return v, true
		}
	}
	return "", false
}

// setEnv puts every KEY=VALUE of changes into env: in place of the first entry
// of that key, whose repetitions go, or at the end.
func setEnv(env, changes []string) ([]string, RecordedChange) {
	record := RecordedChange{Replaced: map[string]string{}}
	out := slices.Clone(env)
	for _, change := range changes {
		key, _, _ := strings.Cut(change, "=")
		record.Set = append(record.Set, key)
		if old, ok := value(env, key); ok {
			record.Replaced[key] = old
		}
		placed := false
		out = slices.DeleteFunc(out, func(e string) bool {
			k, _, _ := strings.Cut(e, "=")
			again := k == key && placed
			placed = placed || k == key
			return again
		})
		if i := slices.IndexFunc(out, func(e string) bool { return strings.HasPrefix(e, key+"=") || e == key }); i >= 0 {
			out[i] = change
		} else {
			out = append(out, change)
		}
	}
	slices.Sort(record.Set)
	return out, record
}

// bakedConfig is the config of one platform's image: the base's with the
// bake's environment, labels, layers and history.
func (p *Plan) bakedConfig(base *baseConfig, record Record) ([]byte, error) {
	out := maps.Clone(base.raw)
	config := maps.Clone(base.config)

	var err error
	env, change := setEnv(base.env, p.envFor(base))
	record.Env = change
	if p.spec.Created.IsZero() {
		record.Created = ""
	} else {
		record.Created = base.created
	}
	labels := maps.Clone(base.labels)
	if labels == nil {
		labels = map[string]string{}
	}
	record.Labels.Replaced = map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(p.spec.Labels)) {
		if old, ok := labels[k]; ok {
			record.Labels.Replaced[k] = old
		}
		record.Labels.Set = append(record.Labels.Set, k)
		labels[k] = p.spec.Labels[k]
	}
	record.Settings, err = p.spec.Settings.apply(config)
	if err != nil {
		return nil, err
	}
	text, err := record.encode()
	if err != nil {
		return nil, err
	}
	labels[RecordLabel] = text

	diffIDs := slices.Clone(base.diffIDs)
	for _, l := range p.layers {
		d, err := l.DiffID()
		if err != nil {
			return nil, err
		}
		diffIDs = append(diffIDs, d)
	}
	created := base.created
	if !p.spec.Created.IsZero() {
		created = p.spec.Created.UTC().Format(time.RFC3339)
	}
	sets := []struct {
		in  object
		key string
		v   any
	}{
		{config, "Env", env},
		{config, "Labels", labels},
		{out, "rootfs", v1.RootFS{Type: "layers", DiffIDs: diffIDs}},
		{out, "history", append(slices.Clone(base.history), p.history(base, created)...)},
	}
	if created != "" {
		sets = append(sets, struct {
			in  object
			key string
			v   any
		}{out, "created", created})
	}
	for _, s := range sets {
		if err := s.in.set(s.key, s.v); err != nil {
			return nil, err
		}
	}
	if err := out.set("config", config); err != nil {
		return nil, err
	}
	return marshal(out)
}

// envFor is the bake's environment on this base.
func (p *Plan) envFor(base *baseConfig) []string {
	prefix, _ := value(base.env, "CONNECT_PREFIX")
	return p.envOn(prefix)
}
