// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"encoding/base64"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// checkS3 is SD-46.
func checkS3(d *descriptor) {
	if b := d.fields.Get("Bucket"); b.Text() != "" && !isSecretRef(b.Text()) {
		switch n := len(b.Text()); {
		case n < 3:
			d.at(b, sd46.says("Bucket %s is shorter than 3 characters", echo(b.Text())).hint("bucket names have 3 to 63 characters"))
		case n > 63:
			d.at(b, sd46.says("Bucket %s is longer than 63 characters", echo(b.Text())).hint("bucket names have 3 to 63 characters"))
		}
	}
	if k := d.fields.Get("ObjectKey"); len(k.Text()) > 1024 {
		d.at(k, sd46.says("ObjectKey has %d bytes; 1024 are allowed", len(k.Text())).hint("use a shorter key"))
	}
	id, secret := d.fields.Get("AccessKeyID"), d.fields.Get("SecretAccessKey")
	if id.Exists() != secret.Exists() {
		given, lacks := id, "SecretAccessKey"
		if secret.Exists() {
			given, lacks = secret, "AccessKeyID"
		}
		d.at(given, sd46.says("%s is missing", lacks).hint("give both keys, or none"))
	}
	for _, name := range []string{"AccessKeyID", "SecretAccessKey", "Region"} {
		if v := d.fields.Get(name); v.Kind() == jsonpos.String && v.Text() == "" {
			d.at(v, sd46.says("%s is empty", name).as(Warning).hint("remove it"))
		}
	}
}

// checkHDFS is SD-47 to SD-49.
func checkHDFS(d *descriptor) {
	checkAbsolutePath(d)
	d.checkAddress(d.fields.Get("NameNode"), "NameNode")
	auth := d.fields.Get("Authentication")
	if auth.Kind() != jsonpos.Object {
		return
	}
	if !strings.EqualFold(auth.Get("Type").Text(), "Kerberos") {
		d.at(auth, sd47.says("HDFS authentication must be null or of Type Kerberos").hint(`write {"Type": "Kerberos", "Realm": …, "KDCHost": …, "Principal": …, "Password": …}`))
		return
	}
	for _, name := range []string{"Realm", "KDCHost", "Principal", "Password"} {
		if v := auth.Get(name); v.Kind() != jsonpos.String || v.Text() == "" {
			d.at(auth, sd47.says("Kerberos authentication needs %q", name).hint("add it"))
		}
	}
	d.checkAddress(auth.Get("KDCHost"), "KDCHost")
}

// checkInline is SD-42.
func checkInline(d *descriptor) {
	data, binary := d.fields.Get("Data"), d.fields.Get("DataBinary")
	if !d.fields.Exists() {
		return // SD-07
	}
	if data.Exists() == binary.Exists() {
		d.at(d.fields, sd42.says("inline needs exactly one of Data and DataBinary").hint("give the records as an array of strings"))
	}
	bad := func(v jsonpos.Value) bool {
		_, err := base64.StdEncoding.DecodeString(v.Text())
		return v.Kind() == jsonpos.String && err != nil
	}
	if bad(binary) {
		d.at(binary, sd42.says("DataBinary is not base64").hint("encode it, or use Data"))
	}
	for item := range binary.Items() {
		if bad(item) {
			d.at(item, sd42.says("an element of DataBinary is not base64").hint("encode it, or use Data"))
		}
	}
}

// checkODBC is SD-39 and SD-41.
func checkODBC(d *descriptor) {
	if key, v := d.fields.Member("OutputFields"); v.Exists() && !d.fields.Get("InsertIntoTable").Exists() {
		d.at(key, sd39.says("OutputFields needs InsertIntoTable").hint("name the table, or remove OutputFields"))
	}
	v := d.fields.Get("ConnectionString")
	driver := driverOf(v.Text())
	if driver == "" || isSecretRef(v.Text()) {
		return
	}
	lower := strings.ToLower(driver)
	for _, known := range []string{"freetds", "sql server", "mssql", "tds", "postgres", "psqlodbc"} {
		if strings.Contains(lower, known) {
			return
		}
	}
	d.at(v, sd41.says("driver %s is not supported (MSSQL, PostgreSQL)", echoDriver(driver)).hint("use FreeTDS, SQL Server or PostgreSQL"))
}

// driverOf is the driver of an ODBC connection string: what is in braces, or the
// first word, since a separator that was left out would make more of it.
func driverOf(s string) string {
	value := connectionValue(s, "driver")
	if inner, braced := strings.CutPrefix(value, "{"); braced {
		inner, _, _ = strings.Cut(inner, "}")
		return inner
	}
	word, _, _ := strings.Cut(value, " ")
	return word
}

// echoDriver is a driver's name, which has spaces, if it may be shown.
func echoDriver(driver string) string {
	for word := range strings.FieldsSeq(driver) {
		if !isWord(word) {
			return quote(unshown)
		}
	}
	return quote(driver)
}

// connectionValue finds a key of an ODBC connection string.
func connectionValue(s, key string) string {
	for part := range strings.SplitSeq(s, ";") {
		k, v, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(k), key) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// checkTime is SD-50.
func checkTime(d *descriptor) {
	if v := d.root.Get("Envelope"); v.Exists() && v.Kind() != jsonpos.Null {
		d.at(v, sd50.says("time streams have no envelope").hint("remove Envelope"))
	}
	if v := d.root.Get("Encoding"); v.Exists() && d.encoding != "bert" {
		d.at(v, sd50.says("time streams have their own encoding").hint("remove Encoding"))
	}
	if v := d.root.Get("Batching"); v.Exists() && v.Kind() != jsonpos.Null {
		d.at(v, sd50.says("time streams must not batch").hint(`set "Batching" to null, or remove it`))
	}
	if v := d.fields.Get("Overflow"); v.Kind() == jsonpos.String && v.Text() != "all" && v.Text() != "skip" {
		d.at(v, sd50.says(`Overflow must be "all" or "skip"`).hint("change its value"))
	}
}
