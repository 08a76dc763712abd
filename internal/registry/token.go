// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"errors"
	"net/http"
	"strings"
)

// tokenFailure is the error of go-containerregistry for a token that could not
// be had, without what a registry or a token server wrote: its answer, and
// addresses whose queries may hold secrets.
func tokenFailure(err error) error {
	err = withoutURL(err)
	text := err.Error()
	switch {
	case strings.HasPrefix(text, "no token in bearer response"):
		return errNoToken
	case strings.HasPrefix(text, "malformed www-authenticate"):
		return &realmError{"the registry names no token server"}
	case strings.HasPrefix(text, "invalid realm"):
		return &realmError{"the registry names a token server that is not asked: " + whyNotAsked(text)}
	case strings.HasPrefix(text, "refusing token-server redirect"):
		return &realmError{"the token server redirects to where no token is asked for: " + whyNotAsked(text)}
	}
	return err
}

// whyNotAsked is the reason in text, which quotes an address, for not asking a
// token server. go-containerregistry exports no kinds of it.
func whyNotAsked(text string) string {
	switch {
	case strings.HasSuffix(text, "is a private or link-local address"):
		return "it is at a private or link-local address"
	case strings.HasSuffix(text, "use https"), strings.HasSuffix(text, "for insecure registries)"):
		return "it does not speak https"
	}
	return "its address is not valid"
}

var errNoToken = errors.New("the token server's answer holds no token")

// realmError says that there is no token server that may be asked.
type realmError struct{ why string }

func (e *realmError) Error() string { return e.why }

// errLocation is for a redirect that net/http would quote.
var errLocation = errors.New("a redirect has no valid Location")

// checkAnswer refuses a redirect that repeats a token request elsewhere: its
// form holds the identity token, which net/http sends again with 307 and 308.
func checkAnswer(res *http.Response) error {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	if res.Header.Get("Location") == "" {
		return nil
	}
	to, err := res.Location()
	if err != nil {
		return errLocation
	}
	again := res.StatusCode == http.StatusTemporaryRedirect || res.StatusCode == http.StatusPermanentRedirect
	if again && isForm(res.Request) && to.Host != res.Request.URL.Host {
		return &realmError{"the token server redirects a password or a token to another host"}
	}
	return nil
}

// isForm reports whether req is a token request of OAuth 2.
func isForm(req *http.Request) bool {
	return req.Method == http.MethodPost && req.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
}
