// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// latency is long compared to what a request takes to be handled, so that
// RoundTrips counts what waits for what.
const latency = 100 * time.Millisecond

func TestTraffic(t *testing.T) {
	large := fstest.MapFS{"large.bin": {Data: random(2<<20, 1)}}
	for _, tc := range []struct {
		name                 string
		opts                 regserver.Options
		dest                 string
		large                bool
		requests, roundTrips int
		mounts               int
	}{
		{name: "another repository", dest: "team/scorer", requests: 20, roundTrips: 4, mounts: 10},
		{
			// Six, and what is mounted while the stream is still being read.
			name: "another repository, large model", dest: "team/scorer", large: true,
			requests: 21, roundTrips: 7, mounts: 10,
		},
		{
			name: "a registry without monolithic POST", opts: regserver.Options{NoMonolithicPost: true},
			dest: "team/scorer", requests: 20, roundTrips: 5, mounts: 10,
		},
		{name: "the base's repository", dest: "team/base", requests: 10, roundTrips: 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 10})
			var near atomic.Bool // the test itself need not wait
			srv := startWith(t, registrytest.Options{Options: tc.opts, Faults: func(int, *http.Request) registrytest.Fault {
				if near.Load() {
					return registrytest.Fault{}
				}
				return registrytest.Fault{Delay: latency}
			}}, base)
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/"+tc.dest+":2")
			if tc.large {
				files := scorerFiles()
				files["model.py3"] = large["large.bin"]
				spec.FS = files
			}
			remote := bake.NewRemote(bake.RemoteOptions{})
			report, err := bake.Bake(t.Context(), spec, remote, bake.Options{NoCheck: true})
			if err != nil {
				t.Fatal(err)
			}
			requests, trips, mounts := len(srv.Requests()), srv.RoundTrips(), srv.Count("POST", "/v2/"+tc.dest+"/blobs/uploads/")
			if requests > tc.requests {
				t.Errorf("%d requests, want at most %d", requests, tc.requests)
			}
			if trips > tc.roundTrips {
				t.Errorf("%d round trips, want at most %d", trips, tc.roundTrips)
			}
			if mounts < tc.mounts {
				t.Errorf("%d mounts and uploads, want at least %d", mounts, tc.mounts)
			}
			if got := report.Transfer.Requests; got != remote.Requests() || got != int64(requests) {
				t.Errorf("the report has %d requests, the remote %d, the registry %d", got, remote.Requests(), requests)
			}
			config := manifestOf(t, base).Config.Size
			if got := srv.DownloadedBlobBytes(); got != config {
				t.Errorf("%d bytes of blobs were downloaded, want the config's %d", got, config)
			}
			near.Store(true)
			pullImage(t, srv.Host+"/"+tc.dest+":2")
			pullImage(t, srv.Host+"/team/base:1")
		})
	}
}

// layersSize is the size of an image's layers.
func layersSize(t *testing.T, srv *registrytest.Server, ref string) int64 {
	t.Helper()
	var n int64
	for _, l := range manifestOf(t, pullImage(t, srv.Host+"/"+ref)).Layers {
		n += l.Size
	}
	return n
}

func TestOtherRegistry(t *testing.T) {
	from := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 4, LayerSize: 100 << 10}))
	to := registrytest.Start(t, registrytest.Options{})
	size := layersSize(t, from, "team/base:1")
	from.Reset()

	spec := scorer(from.Host+"/team/base:1", to.Host+"/team/scorer:1")
	first := doBake(t, spec)
	if n := from.Count("GET", "/v2/team/base/blobs/*"); n != 5 {
		t.Errorf("%d blobs were read, want the config and four layers", n)
	}
	if first.Transfer.CopiedBytes != size || first.Transfer.ReusedBytes != 0 {
		t.Errorf("the first bake copied %d bytes and reused %d, want %d and 0", first.Transfer.CopiedBytes, first.Transfer.ReusedBytes, size)
	}
	if got := to.UploadedBlobBytes(); got != first.Transfer.CopiedBytes+first.Transfer.UploadedBytes {
		t.Errorf("%d bytes arrived, the report says %d and %d", got, first.Transfer.CopiedBytes, first.Transfer.UploadedBytes)
	}
	pullImage(t, to.Host+"/team/scorer:1")

	from.Reset()
	to.Reset()
	spec.Tags = []string{to.Host + "/team/scorer:2"}
	second := doBake(t, spec)
	if n := from.Count("GET", "/v2/team/base/blobs/*"); n != 1 {
		t.Errorf("%d blobs were read again, want the config", n)
	}
	if second.Transfer.CopiedBytes != 0 || second.Transfer.ReusedBytes != size {
		t.Errorf("the second bake copied %d bytes and reused %d, want 0 and %d", second.Transfer.CopiedBytes, second.Transfer.ReusedBytes, size)
	}
	if first.Digest != second.Digest {
		t.Errorf("digests %s and %s", first.Digest, second.Digest)
	}
}

