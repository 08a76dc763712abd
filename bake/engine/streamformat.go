// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

var encodings = []string{"utf-8", "json", "csv", "msgpack", "avro-binary", "soap-rpc"}

var encodingAliases = map[string]string{
	"utf8": "utf-8", "text": "utf-8", "string": "utf-8", "avro": "avro-binary", "messagepack": "msgpack", "soap": "soap-rpc",
}

// checkEncoding is SD-12, SD-28 and SD-10.
func (d *descriptor) checkEncoding() {
	v := d.root.Get("Encoding")
	name := v
	if v.Kind() == jsonpos.Object {
		if name = v.Get("Type"); name.Kind() != jsonpos.String {
			d.at(v, sd12.says(`the encoding has no "Type"`).hint(`write {"Type": "csv", …}`))
			return
		}
	}
	if name.Kind() != jsonpos.String {
		d.known = true // null, absent, or SD-04
		return
	}
	d.encoding = lowerASCII(name.Text())
	switch {
	case d.encoding == "bert" && d.transport != nil && d.transport.name == "time":
		d.known = true
		return
	case !slices.Contains(encodings, d.encoding):
		hint := didYouMean(name.Text(), encodings, "the encodings are "+strings.Join(encodings, ", ")+" and null")
		switch alias := encodingAliases[d.encoding]; {
		case alias != "":
			hint = "use " + echo(alias)
		case d.encoding == "bert":
			hint = "only time streams have it"
		case d.encoding == "binary" || d.encoding == "raw" || d.encoding == "bytes" || d.encoding == "null":
			hint = "write null, without quotes, for raw bytes"
		}
		d.at(name, sd12.says("unknown encoding %s", echo(name.Text())).hint("%s", hint))
		return
	}
	d.known = true
	d.canonical(name, d.encoding)
	if v.Kind() != jsonpos.Object {
		return
	}
	if d.encoding != "csv" {
		d.at(v, sd12.says("the encoding %s has no parameters", echo(d.encoding)).hint("write %q alone", d.encoding))
		return
	}
	if q := v.Get("QuoteCharacter"); q.Exists() && (q.Kind() != jsonpos.String || utf8.RuneCountInString(q.Text()) != 1 || strings.ContainsAny(q.Text(), "\r\n")) {
		d.at(q, sd28.says("QuoteCharacter must be one character, and no line break").hint(`the default is "\""`))
	}
	if sep := v.Get("Delimiter"); sep.Exists() && (sep.Kind() != jsonpos.String || sep.Text() == "" || strings.ContainsAny(sep.Text(), "\r\n")) {
		d.at(sep, sd28.says("Delimiter must be a string that is not empty and has no line break").hint(`the default is ","`))
	}
}

var envelopes = []string{"delimited", "delimited-csv", "ocf-block", "fixed"}

// checkEnvelope is SD-13, SD-25 to SD-27, SD-11 and SD-10.
func (d *descriptor) checkEnvelope() {
	v := d.root.Get("Envelope")
	name := v
	if v.Kind() == jsonpos.Object {
		d.params = v
		if name = v.Get("Type"); name.Kind() != jsonpos.String {
			d.at(v, sd13.says(`the envelope has no "Type"`).hint(`write {"Type": "delimited", …}`))
			return
		}
	}
	if name.Kind() != jsonpos.String {
		return // null, absent, or SD-04
	}
	text := lowerASCII(name.Text())
	switch {
	case strings.HasPrefix(text, "deliminated"):
		d.at(name, sd11.says("envelope %s is a legacy spelling", echo(name.Text())).as(Error).hint("write %q", "delimited"+text[len("deliminated"):]))
		return
	case !slices.Contains(envelopes, text):
		hint := didYouMean(name.Text(), envelopes, "the envelopes are "+strings.Join(envelopes, ", ")+" and null")
		switch text {
		case "csv":
			hint = `use "delimited-csv"`
		case "ocf", "avro":
			hint = `use "ocf-block"`
		case "null", "none":
			hint = "write null, without quotes"
		}
		d.at(name, sd13.says("unknown envelope %s", echo(name.Text())).hint("%s", hint))
		return
	}
	d.envelope = text
	d.canonical(name, text)
	switch text {
	case "fixed":
		if size, ok := d.params.Get("Size").Int(); !ok || size < 1 {
			d.at(v, sd25.says("the fixed envelope needs a positive integer Size").hint(`write {"Type": "fixed", "Size": 80}`))
		}
	case "ocf-block":
		d.checkBlock()
	case "delimited", "delimited-csv":
		d.checkSeparator()
	}
}

