// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

func (d *descriptor) simpleREST() bool {
	return !strings.EqualFold(d.fields.Get("Mode").Text(), "chunked")
}

func (d *descriptor) chunked() bool { return d.fields.Get("Chunked").Bool() }

func (d *descriptor) inlineArray() bool {
	return d.fields.Get("Data").Kind() == jsonpos.Array || d.fields.Get("DataBinary").Kind() == jsonpos.Array
}

// isSecretRef tells whether the value is mounted at run time, so that its form
// says nothing.
func isSecretRef(s string) bool { return strings.HasPrefix(s, "secret://") }

func checkREST(d *descriptor) {
	if v := d.fields.Get("Mode"); v.Kind() == jsonpos.String && !strings.EqualFold(v.Text(), "simple") && !strings.EqualFold(v.Text(), "chunked") {
		d.at(v, sd04.says(`REST: "Mode" must be "simple" or "chunked"`).hint("change its value"))
	}
}

// checkHTTP is SD-49. The URL is not quoted: it may have a password.
func checkHTTP(d *descriptor) {
	v := d.fields.Get("Url")
	if v.Kind() != jsonpos.String || isEmpty(v) || isSecretRef(v.Text()) {
		return
	}
	u, err := url.Parse(v.Text())
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		d.at(v, sd49.says("HTTP Url must be an absolute http or https URL").hint("write https://HOST/PATH"))
	}
}

// checkAbsolutePath is SD-49 for files.
func checkAbsolutePath(d *descriptor) {
	v := d.fields.Get("Path")
	if text := v.Text(); text != "" && !path.IsAbs(text) && !isSecretRef(text) {
		base := "FILE"
		if echoPath(text) == text {
			base = path.Base(text)
		}
		d.at(v, sd49.says("%s Path %s must be absolute in the container", d.transport.name, quote(echoPath(text))).hint("write /assets/%s", base))
	}
}

// checkPort is SD-48.
func checkPort(d *descriptor) {
	v := d.fields.Get("Port")
	if n, ok := v.Int(); ok && (n < 1 || n > 65535) {
		d.at(v, sd48.says("Port %d is out of range", n).hint("ports are 1 to 65535"))
	}
}

// splitPort cuts a port off an address. It returns "" for no port.
func splitPort(address string) (host, port string) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 || strings.HasSuffix(address, "]") {
		return address, ""
	}
	return address[:i], address[i+1:]
}

// checkAddress is SD-48 for the port of host[:port].
func (d *descriptor) checkAddress(v jsonpos.Value, what string) {
	if _, port := splitPort(v.Text()); port != "" && !isSecretRef(v.Text()) {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			d.at(v, sd48.says("the port of %s is out of range", what).hint("ports are 1 to 65535"))
		}
	}
}

// checkKafka is SD-44 and SD-45. Addresses may have passwords and are not
// quoted as they are.
func checkKafka(d *descriptor) {
	for v := range d.fields.Get("BootstrapServers").Items() {
		text := v.Text()
		if v.Kind() != jsonpos.String || isSecretRef(text) {
			continue
		}
		host, port := splitPort(text)
		host = host[strings.LastIndexByte(host, '@')+1:]
		number, err := strconv.Atoi(port)
		switch {
		case strings.Contains(text, "://"):
			d.at(v, sd44.says("a bootstrap server is a URL").hint("write host:port"))
		case host == "" || strings.ContainsAny(host, " \t,;/"):
			d.at(v, sd44.says("a bootstrap server is not host:port").hint("write one host:port an entry"))
		case port == "":
			d.at(v, sd44.says("bootstrap server %s has no port", echo(host)).as(Warning).hint("write HOST:9092"))
		case err != nil:
			d.at(v, sd44.says("bootstrap server %s has no number for a port", echo(host)).hint("write HOST:9092"))
		case number < 1 || number > 65535:
			d.at(v, sd48.says("the port of bootstrap server %s is out of range", echo(host)).hint("ports are 1 to 65535"))
		}
	}
	for _, name := range []string{"Partition", "MaxWaitTime"} {
		if v := d.fields.Get(name); v.Kind() == jsonpos.Number {
			if n, ok := v.Int(); ok && n < 0 {
				d.at(v, sd44.says("%s must not be negative", name).hint("remove it for its default"))
			}
		}
	}
	has := func(name string) bool { v := d.fields.Get(name); return v.Kind() == jsonpos.String && v.Text() != "" }
	if p, k := has("Principal"), has("Keytab"); p != k {
		given, lacks := "Principal", "Keytab"
		if k {
			given, lacks = lacks, given
		}
		d.at(d.fields.Get(given), sd45.says("%s given without %s", given, lacks).hint("Kerberos needs both"))
	}
}

// checkKafkaOffset is SD-43.
func checkKafkaOffset(d *descriptor) {
	checkKafka(d)
	if !d.fields.Exists() {
		return // SD-07
	}
	if g := d.fields.Get("Group"); g.Text() == "" {
		d.at(d.root.Get("Transport"), sd43.says(`kafka-offset needs "Group"`).hint("name the consumer group whose offsets are committed"))
	}
	if c := d.fields.Get("CommitOffset"); c.Kind() == jsonpos.Bool && !c.Bool() {
		d.at(c, sd43.says("kafka-offset cannot have CommitOffset false").hint("remove it"))
	}
}