func TestMountRefused(t *testing.T) {
	t.Parallel()
	everything := []string{"pull", "push"}
	user := registrytest.User{Password: "p", Rights: []registrytest.Right{{Repos: "team/*", Actions: everything}}}
	auth := func(refusal int, bearer *registrytest.Bearer) *registrytest.Auth {
		// The base may be read by everybody, but only without credentials: a
		// mount needs both rights in one request.
		return &registrytest.Auth{Users: map[string]registrytest.User{"u": user}, MountRefusal: refusal, Bearer: bearer}
	}
	for _, tc := range []struct {
		name  string
		opts  registrytest.Options
		falls bool // back to copying
	}{
		{name: "granted", opts: registrytest.Options{Auth: auth(0, nil)}},
		{name: "granted with tokens", opts: registrytest.Options{Auth: auth(0, &registrytest.Bearer{})}},
		{name: "not supported", opts: registrytest.Options{Options: regserver.Options{NoMount: true}}, falls: true},
		{name: "combined scopes refused", opts: registrytest.Options{Auth: auth(0, &registrytest.Bearer{Combined: 401})}, falls: true},
		{name: "combined scopes forbidden", opts: registrytest.Options{Auth: auth(0, &registrytest.Bearer{Combined: 403})}, falls: true},
		{name: "first scope only", opts: registrytest.Options{Auth: auth(401, &registrytest.Bearer{FirstScope: true})}, falls: true},
		{name: "first scope only, not found", opts: registrytest.Options{Auth: auth(404, &registrytest.Bearer{FirstScope: true})}, falls: true},
		{name: "first scope only, session", opts: registrytest.Options{Auth: auth(202, &registrytest.Bearer{FirstScope: true})}, falls: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3})
			srv := startWith(t, tc.opts, base)
			remote := bake.NewRemote(bake.RemoteOptions{Keychain: keychain{"u", "p"}})
			report, err := bake.Bake(t.Context(), scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"), remote, bake.Options{NoCheck: true})
			if err != nil {
				t.Fatal(err)
			}
			var size int64
			for _, l := range manifestOf(t, base).Layers {
				size += l.Size
			}
			mounted, copied := size, int64(0)
			if tc.falls {
				mounted, copied = 0, size
			}
			if report.Transfer.MountedBytes != mounted || report.Transfer.CopiedBytes != copied {
				t.Errorf("mounted %d and copied %d bytes, want %d and %d", report.Transfer.MountedBytes, report.Transfer.CopiedBytes, mounted, copied)
			}
			pullAs(t, srv.Host+"/team/scorer:1", keychain{"u", "p"})
		})
	}
}

// A blob that several platforms of the base have is moved once.
func TestSharedBlobs(t *testing.T) {
	base := sharingIndex(t)
	from := startWith(t, registrytest.Options{}, base)
	to := registrytest.Start(t, registrytest.Options{})
	report := doBake(t, scorer(from.Host+"/team/base:1", to.Host+"/team/scorer:1", from.Host+"/team/scorer:1"))
	if len(report.Platforms) != 2 {
		t.Fatalf("%d platforms, want 2", len(report.Platforms))
	}
	// Two configs and two layers were read.
	if n := from.Count("GET", "/v2/team/base/blobs/*"); n != 4 {
		t.Errorf("%d blobs were read, want 4", n)
	}
	if n := from.Count("POST", "/v2/team/scorer/blobs/uploads/"); n != 2+1+2 {
		t.Errorf("%d uploads began in the base's registry, want two mounts, a layer and two configs", n)
	}
	pullIndex(t, to.Host+"/team/scorer:1")
	pullIndex(t, from.Host+"/team/scorer:1")
}
