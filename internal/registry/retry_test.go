// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A connection that breaks once, wherever it does, costs another attempt and
// nothing else; a request whose answer got lost is not repeated where a HEAD
// shows that it was done.
func TestRetryAfterCut(t *testing.T) {
	for _, op := range operations(t) {
		for _, cut := range []struct {
			name  string
			fault registrytest.Fault
			skip  bool
		}{
			{"before", registrytest.Fault{Before: true}, false},
			{"after", registrytest.Fault{After: true}, false},
			{"in the request", registrytest.Fault{CutRequest: 50}, !op.sends},
			{"in the answer", registrytest.Fault{CutResponse: 1}, !op.receives},
		} {
			if cut.skip {
				continue
			}
			t.Run(op.name+"/"+cut.name, func(t *testing.T) {
				faults := registrytest.First(1, op.method, op.path, cut.fault)
				bubble(t, faults, registry.Options{Retries: 1}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
					if err := op.do(t.Context(), repo); err != nil {
						t.Fatal(err)
					}
					want := 2
					switch op.name {
					case "post a blob", "put a blob", "end a stream":
						if cut.fault.After {
							want = 1
						}
					case "stream a blob":
						if !cut.fault.Before { // the session has all or some of it
							want = 1
						}
					}
					if got := op.attempts(srv); got != want {
						t.Errorf("%d requests, want %d: %q", got, want, requests(srv))
					}
				})
			})
		}
	}
}

func TestRetryStatus(t *testing.T) {
	for status, passes := range map[int]bool{
		408: true, 429: true, 500: true, 502: true, 503: true, 504: true,
		400: false, 401: false, 403: false, 404: false, 405: false, 409: false, 413: false, 501: false, 505: false, 507: false,
	} {
		for _, op := range operations(t) {
			t.Run(strconv.Itoa(status)+"/"+op.name, func(t *testing.T) {
				if op.name == "ping" && status == http.StatusUnauthorized {
					t.Skip("that is an answer to a ping")
				}
				if op.name == "get a manifest" && status == http.StatusUnauthorized {
					t.Skip("a probe's is not the last word: see TestProbe")
				}
				faults := registrytest.First(1, op.method, op.path, registrytest.Fault{Status: status})
				bubble(t, faults, registry.Options{Retries: 1}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
					err := op.do(t.Context(), repo)
					want := 1
					if passes {
						want = 2
					}
					if (err == nil) != passes {
						t.Errorf("error %v", err)
					}
					if got := op.attempts(srv); got != want {
						t.Errorf("%d requests, want %d: %q", got, want, requests(srv))
					}
				})
			})
		}
	}
}

// A registry that loses an upload's session, such as one of several replicas,
// gets the blob in a new one.
func TestUploadSessionLost(t *testing.T) {
	for _, op := range operations(t) {
		if op.path != session {
			continue
		}
		t.Run(op.name, func(t *testing.T) {
			lost := false
			move := func(_ int, r *http.Request) registrytest.Fault {
				if r.Method == op.method && !lost {
					lost = true
					r.URL.Path = uploads + "00000000-0000-4000-8000-000000000000"
				}
				return registrytest.Fault{}
			}
			bubble(t, move, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
				if err := op.do(t.Context(), repo); err != nil {
					t.Fatal(err)
				}
				if got := srv.Count("POST", uploads); got != 2 {
					t.Errorf("%d sessions, want 2: %q", got, requests(srv))
				}
				holds(t, repo, large)
			})
		})
	}
}

// A 404 that has no code, as a proxy's, is about the session too.
func TestUploadSessionNotFound(t *testing.T) {
	for name, content := range map[string]registry.Content{"known": registry.Bytes(large), "stream": streamed(large)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
				lost := false
				tr := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if (r.Method == "PATCH" || r.Method == "PUT") && !lost {
						lost = true
						http.NotFound(w, r)
						return
					}
					srv.ServeHTTP(w, r)
				}))
				repo := repository(t, registry.New(registry.Options{Transport: tr}), inMemory+"team/app")
				if err := repo.Upload(t.Context(), content); err != nil {
					t.Fatal(err)
				}
				if got := srv.Count("POST", uploads); got != 2 {
					t.Errorf("%d sessions, want 2: %q", got, requests(srv))
				}
				holds(t, repo, large)
			})
		})
	}
}

// A registry that loses every session is out of order.
func TestUploadSessionAlwaysLost(t *testing.T) {
	move := func(_ int, r *http.Request) registrytest.Fault {
		if r.Method == "PUT" {
			r.URL.Path = uploads + "00000000-0000-4000-8000-000000000000"
		}
		return registrytest.Fault{}
	}
	bubble(t, move, registry.Options{Retries: 2}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		if err := repo.Upload(t.Context(), registry.Bytes(large)); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if got := srv.Count("POST", uploads); got != 3 {
			t.Errorf("%d sessions, want 3: %q", got, requests(srv))
		}
	})
}

