// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// stringFields are the fields of each transport whose values are strings, or
// were meant to be.
var stringFields = map[string][]string{
	"REST":         {"Mode", "Timeout"},
	"HTTP":         {"Url", "Chunked"},
	"Kafka":        {"BootstrapServers", "Topic", "Group", "Partition", "Principal", "Keytab", "CommitOffset"},
	"kafka-offset": {"BootstrapServers", "Topic", "Group", "Principal", "Keytab"},
	"S3":           {"Bucket", "ObjectKey", "Region", "AccessKeyID", "SecretAccessKey", "SAMLAssertion"},
	"file":         {"Path"},
	"ODBC":         {"ConnectionString", "SelectQuery", "InsertIntoTable", "OutputFields", "Timeout"},
	"HDFS":         {"NameNode", "Path", "Authentication", "Realm", "KDCHost", "Principal", "Password"},
	"TCP":          {"Host", "Port"},
	"UDP":          {"BindTo", "Port"},
	"exec":         {"Run", "Args"},
	"inline":       {"Data", "DataBinary"},
	"discard":      {"Type"},
	"time":         {"TimeZero", "Overflow"},
	"debug":        {"Data"},
	"console":      {"Prefix"},
}

// secretForms are how a secret gets into a string that no one calls one.
var secretForms = []string{
	"Driver=Oracle Pwd=hunter2",
	"Driver=Oracle,Pwd=hunter2",
	"Driver={Oracle Pwd=hunter2",
	"Driver=Oracle Password hunter2",
	"Driver = FreeTDS ; PWD = hunter2",
	"Pwd:hunter2",
	"https://me:hunter2@host/path",
	"https:/me:hunter2@host",
	"https//me:hunter2@host",
	"me:hunter2@host:9092",
	"host:hunter2",
	"hunter2@host",
	"jdbc:oracle:thin:me/hunter2@host:1521/db",
	"jdbc:postgresql://host/db?user=me&password=hunter2",
	"https://host/container?sv=2020-08-04&sig=hunter2%3D",
	"SharedAccessKeyName=me;SharedAccessKey=hunter2=",
	"/data/password=hunter2/in.json",
	"data/hunter2=",
	"secret:/me:hunter2",
	"secret://me:hunter2@host",
	"secret://hunter2=",
	"hunter2 ",
	"hunter2\n",
	"AQ+hunter2/Zw",
}

// wrongly are ways to write a field, right and wrong.
var wrongly = map[string]func(field, secret string) string{
	"as it is":          func(f, s string) string { return fmt.Sprintf("%s: %s", f, s) },
	"in lower case":     func(f, s string) string { return fmt.Sprintf("%s: %s", strings.ToLower(f), s) },
	"in an array":       func(f, s string) string { return fmt.Sprintf("%s: [%s, %[2]s]", f, s) },
	"in an object":      func(f, s string) string { return fmt.Sprintf(`%s: {"Type": %s, "Value": %[2]s}`, f, s) },
	"nested":            func(f, s string) string { return fmt.Sprintf(`"Options": {%s: [{%[1]s: %s}]}`, f, s) },
	"as a key":          func(f, s string) string { return fmt.Sprintf("%s: 1, %[1]s: 2", s) },
	"twice":             func(f, s string) string { return fmt.Sprintf("%s: %s, %[1]s: %[2]s", f, s) },
	"as a key below":    func(f, s string) string { return fmt.Sprintf("%s: {%s: %[2]s, %[2]s: 1}", f, s) },
	"without a colon":   func(f, s string) string { return fmt.Sprintf("%s %s", f, s) },
	"without a comma":   func(f, s string) string { return fmt.Sprintf(`%s: "x" %s: 1`, f, s) },
	"with another":      func(f, s string) string { return fmt.Sprintf("%s: %s; ", f, s) },
	"without its quote": func(f, s string) string { return fmt.Sprintf("%s: %s", f, s[1:]) },
	"unescaped":         func(f, s string) string { return fmt.Sprintf("%s: \"%s\"", f, s) },
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // no string is an error
	}
	return string(text)
}

// leaks checks a descriptor on both sides of a model and tells whether a
// finding shows the secret.
func leaks(t *testing.T, descriptor string) {
	t.Helper()
	img := bakery{"0.json": descriptor, "1.json": descriptor}.over().image()
	for _, f := range engine.Check(img, engine.Options{StrictSecrets: true}) {
		if strings.Contains(strings.ToLower(f.Message+f.Hint), "hunter2") {
			t.Errorf("%s\n%s", descriptor, show(f))
		}
	}
}

