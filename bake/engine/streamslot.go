// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// checkPositions is SD-29 to SD-34.
func (d *descriptor) checkPositions() {
	t := d.transport
	if t == nil || t.anyField {
		return
	}
	if loop := d.root.Get("Loop"); loop.Bool() {
		switch {
		case t.seek == seekNothing && t.name != "kafka-offset":
			d.at(loop, sd29.says("%s streams cannot loop", t.name).hint("remove Loop"))
		case t.seek == seekUnsure:
			d.at(loop, sd29.says("%s streams are not known to loop", t.name).as(Warning).hint("remove Loop"))
		}
	}
	if v := d.root.Get("SkipTo"); v.Exists() && v.Kind() != jsonpos.Null && (t.seek != seekBytes || d.keepsRecords()) {
		d.at(v, sd30.says("SkipTo needs a seekable byte stream, which %s is not", t.name).hint("only file and HTTP streams that are not chunked can skip bytes"))
	}
	d.checkRecordPosition()
}

func (d *descriptor) checkRecordPosition() {
	key, v := d.root.Member("SkipToRecord")
	kafka := d.transport.name == "Kafka"
	number, isInt := v.Int()
	switch {
	case !v.Exists():
		return
	case v.Kind() == jsonpos.Null:
		if kafka {
			d.at(v, sd32.says("SkipToRecord cannot be null for Kafka").hint(`use "earliest" or "latest", or remove it`))
		}
		return
	case !kafka:
		d.at(key, sd31.says("SkipToRecord works only with Kafka, not with %s", d.transport.name).hint("remove it"))
		return
	case v.Kind() == jsonpos.String && !slices.Contains([]string{"earliest", "latest"}, v.Text()):
		d.at(v, sd33.says("SkipToRecord %s is no position", echo(v.Text())).hint(`use "earliest", "latest" or a number`))
	case v.Kind() != jsonpos.String && (!isInt || number < 0):
		d.at(v, sd33.says("SkipToRecord must be an integer that is not negative").hint(`use "earliest", "latest" or a number`))
	}
	if group := d.fields.Get("Group"); group.Kind() == jsonpos.String && group.Text() != "" {
		d.at(key, sd34.says("SkipToRecord is ignored once group %s has committed", echo(group.Text())).hint("remove SkipToRecord, or use a new group"))
	}
}

// checkBatching is SD-37.
func (d *descriptor) checkBatching() {
	v := d.root.Get("Batching")
	switch v.Kind() {
	case jsonpos.Absent, jsonpos.Null:
		return
	case jsonpos.String:
		if text := v.Text(); text != "normal" && text != "explicit" {
			d.at(v, sd37.says("Batching %s is not known", echo(text)).hint(`use "normal", "explicit", null, or {"Watermark": …, "NagleTime": …}`))
		}
		return
	case jsonpos.Object:
	default:
		d.at(v, sd37.says("Batching cannot be %s", v.Kind()).hint(`use "normal", "explicit", null, or {"Watermark": …, "NagleTime": …}`))
		return
	}
	for _, member := range []struct {
		name string
		min  int64
		unit string
	}{{"Watermark", 1, "records"}, {"NagleTime", 0, "milliseconds"}} {
		value := v.Get(member.name)
		n, ok := value.Int()
		switch {
		case !value.Exists():
			d.at(v, sd37.says("Batching has no %q", member.name).as(Warning).hint("say it, in %s, or null for no limit", member.unit))
		case value.Kind() != jsonpos.Null && (!ok || n < member.min):
			d.at(value, sd37.says("Batching.%s must be an integer, at least %d, or null", member.name, member.min).hint("it counts %s", member.unit))
		}
	}
}

// checkSlot is the rules that need to know where the stream is attached.
func (d *descriptor) checkSlot(n int) {
	t := d.transport
	if t == nil {
		return
	}
	side, input := "an input", n%2 == 0
	if !input {
		side = "an output"
	}
	where := fmt.Sprintf("slot %d is %s", n, side)
	at := d.root.Get("Transport")
	switch {
	case input && !t.inputs:
		d.at(at, sd53.says("%s; %s can only be written", where, t.name).hint("bind it to an odd slot"))
	case !input && !t.outputs:
		d.at(at, sd52.says("%s; %s can only be read", where, t.name).hint("bind it to an even slot"))
	}
	if t.name == "ODBC" {
		d.checkODBCSide(where, input)
	}
	if input {
		if t.name == "file" && !d.root.Get("Loop").Exists() {
			d.at(at, sd35.says("%s read from a file, without Loop: its default changed in 1.6.1", where).hint(`set "Loop" explicitly`))
		}
		return
	}
	if d.known && d.encoding == "csv" && d.form == untypedSchema && !d.keepsRecords() && d.skipsHeader() && !t.opaque {
		d.at(d.root.Get("Schema"), sd23.says("%s: csv needs a record schema to write", where).hint("remove Schema to inherit the model's"))
	}
	for _, name := range []string{"Loop", "SkipTo", "SkipToRecord"} {
		key, v := d.root.Member(name)
		if v.Exists() && v.Kind() != jsonpos.Null && (name != "Loop" || v.Bool()) {
			d.at(key, sd36.says("%s has no meaning on output slot %d", name, n).hint("remove it"))
		}
	}
}

// checkODBCSide is SD-40.
func (d *descriptor) checkODBCSide(where string, input bool) {
	need, other := "SelectQuery", "InsertIntoTable"
	if !input {
		need, other = other, need
	}
	if v := d.fields.Get(need); !v.Exists() || isEmpty(v) {
		d.at(d.root.Get("Transport"), sd40.says("%s: ODBC needs %s", where, need).hint("add it"))
	}
	if key, v := d.fields.Member(other); v.Exists() {
		d.at(key, sd40.says("%s: ODBC does not use %s", where, other).as(Warning).hint("remove it, or write a descriptor for each slot"))
	}
}
