// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// checkSchema is SD-51, and the milder S rules for a schema that stands in the
// descriptor.
func (d *descriptor) checkSchema() {
	v := d.root.Get("Schema")
	d.form = wrongSchema
	switch v.Kind() {
	case jsonpos.Absent:
		d.form = inheritSchema
		return
	case jsonpos.Null:
		d.form = untypedSchema
		return
	case jsonpos.String:
		if v.Text() == "$inherit" {
			d.form = inheritSchema
			return
		}
		if !isPrimitive(v.Text()) {
			d.at(v, sd51.says(`"Schema": %s is no type`, echo(v.Text())).hint(`write {"$ref": %s} to use a named schema`, echo(v.Text())))
			return
		}
	case jsonpos.Object:
		if ref := v.Get("$ref"); ref.Exists() {
			d.checkRef(v, ref)
			return
		}
	case jsonpos.Array:
	default:
		d.at(v, sd51.says("Schema cannot be %s", v.Kind()).hint(`write Avro, {"$ref": NAME}, "$inherit" or null`))
		return
	}
	d.form = inlineSchema
	d.schema = parseAvro(v, echo, func(at jsonpos.Value, f Finding) {
		if f.Severity < Error {
			d.at(at, f)
			return
		}
		d.at(at, sd51.says("Schema is not valid Avro: %s", f.Message).hint("%s", f.Hint))
	})
	if d.schema == nil {
		d.form = wrongSchema
	}
}

func (d *descriptor) checkRef(v, ref jsonpos.Value) {
	switch {
	case ref.Kind() != jsonpos.String || ref.Text() == "":
		d.at(ref, sd51.says("$ref must be a schema's name, not %s", ref.Kind()).hint(`write {"$ref": "input"}`))
	case v.Len() > 1:
		d.at(v, sd51.says("$ref stands beside other keys").hint(`write {"$ref": %s} alone`, echo(ref.Text())))
	default:
		d.form, d.ref = refSchema, ref.Text()
	}
}

// checkEncodedSchema is SD-15, SD-18 to SD-20, SD-22 and SD-38: what an
// encoding needs of the schema, as far as the descriptor says it.
func (d *descriptor) checkEncodedSchema() {
	if !d.known || d.transport == nil || d.form == wrongSchema {
		return
	}
	if d.transport.name == "ODBC" {
		d.checkODBCSchema()
		return
	}
	if d.transport.opaque {
		return
	}
	v := d.root.Get("Schema")
	typed := d.form == inlineSchema
	switch d.encoding {
	case "avro-binary":
		if d.form == untypedSchema {
			d.at(v, sd15.says("avro-binary needs a schema").hint("remove Schema to inherit the model's"))
		}
	case "":
		if typed && d.schema.kind != "bytes" {
			d.at(v, sd18.says("Encoding null delivers bytes but Schema is %s", d.schema).hint(`add "Encoding": "json"`))
		}
	case "utf-8":
		if typed && d.schema.kind != "string" {
			d.at(v, sd19.says("Encoding utf-8 delivers strings but Schema is %s", d.schema).hint(`use "Encoding": "json", or "Schema": "string"`))
		}
	case "soap-rpc":
		switch {
		case typed || d.form == refSchema || v.Exists() && d.form == inheritSchema:
			d.at(v, sd20.says(`soap-rpc cannot use a schema: set "Schema": null`).hint("the model's schema applies all the same"))
		case !v.Exists():
			d.at(d.root, sd20.says("soap-rpc would inherit the model's schema").as(Warning).hint(`set "Schema": null`))
		}
	case "csv":
		if typed && d.schema.kind != "record" {
			d.at(v, sd22.says("csv needs a record schema, not %s", d.schema).hint("name the columns as the fields of a record"))
		}
		// SD-23 for outputs needs the slot.
		if d.form == untypedSchema && d.keepsRecords() {
			d.at(v, sd23.says("csv over %s has no header line: give a record schema", d.transport.name).hint("remove Schema to inherit the model's"))
		} else if d.form == untypedSchema && !d.skipsHeader() {
			d.at(v, sd23.says("csv without header line needs a record schema").hint("remove Schema to inherit the model's, or set SkipHeader to true"))
		}
	}
}

// checkODBCSchema is SD-38.
func (d *descriptor) checkODBCSchema() {
	v := d.root.Get("Schema")
	if d.encoding != "" {
		d.at(d.root.Get("Encoding"), sd38.says(`ODBC requires "Encoding": null`).hint("remove Encoding"))
	}
	switch {
	case d.form != untypedSchema && v.Exists():
		d.at(v, sd38.says(`ODBC requires "Schema": null`).hint("the table has the types"))
	case !v.Exists():
		d.at(d.root, sd38.says("ODBC would inherit the model's schema").as(Warning).hint(`set "Schema": null`))
	}
}

// checkEnclosed is SD-14, SD-16, SD-17, SD-21 and SD-24: what an envelope is
// put around.
func (d *descriptor) checkEnclosed() {
	if d.envelope == "" {
		return
	}
	v := d.root.Get("Envelope")
	if d.keepsRecords() && d.transport.name != "time" { // SD-50
		f := sd14.says(`%s keeps record boundaries: set "Envelope" to null`, d.transport.name).hint("or remove Envelope")
		if d.transport.name == "REST" || d.transport.name == "inline" {
			f = f.as(Warning)
		}
		d.at(v, f)
	}
	if !d.known {
		return
	}
	switch binary := d.encoding == "msgpack" || d.encoding == "avro-binary"; {
	case d.envelope == "delimited" && binary:
		d.at(v, sd16.says("%s cannot use the delimited envelope", d.encoding).hint("remove Envelope: %s finds its own boundaries", d.encoding))
	case d.envelope == "ocf-block" && d.encoding != "avro-binary":
		d.at(v, sd17.says("ocf-block requires avro-binary").hint(`set "Encoding": "avro-binary"`))
	case d.envelope == "delimited-csv" && d.encoding != "csv":
		d.at(v, sd21.says(`delimited-csv requires "Encoding": "csv"`).hint(`use "delimited" for other encodings`))
	case d.envelope == "delimited" && d.encoding == "csv":
		d.at(v, sd24.says("the delimited envelope handles neither the header line of csv nor quoted line breaks").hint(`use "delimited-csv", or omit Envelope`))
	}
}