// A finding shows no part of a descriptor that could be a secret, wherever it
// stands and however the descriptor is broken.
func TestNoFindingShowsASecret(t *testing.T) {
	for transport, fields := range stringFields {
		t.Run(transport, func(t *testing.T) {
			for _, field := range fields {
				forms := secretForms
				if slices.Contains([]string{"AccessKeyID", "SecretAccessKey", "SAMLAssertion", "Password", "Principal", "ConnectionString"}, field) {
					forms = append(slices.Clone(forms), "hunter2")
				}
				for _, secret := range forms {
					for how, write := range wrongly {
						if secret == "hunter2" && how == "as a key" {
							continue // nothing tells it from a name
						}
						member := write(quoted(field), quoted(secret))
						leaks(t, fmt.Sprintf(`{"Transport": {"Type": %q, %s}, "Encoding": "json"}`, transport, member))
						leaks(t, fmt.Sprintf(`{"Transport": {%s, "Type": %q}, "Encoding": "csv"}`, member, strings.ToUpper(transport)))
					}
				}
			}
		})
	}
	for _, field := range []string{"Version", "Description", "Transport", "Encoding", "Envelope", "Schema", "Batching", "SkipToRecord", "SkipTo", "EndMarker", "Loop", "Rotate", "Url"} {
		t.Run(field, func(t *testing.T) {
			for _, secret := range secretForms {
				for _, write := range wrongly {
					leaks(t, fmt.Sprintf(`{"Transport": {"Type": "Kafka", "BootstrapServers": ["k:1"], "Topic": "t"}, %s}`, write(quoted(field), quoted(secret))))
				}
			}
		})
	}
}

// Nor does a finding about the schema in a descriptor.
func TestNoFindingShowsASecretOfASchema(t *testing.T) {
	for _, schema := range []string{
		`{"$ref": %s}`, `{"$ref": %s, "x": 1}`, `{"type": %s}`, `[%s, %[1]s]`, `{%s: 1, %[1]s: 2}`, `{"type": "int", %s: 1}`,
		`{"type": "record", "name": %s}`, `{"type": "record", "name": %s, "fields": [1, {"name": %[1]s}, {"name": %[1]s, "type": %[1]s}]}`,
		`[{"type": "fixed", "name": %s, "size": 1}, {"type": "fixed", "name": %[1]s, "size": 1}, "fixed"]`,
		`{"type": "record", "name": "R", "namespace": %s, "fields": [{"name": "a", "type": "int", "default": %[1]s, %[1]s: 1}]}`,
		`{"type": "enum", "name": "E", "symbols": [%s, %[1]s]}`,
		`{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "enum", "name": "E", "symbols": ["x"]}, "default": %s}]}`,
	} {
		for _, secret := range secretForms {
			for _, encoding := range []string{"null", `"csv"`, `"soap-rpc"`} {
				leaks(t, fmt.Sprintf(`{"Transport": "REST", "Encoding": %s, "Schema": %s}`, encoding, fmt.Sprintf(schema, quoted(secret))))
			}
		}
	}
}

// Nor do findings about variables that were meant as URLs.
func TestNoFindingShowsASecretOfAVariable(t *testing.T) {
	for _, value := range []string{
		"STREAMS=0:https://me:hunter2@host/", "STREAMS=0:kafka:me:hunter2@host:9092/t.json", "STREAMS=https://me:hunter2@host", "SCHEMAS=in=https//me@hunter2",
		"CONNECT_PREFIX=https://me:hunter2@host:8001", "CONNECT_PREFIX=me:hunter2@host", "CONNECT_PREFIX=https://host:8001/?k=hunter2",
		"CONNECT_PREFIX=https://host/@hunter2", "CONNECT_PREFIX=https://host:hunter2", "CONNECT_PREFIX=https://host/token=hunter2", "CONNECT_PREFIX=\"https://me:hunter2@h\"",
	} {
		_, found := engine.Decode([]string{"MODEL=/m.py3", value})
		if text := showAll(found); len(found) == 0 || strings.Contains(text, "hunter2") {
			t.Errorf("%s\n%s", value, text)
		}
	}
}

// What cannot be a secret is shown, so that findings can be understood.
func TestFindingsShowNames(t *testing.T) {
	for descriptor, want := range map[string]string{
		`{"Transport": "kafak"}`:              `unknown transport "kafak"`,
		`{"Transport": "REST", "Encodng": 1}`: `unknown field "Encodng"`,
		`{"Transport": "REST", "Encoding": "json", "Schema": {"$ref": "in-put.v2"}}`:                                      `schema "in-put.v2" is not bound`,
		`{"Transport": {"Type": "file", "Path": "data/in.json"}}`:                                                         `Path "data/in.json" must be absolute`,
		`{"Transport": {"Type": "Kafka", "BootstrapServers": ["kafka-0.example.com"], "Topic": "t"}, "Encoding": "json"}`: `bootstrap server "kafka-0.example.com" has no port`,
		`{"Transport": {"Type": "ODBC", "ConnectionString": "Driver={Oracle 19 ODBC driver};Pwd=x", "SelectQuery": "s"}}`: `driver "Oracle 19 ODBC driver" is not supported`,
	} {
		if text := showAll(bakery{"0.json": descriptor}.check()); !strings.Contains(text, want) {
			t.Errorf("%s: want %s; got\n%s", descriptor, want, text)
		}
	}
}
