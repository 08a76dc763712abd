// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"errors"
	"net/url"
	"testing"
)

// TestCheckAddress is in the package: a test cannot be at a public address.
func TestCheckAddress(t *testing.T) {
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"https://192.0.2.1", "https://cdn.example.com/x", true},
		{"https://192.0.2.1", "https://198.51.100.7/x", true},
		{"https://192.0.2.1:5000", "https://192.0.2.1:5000/x", true},
		{"https://192.0.2.1", "http://169.254.169.254/latest/meta-data", false},
		{"https://192.0.2.1", "http://[fe80::1]/", false},
		{"https://192.0.2.1", "http://127.0.0.1:9000/", false},
		{"https://192.0.2.1", "http://[::1]:9000/", false},
		{"https://192.0.2.1", "http://[::ffff:127.0.0.1]:9000/", false},
		{"https://192.0.2.1", "http://localhost:9000/", false},
		{"https://192.0.2.1", "http://x.localhost/", false},
		{"https://192.0.2.1", "http://LOCALHOST:9000/", false},
		{"https://192.0.2.1", "http://localhost.:9000/", false},
		{"https://192.0.2.1", "http://127.0.0.1.:9000/", false},
		{"https://192.0.2.1", "http://[fe80::1%25eth0]/", false},
		{"https://192.0.2.1", "http://[::1%25lo]/", false},
		{"https://192.0.2.1", "http://2852039166/", false},
		{"https://192.0.2.1", "http://0xa9fea9fe/", false},
		{"https://192.0.2.1", "http://0XA9.254.0251.0xFE/", false},
		{"https://192.0.2.1", "http://127.1:9000/", false},
		{"https://192.0.2.1", "http://10.7/", false},
		{"https://192.0.2.1", "http://172.16.257/", false},
		{"https://192.0.2.1", "http://0/", false},
		{"https://192.0.2.1", "http://0xc6336407/", true},
		{"https://192.0.2.1", "http://cafe.example.com/", true},
		{"https://192.0.2.1", "http://10.example/", true},
		{"http://LOCALHOST:5000", "http://127.0.0.1:9000/", true},
		{"https://192.0.2.1", "http://0.0.0.0:9000/", false},
		{"https://192.0.2.1", "https://10.0.0.7:9000/", false},
		{"https://192.0.2.1", "https://[fd00::7]/", false},
		{"https://10.0.0.5", "https://10.0.0.7:9000/", true},
		{"https://[fd00::5]", "https://192.168.0.7/", true},
		{"https://10.0.0.5", "http://127.0.0.1:9000/", false},
		{"https://10.0.0.5", "http://169.254.169.254/", false},
		{"http://127.0.0.1:5000", "http://127.0.0.1:9000/", true},
		{"http://localhost:5000", "http://[::1]:9000/", true},
		{"http://127.0.0.1:5000", "http://10.0.0.7:9000/", true},
		{"http://127.0.0.1:5000", "http://169.254.169.254/", false},
	} {
		from, err := url.Parse(c.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(c.to)
		if err != nil {
			t.Fatal(err)
		}
		err = checkAddress(t.Context(), from, to)
		var refused *addressError
		if (err == nil) != c.ok || !c.ok && !errors.As(err, &refused) {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
}
