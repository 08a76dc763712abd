// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
)

// A listItem is one item of a list variable.
type listItem struct {
	number int // 1-based
	text   string
}

func (i listItem) label() string { return fmt.Sprintf("item %d", i.number) }

// splitList takes a list apart at its semicolons. Of a damaged list it returns
// the items that have text.
func splitList(variable, value string) ([]listItem, []Finding) {
	if value == "" {
		return nil, nil
	}
	var found []Finding
	if rest, trailing := strings.CutSuffix(value, ";"); trailing && rest != "" {
		value = rest
		found = append(found, env03.says(`%s: trailing ";" ignored`, variable).of(variable).hint("remove it"))
	}
	var items []listItem
	for i, text := range strings.Split(value, ";") {
		if text == "" {
			found = append(found, env02.says("%s: item %d is empty", variable, i+1).of(variable).
				hint(`write one ";" between items`))
			continue
		}
		items = append(items, listItem{i + 1, text})
	}
	return items, found
}

// showItem is an item in double quotes. One that was meant as a URL may have a
// password.
func showItem(text string) string {
	if strings.Contains(text, "@") || strings.Contains(text, "://") {
		return quote(unshown)
	}
	return quote(text)
}

// cutItem splits an item at its only colon.
func cutItem(variable string, item listItem) (key, path string, found []Finding) {
	switch n := strings.Count(item.text, ":"); n {
	case 0:
		return "", "", []Finding{env02.says(`%s: %s %s has no ":"`, variable, item.label(), showItem(item.text)).of(variable).
			hint("%s", itemHint(variable, item.text))}
	case 1:
		key, path, _ = strings.Cut(item.text, ":")
	default:
		return "", "", []Finding{env02.says(`%s: %s %s has %d ":"; one is allowed`, variable, item.label(), showItem(item.text), n).
			of(variable).hint("%s", itemHint(variable, item.text))}
	}
	if path == "" {
		return "", "", []Finding{env02.says("%s: %s %s has no path", variable, item.label(), showItem(item.text)).of(variable).
			hint("%s", itemHint(variable, item.text))}
	}
	return key, path, nil
}

// itemHint says what to change in an item of SCHEMAS or STREAMS that has not
// exactly one colon.
func itemHint(variable, item string) string {
	name, rest, _ := strings.Cut(item, ":")
	kind, _, literal := strings.Cut(rest, ":")
	switch {
	case variable == varStreams && literal && validSlot(name) && !strings.HasPrefix(rest, "/"):
		return fmt.Sprintf(`%q is a literal of the command line; write a stream descriptor file for it and bind that, as %s:/assets/%s.json`,
			kind+":", name, literalName(kind))
	case strings.Contains(item, ",") && strings.Count(item, ":") != 1:
		return `separate items with ";", not ","`
	case !strings.Contains(item, ":") && strings.Contains(item, "=") && !strings.Contains(item, "@"):
		return "write " + quote(strings.Replace(item, "=", ":", 1))
	case !strings.Contains(item, ":") && variable == varStreams:
		return "write slot:path, for example 0:/assets/rest.json"
	case !strings.Contains(item, ":"):
		return "write name:path, for example input:/assets/input.avsc"
	}
	return `separate items with ";"; neither names nor paths may contain ":"`
}

// literalName is a file name for a descriptor of a literal stream.
func literalName(kind string) string {
	for _, c := range []byte(kind) {
		if !isAlnum(c) && c != '-' {
			return "stream"
		}
	}
	if kind == "" || len(kind) > 20 {
		return "stream"
	}
	return strings.ToLower(kind)
}