// checkBlock is SD-26.
func (d *descriptor) checkBlock() {
	if !d.params.Exists() {
		return
	}
	marker := d.params.Get("SyncMarker")
	switch {
	case !marker.Exists():
		d.at(d.params, sd26.says("ocf-block without SyncMarker").as(Warning).hint("give the 16 bytes of the marker in base64, or write \"ocf-block\" alone"))
	case marker.Kind() != jsonpos.String:
		d.at(marker, sd26.says("SyncMarker must be a string of base64, not %s", marker.Kind()).hint("give 16 bytes in base64"))
	default:
		raw, err := base64.StdEncoding.DecodeString(marker.Text())
		if err != nil {
			d.at(marker, sd26.says("SyncMarker is not base64").hint("give 16 bytes in base64"))
		} else if len(raw) != 16 {
			d.at(marker, sd26.says("SyncMarker decodes to %d bytes, 16 needed", len(raw)).hint("give 16 bytes in base64"))
		}
	}
	if c := d.params.Get("Compress"); c.Exists() && c.Kind() != jsonpos.Null && !strings.EqualFold(c.Text(), "deflate") {
		d.at(c, sd26.says(`Compress must be null or "deflate"`).hint("change its value"))
	}
	if s := d.params.Get("SkipHeader"); s.Exists() && s.Kind() != jsonpos.Bool {
		d.at(s, sd26.says("SkipHeader must be true or false, not %s", s.Kind()).hint("change its value"))
	}
}

// checkSeparator is SD-27, and SD-04 for the parameters of delimited-csv.
func (d *descriptor) checkSeparator() {
	sep := d.params.Get("Separator")
	switch text := sep.Text(); {
	case !sep.Exists():
	case sep.Kind() != jsonpos.String:
		d.at(sep, sd27.says("Separator must be a string, not %s", sep.Kind()).hint(`write "\n"`))
	case text == "":
		d.at(sep, sd27.says("Separator is empty").hint(`write "\n"`))
	case strings.Contains(text, `\`):
		d.at(sep, sd27.says("Separator contains a backslash, which is no line break").as(Warning).hint(`write "\n", not "\\n"`))
	}
	for _, name := range []string{"SkipHeader", "SkipBlankLines"} {
		if v := d.params.Get(name); d.envelope == "delimited-csv" && v.Exists() && v.Kind() != jsonpos.Bool {
			d.at(v, sd04.says("%q must be true or false, not %s", name, v.Kind()).hint("change its value"))
		}
	}
}

// keepsRecords tells whether the transport keeps record boundaries, so that no
// envelope is needed.
func (d *descriptor) keepsRecords() bool {
	return d.transport != nil && d.transport.keeps != nil && d.transport.keeps(d)
}

// separator is what ends a record, or "" where the envelope does not say.
func (d *descriptor) separator() string {
	envelope := d.envelope
	if envelope == "" && !d.keepsRecords() {
		switch d.encoding {
		case "csv":
			envelope = "delimited-csv"
		case "msgpack", "avro-binary", "soap-rpc":
		default:
			envelope = "delimited"
		}
	}
	if sep := d.params.Get("Separator").Text(); sep != "" {
		return sep
	}
	return map[string]string{"delimited": "\n", "delimited-csv": "\r\n"}[envelope]
}

// skipsHeader tells whether the first line of csv names the columns.
func (d *descriptor) skipsHeader() bool {
	v := d.params.Get("SkipHeader")
	return !v.Exists() || v.Bool()
}
