// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// checkSecrets is SD-54 and SD-55. No finding quotes a value.
func (d *descriptor) checkSecrets(strict bool) {
	d.walkSecrets("", d.root.Get("Transport"), strict)
	if d.transport != nil && d.transport.name == "ODBC" {
		v := d.fields.Get("ConnectionString")
		for _, key := range []string{"Pwd", "Password"} {
			if value := connectionValue(v.Text(), key); isPlainSecret(value) {
				d.plainSecret(v, key+" in ConnectionString", strict)
				break
			}
		}
	}
}

// secretFields are the fields that hold nothing but secrets.
var secretFields = []string{"SecretAccessKey", "AccessKeyID", "Password", "SAMLAssertion"}

// walkSecrets looks at every string of the transport; name is the key it
// belongs to, or the secret's own where that holds more than a string.
func (d *descriptor) walkSecrets(name string, v jsonpos.Value, strict bool) {
	switch v.Kind() {
	case jsonpos.Object:
		for key, value := range v.Members() {
			inner := name
			if !slices.Contains(secretFields, name) {
				if inner = key.Text(); !isWord(inner) {
					inner = unshown
				}
			}
			d.walkSecrets(inner, value, strict)
		}
	case jsonpos.Array:
		for item := range v.Items() {
			d.walkSecrets(name, item, strict)
		}
	case jsonpos.String:
		if name == "Data" || name == "DataBinary" {
			return // test records, not settings
		}
		d.secretString(name, v, strict)
	}
}

func (d *descriptor) secretString(name string, v jsonpos.Value, strict bool) {
	text := v.Text()
	if isSecretRef(text) {
		d.at(v, sd55.says("%s expects secret %s at run time", name, quote(echoPath(strings.TrimPrefix(text, "secret://")))).
			hint("mount it below /run/secrets, or where $SECRET_PATH_ROOT says"))
		return
	}
	switch {
	case slices.Contains(secretFields, name) && isPlainSecret(text):
		d.plainSecret(v, name, strict)
	case hasUserinfo(text, name == "BootstrapServers"):
		d.plainSecret(v, "the password in "+name, strict)
	}
}

// plainSecret is SD-54.
func (d *descriptor) plainSecret(v jsonpos.Value, name string, strict bool) {
	f := sd54.says("%s is readable by everyone who can pull the image", name)
	if strict {
		f = f.as(Error)
	}
	hint := `use "secret://name"`
	if d.transport != nil && (d.transport.name == "HDFS" || d.transport.name == "ODBC" || d.transport.name == "HTTP") {
		hint = "attach the stream at run time; this transport is not documented to read secrets"
	}
	d.at(v, f.hint("%s", hint))
}

// isPlainSecret tells whether the value gives something away.
func isPlainSecret(s string) bool { return strings.Trim(s, "* ") != "" && !isSecretRef(s) }

// hasUserinfo tells whether a URL, or an address, has a password before its
// host.
func hasUserinfo(s string, address bool) bool {
	_, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		if !address {
			return false
		}
		rest = s
	}
	authority, _, _ := strings.Cut(rest, "/")
	userinfo, _, found := strings.Cut(authority, "@")
	_, password, _ := strings.Cut(userinfo, ":")
	return found && (isURL && userinfo != "" || isPlainSecret(password))
}
