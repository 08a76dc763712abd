// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// text is a string field of a stream's transport.
func (s *boundStream) text(name string) string { return s.fields.Get(name).Text() }

// is tells whether the stream has that transport.
func (s *boundStream) is(name string) bool { return s.transport.name == name }

// usable are the slots whose streams have no errors.
func (c *checker) usable() []int {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.streams)), func(n int) bool { return !c.streams[n].ok })
}

// checkPaths is.
func (c *checker) checkPaths() {
	readers := make(map[string]int)
	for _, n := range c.usable() {
		s := c.streams[n]
		p := s.text("Path")
		if !s.is("file") || n%2 == 1 || isSecretRef(p) {
			continue
		}
		p = path.Clean(p)
		readers[p] = n
		switch kind, _ := c.files.stat(p); kind {
		case missing:
			if _, owned := c.files.owns(p); owned {
				c.addAt(s, "Transport", x12.says("slot %d reads %s, which is not in the image", n, echoPath(p)).hint("bake the file with --asset"))
				break
			}
			fallthrough
		case unseen:
			c.addAt(s, "Transport", x12.says("slot %d reads %s, which the bake does not add", n, echoPath(p)).as(Warning).
				hint("mount a volume there, or bake the file with --asset"))
		}
	}
	for _, n := range c.usable() {
		s := c.streams[n]
		p := s.text("Path")
		if !s.is("file") || n%2 == 0 || isSecretRef(p) {
			continue
		}
		p = path.Clean(p)
		if reader, ok := readers[p]; ok {
			c.addAt(s, "Transport", x13.says("slots %d and %d use the same file %s", reader, n, echoPath(p)).as(Error).hint("write to another file"))
		} else if kind, _ := c.files.stat(path.Dir(p)); kind == missing {
			c.addAt(s, "Transport", x13.says("slot %d writes to %s, which is not in the image", n, echoPath(path.Dir(p))).
				hint("mount a volume there, or write below /tmp"))
		}
	}
}

// target names what an output writes to, or "".
func (s *boundStream) target() string {
	fields := map[string][]string{
		"file": {"Path"}, "TCP": {"Host", "Port"}, "S3": {"Bucket", "ObjectKey"}, "ODBC": {"ConnectionString", "InsertIntoTable"},
	}[s.transport.name]
	var key []string
	for _, f := range fields {
		key = append(key, string(s.fields.Get(f).Raw()))
	}
	return strings.Join(key, " ")
}

// checkTargets is X-14.
func (c *checker) checkTargets() {
	targets := make(map[string]int)
	ports := make(map[int64]int)
	for _, n := range c.usable() {
		s := c.streams[n]
		if key := s.transport.name + " " + s.target(); n%2 == 1 && s.target() != "" {
			if other, ok := targets[key]; ok {
				c.addAt(s, "Transport", x14.says("slots %d and %d write to the same %s target", other, n, s.transport.name).hint("give each slot a target of its own"))
			}
			targets[key] = n
		}
		if port, ok := s.fields.Get("Port").Int(); ok && s.is("UDP") {
			if other, ok := ports[port]; ok {
				c.addAt(s, "Transport", x14.says("slots %d and %d listen on UDP port %d", other, n, port).hint("use another port"))
			} else if port == 8003 {
				c.addAt(s, "Transport", x14.says("slot %d listens on UDP port 8003, the number of the engine's own port", n).hint("use another port"))
			}
			ports[port] = n
		}
	}
	c.checkFeedback()
}

// checkFeedback is X-14 for a Kafka topic that is read and written.
func (c *checker) checkFeedback() {
	for _, in := range c.usable() {
		for _, out := range c.usable() {
			a, b := c.streams[in], c.streams[out]
			if in%2 == 1 || out%2 == 0 || !a.is("Kafka") || !b.is("Kafka") || a.text("Topic") != b.text("Topic") || !a.sharesServer(b) {
				continue
			}
			c.addAt(b, "Transport", x14.says("slots %d and %d use Kafka topic %s: the model feeds itself", in, out, echo(a.text("Topic"))).hint("write to another topic"))
		}
	}
}

// sharesServer tells whether two Kafka streams name the same server.
func (s *boundStream) sharesServer(other *boundStream) bool {
	mine := make(map[string]bool)
	for v := range s.fields.Get("BootstrapServers").Items() {
		mine[v.Text()] = true
	}
	for v := range other.fields.Get("BootstrapServers").Items() {
		if mine[v.Text()] {
			return true
		}
	}
	return false
}

// checkKafkaFiles is X-19.
func (c *checker) checkKafkaFiles() {
	said := make(map[string]bool)
	for _, n := range c.usable() {
		s := c.streams[n]
		keytab := s.text("Keytab")
		if !s.is("Kafka") && !s.is("kafka-offset") || keytab == "" && s.text("Principal") == "" {
			continue
		}
		for _, p := range []string{keytab, "/etc/krb5.conf"} {
			if !path.IsAbs(p) || said[p] {
				continue
			}
			said[p] = true
			f := x19.says("slot %d: authenticated Kafka needs %s", n, echoPath(p)).hint("bake it with --asset, or mount it")
			switch kind, _ := c.files.stat(path.Clean(p)); kind {
			case missing:
				c.addAt(s, "Transport", f)
			case unseen:
				c.addAt(s, "Transport", f.as(Note))
			}
		}
	}
}

// checkOffsets is X-20.
func (c *checker) checkOffsets() {
	for _, n := range c.usable() {
		s := c.streams[n]
		if commit := s.fields.Get("CommitOffset"); !s.is("Kafka") || n%2 == 1 || !commit.Exists() || commit.Bool() {
			continue
		}
		committed := slices.ContainsFunc(c.usable(), func(m int) bool {
			o := c.streams[m]
			return o.is("kafka-offset") && o.text("Topic") == s.text("Topic") && o.text("Group") == s.text("Group")
		})
		if !committed {
			c.addAt(s, "Transport", x20.says("slot %d: offsets of topic %s are never committed", n, echo(s.text("Topic"))).
				hint("bind a kafka-offset stream with the same topic and group, or remove CommitOffset"))
		}
	}
}

// checkLineEnds is X-23.
func (c *checker) checkLineEnds(n int, s *boundStream) {
	if n%2 == 1 || s.encoding != "csv" || !s.is("file") || s.separator() != "\r\n" {
		return
	}
	kind, f := c.files.stat(path.Clean(s.text("Path")))
	if kind != isFile || f.Open == nil {
		return
	}
	head, err := readHead(f, 64<<10)
	if err != nil {
		return // X-12 or the bake itself will say so
	}
	if i := bytes.IndexByte(head, '\n'); i == 0 || i > 0 && head[i-1] != '\r' {
		c.addAt(s, "Envelope", x23.says("slot %d: %s has LF line ends, but the separator is CRLF", n, f.name()).
			hint(`set "Envelope": {"Type": "delimited-csv", "Separator": "\n"}`))
	}
}

func readHead(f *File, n int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	head, err := io.ReadAll(io.LimitReader(r, n))
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.name(), err)
	}
	return head, nil
}
