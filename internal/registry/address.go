// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxRedirects is how many redirects net/http follows by itself.
const maxRedirects = 10

// checkRedirect follows redirects as net/http does, but for those into a network
// that the registry is not in.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	return checkAddress(req.Context(), via[len(via)-1].URL, req.URL)
}

// addressError says that a registry sent a client to where only the client can
// get: to the machine itself, to its cloud's metadata or to its private network.
type addressError struct{ from, to string }

func (e *addressError) Error() string {
	return fmt.Sprintf("%s sends clients to the private address %s, which is not followed", e.from, e.to)
}

// checkAddress refuses a way from a registry to a private address unless the
// registry is at one too, as a store behind it may be. Nothing but metadata is at
// link-local addresses. Names are believed: who controls the private network's
// names can send clients there anyway.
func checkAddress(ctx context.Context, from, to *url.URL) error {
	if to.Host == from.Host {
		return nil
	}
	addr, ok := literal(to.Hostname())
	if !ok || !addr.IsLoopback() && !addr.IsPrivate() && !addr.IsLinkLocalUnicast() && !addr.IsUnspecified() {
		return nil
	}
	refused := &addressError{from.Host, to.Host}
	if addr.IsLinkLocalUnicast() {
		return refused
	}
	near, ok := literal(from.Hostname())
	own := []netip.Addr{near}
	if !ok {
		var err error
		if own, err = net.DefaultResolver.LookupNetIP(ctx, "ip", from.Hostname()); err != nil {
			return refused // only a proxy knows where the registry is
		}
	}
	for _, a := range own {
		a = a.Unmap()
		if !a.IsLoopback() && (addr.IsLoopback() || addr.IsUnspecified() || !a.IsPrivate()) {
			return refused
		}
	}
	return nil
}

// literal is a host's address, where it is one or stands for one, in any of the
// spellings that a resolver takes: other cases, a final dot, a zone, and the
// forms of inet_aton.
func literal(host string) (netip.Addr, bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.WithZone("").Unmap(), true
	}
	return legacy(host)
}

// legacy reads one to four numbers, decimal, octal (0…) or hexadecimal (0x…), of
// which the last fills what is left of the four bytes (inet_aton of POSIX).
func legacy(host string) (netip.Addr, bool) {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var addr uint64
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i)
		}
		n, err := strconv.ParseUint(part, 0, bits)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = addr<<bits | n
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(addr))
	return netip.AddrFrom4(b), true
}
