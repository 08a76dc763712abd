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

// chainID identifies a stack of layers.
func chainID(diffIDs []v1.Hash) string {
	ids := make([]digest.Digest, len(diffIDs))
	for i, d := range diffIDs {
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

// envMap is an environment by name; of repetitions the last one wins.
func envMap(env []string) map[string]string {
	m := map[string]string{}
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		m[k] = v
	}
	return m
}

// setEnv puts every KEY=VALUE of changes into env: in place of the first entry
// of that key, whose repetitions go, or at the end.
func setEnv(env, changes []string) ([]string, RecordedChange) {
	var record RecordedChange
	was := envMap(env)
	out := slices.Clone(env)
	for _, change := range changes {
		key, _, _ := strings.Cut(change, "=")
		record.note(key, was)
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

// unsetEnv is env without what setEnv put there.
func unsetEnv(env []string, change RecordedChange) []string {
	var out []string
	for _, e := range env {
		key, _, _ := strings.Cut(e, "=")
		old, replaced := change.Replaced[key]
		switch {
		case replaced:
			out = append(out, key+"="+old)
		case !slices.Contains(change.Set, key):
			out = append(out, e)
		}
	}
	return out
}

// configOn is the config of the patched image: base's with the patch's
// environment, labels, layers and history. The record gets what that replaces.
func (pt patch) configOn(base *baseConfig, record *Record) ([]byte, error) {
	out := maps.Clone(base.raw)
	config := maps.Clone(base.config)

	prefix, _ := value(base.env, "CONNECT_PREFIX")
	changed := pt.envOn(prefix)
	env, change := setEnv(base.env, changed)
	record.Env = change
	created := base.created
	if !pt.created.IsZero() {
		record.Created = &base.created
		created = pt.created.UTC().Format(time.RFC3339)
	}
	var labels map[string]string
	labels, record.Labels = changeMap(base.labels, pt.labels)
	if old, nested := base.labels[RecordLabel]; nested {
		// The base was built upon an image that was baked.
		record.Labels.Replaced = maps.Clone(record.Labels.Replaced)
		if record.Labels.Replaced == nil {
			record.Labels.Replaced = map[string]string{}
		}
		record.Labels.Replaced[RecordLabel] = old
	}
	var err error
	if record.Settings, err = pt.settings.apply(config); err != nil {
		return nil, err
	}
	if labels[RecordLabel], err = record.encode(); err != nil {
		return nil, err
	}
	diffIDs := slices.Clone(base.diffIDs)
	for _, l := range pt.layers {
		d, err := l.DiffID()
		if err != nil {
			return nil, err
		}
		diffIDs = append(diffIDs, d)
	}
	if created != "" {
		if err := out.set("created", created); err != nil {
			return nil, err
		}
	}
	for _, s := range []struct {
		in  object
		key string
		v   any
	}{
		{config, "Env", env},
		{config, "Labels", labels},
		{out, "rootfs", v1.RootFS{Type: "layers", DiffIDs: diffIDs}},
		{out, "history", append(slices.Clone(base.history), pt.historyOn(created, changed)...)},
		{out, "config", config},
	} {
		if err := s.in.set(s.key, s.v); err != nil {
			return nil, err
		}
	}
	return marshal(out)
}