func TestRetriesUsedUp(t *testing.T) {
	always := registrytest.Fault{Status: http.StatusServiceUnavailable}
	for retries, want := range map[int]int{-1: 1, 0: 1 + registry.DefaultRetries, 1: 2, 7: 8} {
		t.Run(strconv.Itoa(retries), func(t *testing.T) {
			for _, op := range operations(t) {
				method := op.method
				if method == "PATCH" {
					method = "" // and the PUTs that follow
				}
				faults := registrytest.First(100, method, op.path, always)
				bubble(t, faults, registry.Options{Retries: retries}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
					if err := op.do(t.Context(), repo); !errors.Is(err, registry.ErrUnavailable) {
						t.Errorf("%s: got %v, want ErrUnavailable", op.name, err)
					}
					if got := op.attempts(srv); got != want {
						t.Errorf("%s: %d requests, want %d: %q", op.name, got, want, requests(srv))
					}
				})
			}
		})
	}
}

// A registry that is down altogether hears of an upload once for each attempt,
// and of one look for the blob in between.
func TestUploadToRegistryThatIsDown(t *testing.T) {
	down := registrytest.First(1000, "", "/v2/team/*", registrytest.Fault{Status: http.StatusBadGateway})
	bubble(t, down, registry.Options{Retries: 3}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		if err := repo.Upload(t.Context(), registry.Bytes(small)); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if post, head := srv.Count("POST", "*"), srv.Count("HEAD", "*"); post != 4 || head > 4 {
			t.Errorf("%d POSTs and %d HEADs, want 4 and at most as many: %q", post, head, requests(srv))
		}
	})
}

// What an upload sends again is opened anew, and closed every time.
func TestRetryOpensContentAnew(t *testing.T) {
	faults := registrytest.First(2, "PUT", session, registrytest.Fault{CutRequest: 70 << 10})
	bubble(t, faults, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		content, opens := opened(registry.Bytes(large))
		closed := make(chan struct{}, 10)
		inner := content.Open
		content.Open = func(ctx context.Context) (io.ReadCloser, error) {
			rc, err := inner(ctx)
			return closing{rc, closed}, err
		}
		if err := repo.Upload(t.Context(), content); err != nil {
			t.Fatal(err)
		}
		holds(t, repo, large)
		synctest.Wait()
		if opens.Load() != 3 || len(closed) != 3 {
			t.Errorf("opened %d times and closed %d times, want 3", opens.Load(), len(closed))
		}
	})
}

type closing struct {
	io.ReadCloser
	closed chan<- struct{}
}

func (c closing) Close() error {
	c.closed <- struct{}{}
	return c.ReadCloser.Close()
}

// A content that is still being made when the registry refuses it is closed.
func TestRefusalClosesContent(t *testing.T) {
	refuse := registrytest.First(1, "PUT", session, registrytest.Fault{Status: http.StatusForbidden})
	bubble(t, refuse, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		pr, pw := io.Pipe()
		desc := descriptor(t, registry.Bytes(sized(1<<20, 1)))
		go pw.Write(sized(512<<10, 1)) // a server reads some of it before it answers
		err := repo.Upload(t.Context(), registry.Content{
			Open:       func(context.Context) (io.ReadCloser, error) { return pr, nil },
			Descriptor: func() (v1.Descriptor, bool) { return desc, true },
		})
		if !errors.Is(err, registry.ErrDenied) {
			t.Errorf("got %v, want ErrDenied", err)
		}
		if _, err := pw.Write(large); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the content was not closed: %v", err)
		}
	})
}

// A pipe that a broken connection closes has not failed by itself.
func TestRetryOfPipe(t *testing.T) {
	faults := registrytest.First(3, "PUT", session, registrytest.Fault{CutRequest: 40 << 10})
	bubble(t, faults, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		content, opens := opened(registry.Bytes(large))
		content.Open = func(context.Context) (io.ReadCloser, error) {
			opens.Add(1)
			pr, pw := io.Pipe()
			go func() {
				_, err := pw.Write(large)
				pw.CloseWithError(err)
			}()
			return pr, nil
		}
		if err := repo.Upload(t.Context(), content); err != nil {
			t.Fatal(err)
		}
		if opens.Load() != 4 {
			t.Errorf("opened %d times, want 4", opens.Load())
		}
		holds(t, repo, large)
	})
}
