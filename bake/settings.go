// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"maps"
	"slices"
)

// settingsChange is what a bake does to members of an image's config that the
// engine contract does not speak of.
type settingsChange struct {
	members map[string]json.RawMessage // to set; null removes
	added   map[string][]string        // to members that are sets: ExposedPorts, Volumes
}

// change is s as a change of the config.
func (s Settings) change() settingsChange {
	c := settingsChange{members: map[string]json.RawMessage{}, added: map[string][]string{}}
	for key, v := range map[string]string{"User": s.User, "WorkingDir": s.WorkingDir, "StopSignal": s.StopSignal} {
		if v != "" {
			c.members[key], _ = marshal(v) // a string always encodes
		}
	}
	for key, v := range map[string][]string{"Entrypoint": s.Entrypoint, "Cmd": s.Cmd} {
		switch {
		case len(v) > 0:
			c.members[key], _ = marshal(v)
		case v != nil:
			c.members[key] = null
		}
	}
	for key, v := range map[string][]string{"ExposedPorts": s.ExposedPorts, "Volumes": s.Volumes} {
		if len(v) > 0 {
			c.added[key] = v
		}
	}
	return c
}

var null = json.RawMessage("null")

// apply makes the change, and returns what the members were, null where they
// were absent.
func (c settingsChange) apply(config object) (map[string]json.RawMessage, error) {
	members := maps.Clone(c.members)
	for key, added := range c.added {
		set := map[string]struct{}{}
		if err := config.get(key, &set); err != nil {
			return nil, err
		}
		if set == nil {
			set = map[string]struct{}{}
		}
		for _, v := range added {
			set[v] = struct{}{}
		}
		raw, err := marshal(set)
		if err != nil {
			return nil, err
		}
		members[key] = raw
	}
	if len(members) == 0 {
		return nil, nil
	}
	was := map[string]json.RawMessage{}
	for key, raw := range members {
		was[key] = config.replace(key, raw)
	}
	return was, nil
}

// replace sets a member, or removes it where raw is null, and returns what it
// was.
func (o object) replace(key string, raw json.RawMessage) json.RawMessage {
	old, ok := o[key]
	if !ok {
		old = null
	}
	if string(raw) == string(null) {
		delete(o, key)
	} else {
		o[key] = raw
	}
	return old
}

// settingsOf is the change that was made to a config, and takes it off: was is
// what apply returned.
func settingsOf(config object, was map[string]json.RawMessage) (settingsChange, error) {
	c := settingsChange{members: map[string]json.RawMessage{}, added: map[string][]string{}}
	for key, old := range was {
		now := config.replace(key, old)
		if key != "ExposedPorts" && key != "Volumes" {
			c.members[key] = now
			continue
		}
		var before, after map[string]struct{}
		if err := json.Unmarshal(old, &before); err != nil {
			return c, err
		}
		if err := json.Unmarshal(now, &after); err != nil {
			return c, err
		}
		maps.DeleteFunc(after, func(k string, _ struct{}) bool { _, had := before[k]; return had })
		if len(after) > 0 {
			c.added[key] = slices.Sorted(maps.Keys(after))
		}
	}
	return c, nil
}
