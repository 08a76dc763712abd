// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
)

// readVariables reads what the contract's variables will say in the image, and
// which of them have their values from its base.
func (c *checker) readVariables() {
	before := lookup(c.img.BaseEnv)
	c.kept = make(map[string]bool)
	if c.img.Bindings == nil {
		c.bindings, c.found = Decode(c.img.Env)
		now := lookup(c.img.Env)
		for _, name := range variables {
			c.kept[name] = now[name] != "" && now[name] == before[name]
		}
	} else {
		c.bindings, c.found = *c.img.Bindings, c.img.Bindings.Validate()
		c.keepOthers(before)
	}
	for i, f := range c.found {
		if rest, ok := strings.CutPrefix(f.Message, f.Variable); ok && c.kept[f.Variable] {
			c.found[i].Message = c.label(f.Variable) + rest
		}
	}
}

// keepOthers adds the variables that stay because the bindings leave them out.
func (c *checker) keepOthers(before map[string]string) {
	bound, others := lookup(c.bindings.Env()), before
	if c.img.Env != nil {
		others = lookup(c.img.Env)
	}
	var stay []string
	for _, name := range variables {
		if bound[name] == "" && others[name] != "" {
			stay = append(stay, name+"="+others[name])
			c.kept[name] = others[name] == before[name]
		} else if bound[name] != "" {
			c.kept[name] = bound[name] == before[name]
		}
	}
	b, found := Decode(stay)
	stays := lookup(stay)
	ofStaying := func(f Finding) bool { return stays[f.Variable] != "" }
	c.found = slices.DeleteFunc(c.found, ofStaying) // that MODEL is not set
	c.found = append(c.found, slices.DeleteFunc(found, func(f Finding) bool { return !ofStaying(f) })...)
	if stays[varModel] != "" {
		c.bindings.Model = b.Model
	}
	if stays[varSchemas] != "" {
		c.bindings.Schemas = b.Schemas
	}
	if stays[varStreams] != "" {
		c.bindings.Streams = b.Streams
	}
	if stays[varAttachments] != "" {
		c.bindings.Attachments = b.Attachments
	}
	if stays[varConnectPrefix] != "" {
		c.bindings.ConnectPrefix = b.ConnectPrefix
	}
}

// label names a variable, and says so where its value is the base image's.
func (c *checker) label(variable string) string {
	if c.kept[variable] {
		return variable + " from the base image"
	}
	return variable
}
