// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// A descriptor is a stream descriptor file.
type descriptor struct {
	*page
	root      jsonpos.Value
	transport *transport    // nil if unknown
	fields    jsonpos.Value // the transport's object; absent in the short form

	encoding string // in lower case; "" is null or absent
	known    bool   // encoding is one of the contract's
	envelope string // in lower case; "" is null or absent
	params   jsonpos.Value

	form   schemaForm
	ref    string  // of refSchema
	schema *schema // of inlineSchema; nil if wrong
}

// schemaForm is how a stream says its schema.
type schemaForm int

const (
	inheritSchema schemaForm = iota // absent or "$inherit"
	untypedSchema                   // null
	refSchema                       // {"$ref": name}
	inlineSchema                    // Avro
	wrongSchema                     // nothing of the above
)

// topField is a top-level field of a descriptor.
type topField struct {
	name  string
	types string // for the message
	fits  func(v jsonpos.Value) bool
}

func oneOf(kinds ...jsonpos.Kind) func(jsonpos.Value) bool {
	return func(v jsonpos.Value) bool { return slices.Contains(kinds, v.Kind()) }
}

func countOrNull(v jsonpos.Value) bool { return v.Kind() == jsonpos.Null || wantCount.fits(v) }

func anyValue(jsonpos.Value) bool { return true }

var topFields = []topField{
	{"Version", "a string", oneOf(jsonpos.String)},
	{"Description", "a string or null", oneOf(jsonpos.String, jsonpos.Null)},
	{"Transport", "an object or a string", anyValue}, // SD-05
	{"Encoding", "null, a string or an object", oneOf(jsonpos.Null, jsonpos.String, jsonpos.Object)},
	{"Envelope", "null, a string or an object", oneOf(jsonpos.Null, jsonpos.String, jsonpos.Object)},
	{"Schema", "", anyValue},   // SD-51
	{"Batching", "", anyValue}, // SD-37
	{"Loop", "true or false", oneOf(jsonpos.Bool)},
	{"SkipTo", "null or an integer that is not negative", countOrNull},
	{"SkipToRecord", "", anyValue}, // SD-33
	{"LingerTime", "null or an integer that is not negative, in milliseconds", countOrNull},
	{"EndMarker", "a string or null", oneOf(jsonpos.String, jsonpos.Null)},
}

// checkDescriptorFile is the SD rules that need no slot. It returns nil if the
// file is no JSON object.
func checkDescriptorFile(p *page, content []byte, strict bool) *descriptor {
	doc, err := jsonpos.Parse(content, maxValues)
	if err != nil {
		p.say(err, sd01.says("not JSON").hint("a stream descriptor is a JSON object"))
		return nil
	}
	d := &descriptor{page: p, root: doc.Root()}
	if d.root.Kind() != jsonpos.Object {
		p.at(d.root, sd01.says("the top level is %s, not an object", d.root.Kind()).hint(`write {"Transport": …}`))
		return nil
	}
	d.checkRepeated()
	d.checkTop()
	d.checkTransport()
	d.checkEncoding()
	d.checkEnvelope()
	d.checkSchema()
	d.checkEncodedSchema()
	d.checkEnclosed()
	d.checkPositions()
	d.checkBatching()
	if d.transport != nil && d.transport.check != nil {
		d.transport.check(d)
	}
	d.checkSecrets(strict)
	return d
}

// checkRepeated is SD-02, everywhere but in the schema, where it is S-02.
func (d *descriptor) checkRepeated() {
	say := func(key jsonpos.Value, name string) {
		d.at(key, sd02.says("key %s appears twice; the last one wins", name).hint("remove one of the two"))
	}
	for _, key := range d.root.Repeated() {
		say(key, echo(key.Text()))
	}
	for member, value := range d.root.Members() {
		if member.Text() == "Schema" {
			continue
		}
		for inner := range value.Objects() {
			for _, key := range inner.Repeated() {
				name := quote(unshown) // a key where no object should be may be a value
				if inner == value {
					name = echo(key.Text())
				}
				say(key, name)
			}
		}
	}
}

