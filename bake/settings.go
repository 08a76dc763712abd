// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import "encoding/json"

// apply changes the members of an image's config that s sets, and returns what
// they were, null where they were absent.
func (s Settings) apply(config object) (map[string]json.RawMessage, error) {
	members := map[string]any{}
	for key, v := range map[string]string{"User": s.User, "WorkingDir": s.WorkingDir, "StopSignal": s.StopSignal} {
		if v != "" {
			members[key] = v
		}
	}
	for key, v := range map[string][]string{"Entrypoint": s.Entrypoint, "Cmd": s.Cmd} {
		if v != nil {
			members[key] = v
		}
	}
	for key, added := range map[string][]string{"ExposedPorts": s.ExposedPorts, "Volumes": s.Volumes} {
		if len(added) == 0 {
			continue
		}
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
		members[key] = set
	}
	if len(members) == 0 {
		return nil, nil
	}
	was := map[string]json.RawMessage{}
	for key, v := range members {
		old, ok := config[key]
		if !ok {
			old = json.RawMessage("null")
		}
		was[key] = old
		if list, isList := v.([]string); isList && len(list) == 0 {
			delete(config, key)
			continue
		}
		if err := config.set(key, v); err != nil {
			return nil, err
		}
	}
	return was, nil
}
