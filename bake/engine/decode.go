// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Decode reads the contract's variables from the Env of an image config: the
// last entry of a key counts, an empty value is an absent one. It reports all
// problems at once and returns what it could read in spite of them.
func Decode(env []string) (Bindings, []Finding) {
	values := lookup(env)
	b := Bindings{ConnectPrefix: values[varConnectPrefix]}
	if !strings.Contains(values[varModel], ";") {
		b.Model = values[varModel]
	}
	found := checkModel(values[varModel])

	schemas, more := splitList(varSchemas, values[varSchemas])
	found = append(found, more...)
	for _, item := range schemas {
		found = append(found, b.bindSchema(item)...)
	}
	found = append(found, checkConfusable(slices.Sorted(maps.Keys(b.Schemas)))...)

	streams, more := splitList(varStreams, values[varStreams])
	found = append(found, more...)
	for _, item := range streams {
		found = append(found, b.bindStream(item)...)
	}

	attachments, more := splitList(varAttachments, values[varAttachments])
	found = append(found, more...)
	for _, item := range attachments {
		b.Attachments = append(b.Attachments, item.text)
		found = append(found, checkPath(varAttachments, item.label(), item.text)...)
	}

	if b.ConnectPrefix != "" {
		found = append(found, checkConnectPrefix(b.ConnectPrefix)...)
	}
	var entries []string
	for _, name := range variables {
		entries = append(entries, name+"="+values[name])
	}
	return b, append(found, checkLengths(entries)...)
}

// lookup returns the last value of each key.
func lookup(env []string) map[string]string {
	values := make(map[string]string, len(env))
	for _, entry := range env {
		if name, value, ok := strings.Cut(entry, "="); ok {
			values[name] = value
		}
	}
	return values
}

func (b *Bindings) bindSchema(item listItem) []Finding {
	name, path, found := cutItem(varSchemas, item)
	if found != nil {
		return found
	}
	if f, bad := checkSchemaName(item.label(), name); bad {
		found = append(found, f)
	}
	found = append(found, checkPath(varSchemas, "schema "+quote(name), path)...)
	if earlier, ok := b.Schemas[name]; ok {
		return append(found, boundTwice(varSchemas, "schema "+quote(name), earlier, path))
	}
	if b.Schemas == nil {
		b.Schemas = make(map[string]string)
	}
	b.Schemas[name] = path
	return found
}

func (b *Bindings) bindStream(item listItem) []Finding {
	key, path, found := cutItem(varStreams, item)
	switch {
	case found != nil:
		return found
	case key == "":
		return []Finding{env02.says("%s: %s %s has no slot", varStreams, item.label(), showItem(item.text)).of(varStreams).
			hint("write slot:path, for example 0:%s", path)}
	case !validSlot(key):
		return append([]Finding{badSlot(key)}, checkPath(varStreams, item.label(), path)...)
	}
	slot, _ := strconv.Atoi(key)
	found = checkPath(varStreams, "slot "+key, path)
	if earlier, ok := b.Streams[slot]; ok {
		return append(found, boundTwice(varStreams, "slot "+key, earlier, path))
	}
	if b.Streams == nil {
		b.Streams = make(map[int]string)
	}
	b.Streams[slot] = path
	return found
}

// boundTwice is ENV-06.
func boundTwice(variable, label, first, second string) Finding {
	if first == second {
		return env06.says("%s: %s is bound twice to %s", variable, label, first).of(variable).as(Warning).hint("remove one of the two")
	}
	return env06.says("%s: %s is bound twice (%s, %s)", variable, label, quote(first), quote(second)).of(variable).
		hint("keep one of the two")
}
