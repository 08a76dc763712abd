// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A tokenServer issues the tokens of a docker-registry (distribution project,
// "Token Authentication Specification"): it grants of the scopes that are asked
// for what the user may have.
type tokenServer struct {
	vault    *vault
	realm    string
	key      *ecdsa.PrivateKey
	cert     []byte        // of the key, DER
	lifetime time.Duration // of a token

	mu    sync.Mutex
	users map[string]map[string]string // USER:PASSWORD to repository patterns to actions; "" is anybody
	asked []asked
}

// asked is one request for a token.
type asked struct {
	user   string // USER:PASSWORD
	scopes []string
}

// leeway is for how long docker-registry believes a token that is over.
const leeway = time.Minute

// startTokenRegistry runs a docker-registry that wants tokens, and its token
// server. Users are added with allow.
func startTokenRegistry(t testing.TB, v *vault) (string, *tokenServer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "token server"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
	s := &tokenServer{vault: v, key: key, lifetime: 5 * time.Minute, users: map[string]map[string]string{}}
	if s.cert, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// By its name: an address on loopback is refused as the realm of a registry
	// that has another.
	s.realm = "http://localhost:" + port + "/token"
	bundle := writeFile(t, "roots.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert})))
	return startRegistryWith(t, registrySetup{auth: fmt.Sprintf(
		"auth:\n  token: {realm: %q, service: registry, issuer: tests, rootcertbundle: %q}", s.realm, bundle)}), s
}

// allow lets USER:PASSWORD, or with "" anybody, do actions in repositories.
func (s *tokenServer) allow(account, repositories, actions string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[account] == nil {
		s.users[account] = map[string]string{}
	}
	s.users[account][repositories] = actions
}

// setLifetime is how long the tokens that are issued from now on are good.
func (s *tokenServer) setLifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifetime = d
}

// requests are those since it was asked last.
func (s *tokenServer) requests() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.asked
	s.asked = nil
	return all
}

func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account := ""
	if user, password, ok := r.BasicAuth(); ok {
		account = user + ":" + password
	}
	scopes := strings.Fields(strings.Join(r.URL.Query()["scope"], " "))
	s.asked = append(s.asked, asked{account, scopes})
	rights, known := s.users[account]
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]}`)
		return
	}
	token, err := s.sign(granted(rights, scopes))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	s.vault.keep(token)
	fmt.Fprintf(w, `{"token": %q}`, token)
}

// An access is an entry of a token's claim of that name.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

func granted(rights map[string]string, scopes []string) []access {
	out := []access{}
	for _, scope := range scopes {
		part := strings.Split(scope, ":")
		if len(part) != 3 {
			continue
		}
		a := access{Type: part[0], Name: part[1], Actions: []string{}}
		for pattern, actions := range rights {
			if ok, _ := path.Match(pattern, a.Name); !ok {
				continue
			}
			for action := range strings.SplitSeq(part[2], ",") {
				if slices.Contains(strings.Split(actions, ","), action) {
					a.Actions = append(a.Actions, action)
				}
			}
		}
		out = append(out, a)
	}
	return out
}

// sign makes a token (RFC 7519) that shows its certificate.
func (s *tokenServer) sign(rights []access) (string, error) {
	now := time.Now()
	header, err := json.Marshal(map[string]any{"typ": "JWT", "alg": "ES256", "x5c": []string{base64.StdEncoding.EncodeToString(s.cert)}})
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{
		"iss": "tests", "aud": "registry", "sub": "", "jti": rand.Text(), "access": rights,
		"iat": now.Unix(), "nbf": now.Unix() - 10, "exp": now.Add(s.lifetime - leeway).Unix(),
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	r, ss, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		return "", err
	}
	signature := ss.FillBytes(append(r.FillBytes(make([]byte, 32)), make([]byte, 32)...)[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), signature...)), nil
}
