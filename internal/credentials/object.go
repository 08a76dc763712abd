// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// object is a JSON object whose members keep their order and their text:
// numbers keep their digits, and what is unknown stays.
type object []member

type member struct {
	key  string
	text json.RawMessage
}

func (o *object) UnmarshalJSON(text []byte) error {
	*o = nil
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open == nil { // null
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		m := member{key: key.(string)}
		if err := d.Decode(&m.text); err != nil {
			return err
		}
		*o = append(*o, m)
	}
	_, err := d.Token()
	return err
}

// text is the object in JSON, not indented.
func (o object) text() []byte {
	b := bytes.NewBufferString("{")
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		e := json.NewEncoder(b)
		e.SetEscapeHTML(false)
		_ = e.Encode(m.key) // a string, into memory
		b.WriteByte(':')
		b.Write(m.text)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// index finds a member as encoding/json does, by which Docker and Podman read
// auth files: the same word first, then one in other letters; -1 is none.
func (o object) index(key string) int {
	if i := slices.IndexFunc(o, func(m member) bool { return m.key == key }); i >= 0 {
		return i
	}
	return slices.IndexFunc(o, func(m member) bool { return strings.EqualFold(m.key, key) })
}

// object is the object under key, empty where there is none.
func (o object) object(key string) (object, error) {
	var inner object
	i := o.index(key)
	if i < 0 {
		return nil, nil
	}
	return inner, json.Unmarshal(o[i].text, &inner)
}

// set gives a member its text, at the end where it is new.
func (o *object) set(key string, text []byte) {
	if i := o.index(key); i >= 0 {
		(*o)[i].text = text
		return
	}
	*o = append(*o, member{key, text})
}
