// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The variables of the contract, in the order in which they are written.
const (
	varModel         = "MODEL"
	varSchemas       = "SCHEMAS"
	varStreams       = "STREAMS"
	varAttachments   = "ATTACHMENTS"
	varConnectPrefix = "CONNECT_PREFIX"
)

var variables = []string{varModel, varSchemas, varStreams, varAttachments, varConnectPrefix}

// Variables returns the names of the contract's variables, in the order in
// which Bindings.Env writes them.
func Variables() []string { return slices.Clone(variables) }

const (
	// maxSlot is the largest slot number that the grammar has.
	maxSlot = 999
	// maxVariable is Linux's MAX_ARG_STRLEN without the final NUL: execve
	// refuses a longer NAME=VALUE.
	maxVariable = 131071
)

// Bindings are what the contract's variables say. The zero value binds
// nothing.
type Bindings struct {
	Model         string            `json:"model,omitempty"`         // in-image path of the model
	Schemas       map[string]string `json:"schemas,omitempty"`       // schema name to in-image path
	Streams       map[int]string    `json:"streams,omitempty"`       // slot (even: input, odd: output) to in-image path
	Attachments   []string          `json:"attachments,omitempty"`   // in-image paths of archives
	ConnectPrefix string            `json:"connectPrefix,omitempty"` // base URL of Connect
}

// Env writes the bindings as KEY=VALUE in the order MODEL, SCHEMAS, STREAMS,
// ATTACHMENTS, CONNECT_PREFIX and leaves out those that have nothing to say.
// Schemas are sorted by name, streams by slot; attachments keep their order.
// Decode reads it back if Validate finds no error.
func (b Bindings) Env() []string {
	schemas := make([]string, 0, len(b.Schemas))
	for _, name := range slices.Sorted(maps.Keys(b.Schemas)) {
		schemas = append(schemas, name+":"+b.Schemas[name])
	}
	streams := make([]string, 0, len(b.Streams))
	for _, slot := range slices.Sorted(maps.Keys(b.Streams)) {
		streams = append(streams, strconv.Itoa(slot)+":"+b.Streams[slot])
	}
	var env []string
	for _, v := range []struct{ name, value string }{
		{varModel, b.Model},
		{varSchemas, strings.Join(schemas, ";")},
		{varStreams, strings.Join(streams, ";")},
		{varAttachments, strings.Join(b.Attachments, ";")},
		{varConnectPrefix, b.ConnectPrefix},
	} {
		if v.value != "" {
			env = append(env, v.name+"="+v.value)
		}
	}
	return env
}

// Validate says what the variables cannot carry and which of their rules the
// bindings break.
func (b Bindings) Validate() []Finding {
	found := checkModel(b.Model)
	for _, name := range slices.Sorted(maps.Keys(b.Schemas)) {
		label := "schema " + quote(name)
		if f, bad := checkSchemaName(label, name); bad {
			found = append(found, f)
		}
		found = append(found, checkPath(varSchemas, label, b.Schemas[name])...)
	}
	found = append(found, checkConfusable(slices.Sorted(maps.Keys(b.Schemas)))...)
	for _, slot := range slices.Sorted(maps.Keys(b.Streams)) {
		if slot < 0 || slot > maxSlot {
			found = append(found, badSlot(strconv.Itoa(slot)))
		}
		found = append(found, checkPath(varStreams, fmt.Sprintf("slot %d", slot), b.Streams[slot])...)
	}
	for i, path := range b.Attachments {
		found = append(found, checkPath(varAttachments, fmt.Sprintf("item %d", i+1), path)...)
	}
	if b.ConnectPrefix != "" {
		found = append(found, checkConnectPrefix(b.ConnectPrefix)...)
	}
	return append(found, checkLengths(b.Env())...)
}

// checkModel is ENV-01 and the path rules for MODEL.
func checkModel(value string) []Finding {
	paths := slices.DeleteFunc(strings.Split(value, ";"), func(p string) bool { return p == "" })
	switch {
	case value == "":
		return []Finding{env01.says("MODEL is not set: the engine would start with no model").of(varModel).
			hint("bake one model file")}
	case len(paths) > 1:
		return []Finding{env01.says("MODEL names %d files: %s; an engine runs one model", len(paths), quoteList(paths)).of(varModel).
			hint("keep one of them; bake the others as further assets")}
	}
	return checkPath(varModel, "", value)
}

// checkSchemaName is ENV-02 for the name of a schema.
func checkSchemaName(label, name string) (Finding, bool) {
	if name == "" {
		return env02.says("SCHEMAS: %s has no name", label).of(varSchemas).hint("write name:path"), true
	}
	for i, c := range []byte(name) {
		if !isNameByte(c) || i == 0 && (c == '-' || c == '.') {
			where := "contains"
			if i == 0 {
				where = "starts with"
			}
			return env02.says("SCHEMAS: schema name %s %s %s", quote(name), where, nameRune(name[i:])).of(varSchemas).
				hint(`names are letters, digits, "_", "-" and "." and start with a letter, a digit or "_"`), true
		}
	}
	return Finding{}, false
}

func isNameByte(c byte) bool {
	return isAlnum(c) || c == '_' || c == '-' || c == '.'
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// badSlot is ENV-07.
func badSlot(text string) Finding {
	f := env07.says("STREAMS: %s is not a slot number (even = input, odd = output)", quote(text)).of(varStreams)
	if trimmed := strings.TrimSpace(text); trimmed != text && validSlot(trimmed) {
		return f.hint("remove the white space before or after the slot")
	}
	return f.hint("slots are 0 to %d, without sign or leading zero; 0 is the default input, 1 the default output", maxSlot)
}

// validSlot tells whether text is a slot of the grammar.
func validSlot(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 0 && n <= maxSlot && strconv.Itoa(n) == text
}

// checkConfusable is ENV-15 for sorted schema names.
func checkConfusable(names []string) []Finding {
	var found []Finding
	seen := make(map[string]string, len(names))
	for _, name := range names {
		key := strings.ReplaceAll(strings.ToLower(name), "-", "_")
		if other, ok := seen[key]; ok {
			found = append(found, env15.says("schema names %s and %s are easy to confuse", quote(other), quote(name)).
				of(varSchemas).hint("rename one of them, or bind only one"))
			continue
		}
		seen[key] = name
	}
	return found
}

// checkLengths is ENV-13 for those entries that belong to the contract.
func checkLengths(env []string) []Finding {
	var found []Finding
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		if len(entry) > maxVariable {
			found = append(found, env13.says("%s is %d bytes; the kernel limit for one variable is %d", name, len(entry), maxVariable+1).
				of(name).hint("bind fewer files or use shorter paths; Linux refuses to start the engine"))
		}
	}
	return found
}