// checkTop is SD-03, SD-04 and SD-11.
func (d *descriptor) checkTop() {
	names := make([]string, len(topFields))
	for i, f := range topFields {
		names[i] = f.name
	}
	for key, value := range d.root.Members() {
		i := slices.IndexFunc(topFields, func(f topField) bool { return f.name == key.Text() })
		switch {
		case key.Text() == "Rotate":
			d.at(key, sd03.says(`field "Rotate" is not documented`).hint("remove it unless the engine is known to read it"))
		case i < 0:
			d.at(key, sd03.says("unknown field %s", echo(key.Text())).hint("%s", didYouMean(key.Text(), names, "the fields are "+strings.Join(names, ", "))))
		case !topFields[i].fits(value):
			d.at(value, sd04.says("%q must be %s, not %s", key.Text(), topFields[i].types, value.Kind()).hint("change its value"))
		}
	}
	if key, value := d.root.Member("Version"); value.Kind() == jsonpos.String && value.Text() != "1.2" {
		d.at(key, sd11.says("Version %s is not known", echo(value.Text())).hint(`only "1.2" was ever published`))
	}
	if key, _ := d.root.Member("EndMarker"); key.Exists() {
		d.at(key, sd11.says("EndMarker is ignored since 1.6").hint("remove it"))
	}
}

// checkTransport is SD-05 to SD-09.
func (d *descriptor) checkTransport() {
	key, v := d.root.Member("Transport")
	name := v
	switch v.Kind() {
	case jsonpos.String:
	case jsonpos.Object:
		d.fields = v
		if name = v.Get("Type"); name.Kind() != jsonpos.String || name.Text() == "" {
			d.at(v, sd05.says(`the transport has no "Type"`).hint(`write {"Type": "REST"}`))
			return
		}
	case jsonpos.Absent:
		hint := `add "Transport": {"Type": …}`
		for other := range d.root.Members() {
			if strings.EqualFold(other.Text(), "Transport") {
				hint = "field names are case-sensitive: write \"Transport\""
			}
		}
		d.at(d.root, sd05.says("no Transport: nothing to attach").hint("%s", hint))
		return
	default:
		d.at(v, sd05.says("Transport is %s", v.Kind()).hint(`write {"Type": …}`))
		return
	}
	t := transportNamed(name.Text())
	if t == nil {
		var names []string
		for _, t := range transports {
			if t.legacy == "" {
				names = append(names, t.name)
			}
		}
		d.at(name, sd06.says("unknown transport %s", echo(name.Text())).hint("%s", didYouMean(name.Text(), names, "the transports are "+strings.Join(names, ", "))))
		return
	}
	d.transport = t
	d.canonical(name, t.name)
	if t.legacy != "" {
		d.at(name, sd11.says("%s", t.legacy).hint(`use "inline" for input and "discard" or "REST" for output`))
	}
	if mandatory := t.mandatory(); v.Kind() == jsonpos.String && len(mandatory) > 0 {
		d.at(v, sd07.says(`"Transport": %q cannot work: it needs %s`, t.name, strings.Join(mandatory, " and ")).
			hint(`write {"Type": %q, %q: …}`, t.name, mandatory[0]))
		return
	}
	d.checkFields(key)
}

// canonical is SD-10.
func (d *descriptor) canonical(v jsonpos.Value, name string) {
	if v.Text() != name {
		d.at(v, sd10.says("%s accepted; the canonical spelling is %q", echo(v.Text()), name))
	}
}

// checkFields is SD-08, SD-09 and SD-04 for the transport's own fields.
func (d *descriptor) checkFields(key jsonpos.Value) {
	t := d.transport
	if t.anyField {
		return
	}
	for _, f := range t.fields {
		v := d.fields.Get(f.name)
		switch {
		case f.required && (!v.Exists() || isEmpty(v)):
			at := v
			if !at.Exists() {
				at = key
			}
			d.at(at, sd08.says("%s transport needs %q", t.name, f.name).hint("add it: %s", wantNames[f.want]))
		case !v.Exists() || f.nullable && v.Kind() == jsonpos.Null || f.want.fits(v):
		case f.required:
			d.at(v, sd08.says("%s: %q must be %s, not %s", t.name, f.name, wantNames[f.want], v.Kind()).hint("change its value"))
		default:
			d.at(v, sd04.says("%s: %q must be %s, not %s", t.name, f.name, wantNames[f.want], v.Kind()).hint("change its value"))
		}
	}
	var names []string
	for _, f := range t.fields {
		names = append(names, f.name)
	}
	for k := range d.fields.Members() {
		if text := k.Text(); text != "Type" && t.field(text) == nil {
			otherwise := "it has none besides Type"
			if len(names) > 0 {
				otherwise = "its fields are " + strings.Join(names, ", ")
			}
			d.at(k, sd09.says("%s: unknown field %s", t.name, echo(text)).hint("%s", didYouMean(text, append(slices.Clone(names), "Type"), otherwise)))
		}
	}
}
