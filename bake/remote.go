// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// RemoteOptions say how registries are reached; the zero value works and is
// anonymous.
type RemoteOptions struct {
	Keychain  authn.Keychain    // finds credentials; nil is anonymous
	Transport http.RoundTripper // carries requests; nil is one with TLS defaults and the environment's proxies
	Insecure  bool              // allow plain HTTP and unverified TLS names beyond loopback hosts
	Retries   int               // after a passing failure; 0 is the default (4), negative is never
	Timeout   time.Duration     // of an attempt in which no byte moves; 0 is the default (1 min)
	Jobs      int               // blobs of more than 64 KiB moved at once; 0 is the default (8)
	UserAgent string            // names the program to registries
	Logger    *slog.Logger      // hears of retries and fallbacks; nil discards

	// Mirrors are copies of registries, HOST[:PORT][/PATH] each, under the
	// host of the registry that they copy. Images to bake on are read from the
	// first that has them, and from the registry where none does or what it
	// says ends in an error; only content that does not match its digest is
	// final (ErrIntegrity). What a mirror holds under a tag is taken for what
	// the registry does. A mirror gets credentials that the Keychain has for
	// itself, never the registry's.
	Mirrors map[string][]string
}

// defaultJobs is how many blobs move at once: enough to fill a line whose
// round trips are long, few enough for a registry's rate limits.
const defaultJobs = 8

// How long a mirror is waited for that is silent, and one that asks to wait:
// less than takes to read from the registry instead.
const (
	mirrorTimeout = 10 * time.Second
	mirrorMaxWait = time.Second
)

// Remote is the way to registries, shared by every call that is given it:
// connections, tokens, what each registry turned out to support, and which of
// them holds which blob.
type Remote struct {
	client       *registry.Client
	mirrorClient *registry.Client     // soon gives up: there is somebody else to ask
	mirrors      map[string][]*mirror // by the registry that they copy
	insecure     bool
	logger       *slog.Logger
	ledger       *ledger
	checks       *layout.Checks // of blobs in image layouts
	moving       chan struct{}  // one token for each blob whose bytes move, but small ones
	asking       chan struct{}  // one token for each request that moves no blob, or a small one
}

// NewRemote returns a Remote that has contacted nothing yet. A nil *Remote
// stands for NewRemote(RemoteOptions{}) wherever one is asked for.
func NewRemote(opts RemoteOptions) *Remote {
	if opts.Jobs <= 0 {
		opts.Jobs = defaultJobs
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	client := registry.Options{
		Keychain:  opts.Keychain,
		Transport: opts.Transport,
		Insecure:  opts.Insecure,
		Retries:   opts.Retries,
		Timeout:   opts.Timeout,
		UserAgent: opts.UserAgent,
		Logger:    opts.Logger,
	}
	mirrorClient := client
	if client.Retries >= 0 {
		mirrorClient.Retries = 1
	}
	if client.Timeout <= 0 || client.Timeout > mirrorTimeout {
		mirrorClient.Timeout = mirrorTimeout
	}
	mirrorClient.MaxWait = mirrorMaxWait
	return &Remote{
		client:       registry.New(client),
		mirrorClient: registry.New(mirrorClient),
		mirrors:      newMirrors(opts.Mirrors),
		insecure:     opts.Insecure,
		logger:       opts.Logger,
		ledger:       newLedger(),
		checks:       layout.NewChecks(),
		moving:       make(chan struct{}, opts.Jobs),
		asking:       make(chan struct{}, min(maxAsking, 4*opts.Jobs)),
	}
}

func (r *Remote) orDefault() *Remote {
	if r == nil {
		return NewRemote(RemoteOptions{})
	}
	return r
}

// Requests is how many HTTP requests were sent through r so far.
func (r *Remote) Requests() int64 { return r.client.Requests() + r.mirrorClient.Requests() }
