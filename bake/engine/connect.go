// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"net/url"
	"strconv"
	"strings"
)

// checkConnectPrefix is ENV-12. It never quotes the value: a URL may carry a
// password.
func checkConnectPrefix(value string) []Finding {
	bad := func(format string, args ...any) []Finding {
		return []Finding{env12.says("CONNECT_PREFIX "+format, args...).of(varConnectPrefix).
			hint("write https://HOST:PORT, for example https://connect:8001")}
	}
	u, err := url.Parse(value)
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return bad("contains white space, a control or a non-ASCII character")
	case err != nil || !strings.Contains(value, "://"):
		return bad("is not a URL; expected https://host:8001")
	case u.Scheme != "https" && u.Scheme != "http":
		return bad("has the scheme %s; expected https", echo(u.Scheme))
	case u.User != nil:
		return bad("contains a user name or password")
	case !validHost(u.Hostname()):
		return bad("has no valid host")
	case strings.HasSuffix(u.Host, ":") || u.Port() != "" && !validPort(u.Port()):
		return bad("has no valid port")
	case u.Path != "" && u.Path != "/":
		return bad("has the path %s; expected none", quote(echoPath(u.Path)))
	case strings.ContainsAny(value, "?#"):
		return bad("has a query or a fragment; expected none")
	case u.Scheme == "http":
		return []Finding{env12.says("CONNECT_PREFIX is not encrypted (http)").of(varConnectPrefix).as(Warning).
			hint("Connect listens on https, by default on port 8001")}
	}
	return nil
}

func validPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 1 && n <= 65535
}

// validHost tells whether host is a name or an address; url.Parse has checked
// the brackets of an IPv6 address and taken them off.
func validHost(host string) bool {
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%") == ""
}
