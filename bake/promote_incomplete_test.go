// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// remove deletes a blob or a manifest, as a garbage collector may that goes
// wrong.
func remove(t *testing.T, srv *registrytest.Server, path string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, srv.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusAccepted {
		t.Fatalf("deleting %s: %s, %v", path, res.Status, err)
	}
}

// What a destination has lost of an image whose manifest it still has is sent
// again, and nothing else.
func TestPromoteCompletes(t *testing.T) {
	for _, from := range []string{"another registry", "the same registry"} {
		for _, lost := range []string{"config", "layer", "image", "referrer", "layer of a referrer"} {
			t.Run(lost+" from "+from, func(t *testing.T) {
				to := registrytest.Start(t, registrytest.Options{})
				source := to
				if from == "another registry" {
					source = registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoMount: true}})
				}
				s := pushSigned(t, source, "team/scorer", "v1")
				src, dst := source.Host+"/team/scorer:v1", to.Host+"/prod/scorer:v1"
				promote(t, bake.PromoteOptions{}, src, dst)
				image := must[*v1.Manifest](t)(pullImage(t, fmt.Sprintf("%s/prod/scorer@%s", to.Host, s.images[1])).Manifest())
				signature := must[*v1.Manifest](t)(must[v1.Image](t)(pullAny(t, fmt.Sprintf("%s/prod/scorer@%s", to.Host, s.referrers[s.top][0]))).Manifest())
				path, size := "/v2/prod/scorer/manifests/"+s.images[1].String(), int64(0)
				switch lost {
				case "config":
					path, size = "/v2/prod/scorer/blobs/"+image.Config.Digest.String(), image.Config.Size
				case "layer":
					path, size = "/v2/prod/scorer/blobs/"+image.Layers[0].Digest.String(), image.Layers[0].Size
				case "layer of a referrer":
					path, size = "/v2/prod/scorer/blobs/"+signature.Layers[0].Digest.String(), signature.Layers[0].Size
				case "referrer":
					path = "/v2/prod/scorer/manifests/" + s.referrers[s.top][0].String()
				}
				remove(t, to, path)
				to.Reset()
				report := promote(t, bake.PromoteOptions{}, src, dst)
				checkSigned(t, to.Host, "prod/scorer", "v1", s)
				if source == to {
					size = 0 // it is mounted
				}
				if got := to.UploadedBlobBytes(); got != size || report.Transfer.CopiedBytes != size {
					t.Errorf("%d bytes of blobs were sent and %d reported, want %d", got, report.Transfer.CopiedBytes, size)
				}
				to.Reset()
				promote(t, bake.PromoteOptions{}, src, dst)
				if diff := cmp.Diff([]string(nil), writes(to)); diff != "" {
					t.Errorf("written when all was there (-want +got):\n%s", diff)
				}
			})
		}
	}
}
