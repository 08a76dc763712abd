// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sync/errgroup"
)

// floorAtOnce is how many images the bare requests push side by side.
const floorAtOnce = 32

// A readyImage has all bytes that are to be sent.
type readyImage struct {
	layer, config, manifest []byte
	layerDigest, configName v1.Hash
	mediaType               string
	base                    []v1.Hash // layers to mount
}

// floor sends the fewest requests that put the fleet's images into the
// registry, made beforehand, and does nothing else: the registry's own time,
// which nothing can beat.
func (f *fleet) floor() contender {
	var ready []readyImage
	return contender{name: "the bare requests", run: func(ctx context.Context, at place, n int) (usage, error) {
		if ready == nil {
			var err error
			if ready, err = f.ready(ctx); err != nil {
				return usage{}, err
			}
		}
		start := time.Now()
		err := f.send(ctx, at.to, fmt.Sprintf("floor%d", n), ready)
		return usage{wall: time.Since(start)}, err
	}}
}

// ready makes the fleet's images.
func (f *fleet) ready(ctx context.Context) ([]readyImage, error) {
	ref, err := name.ParseReference(f.lab.registry.host + "/" + baseName)
	if err != nil {
		return nil, err
	}
	base, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	m, err := base.Manifest()
	if err != nil {
		return nil, err
	}
	var below []v1.Hash
	for _, l := range m.Layers {
		below = append(below, l.Digest)
	}
	all := make([]readyImage, f.lab.fleet)
	for i := range all {
		if all[i], err = readyOf(base, f.tar(i)); err != nil {
			return nil, err
		}
		all[i].base = below
	}
	return all, nil
}

// readyOf is base with a layer of the tar.
func readyOf(base v1.Image, tar string) (r readyImage, err error) {
	content, err := os.ReadFile(tar)
	if err != nil {
		return r, err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		return r, err
	}
	rc, err := l.Compressed()
	if err != nil {
		return r, err
	}
	if r.layer, err = io.ReadAll(rc); err != nil {
		return r, err
	}
	if r.layerDigest, err = l.Digest(); err != nil {
		return r, err
	}
	img, err := mutate.AppendLayers(base, l)
	if err != nil {
		return r, err
	}
	if r.config, err = img.RawConfigFile(); err != nil {
		return r, err
	}
	if r.configName, err = img.ConfigName(); err != nil {
		return r, err
	}
	mediaType, err := img.MediaType()
	if err != nil {
		return r, err
	}
	r.mediaType = string(mediaType)
	r.manifest, err = img.RawManifest()
	return r, err
}

// send pushes the images, the base's layers once into each repository.
func (f *fleet) send(ctx context.Context, host, run string, ready []readyImage) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: floorAtOnce}}
	defer client.CloseIdleConnections()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(floorAtOnce)
	for i, img := range ready {
		ref, err := name.NewTag(host + "/" + f.to.name(run, i))
		if err != nil {
			return err
		}
		p := pusher{client, "http://" + host + "/v2/" + ref.RepositoryStr()}
		if i == 0 && f.to.shared {
			if err := p.mount(ctx, img.base); err != nil { // all others need them
				return err
			}
		}
		g.Go(func() error {
			if !f.to.shared {
				if err := p.mount(ctx, img.base); err != nil {
					return err
				}
			}
			return p.image(ctx, img, ref.TagStr())
		})
	}
	return g.Wait()
}

// A pusher sends requests for one repository.
type pusher struct {
	client *http.Client
	url    string
}

func (p pusher) mount(ctx context.Context, layers []v1.Hash) error {
	for _, digest := range layers {
		if _, err := p.do(ctx, http.MethodPost, p.url+"/blobs/uploads/?mount="+digest.String()+"&from="+baseRepo, "", nil); err != nil {
			return err
		}
	}
	return nil
}

func (p pusher) image(ctx context.Context, img readyImage, tag string) error {
	if err := p.blob(ctx, img.layer, img.layerDigest); err != nil {
		return err
	}
	if err := p.blob(ctx, img.config, img.configName); err != nil {
		return err
	}
	_, err := p.do(ctx, http.MethodPut, p.url+"/manifests/"+tag, img.mediaType, img.manifest)
	return err
}

func (p pusher) blob(ctx context.Context, content []byte, digest v1.Hash) error {
	res, err := p.do(ctx, http.MethodPost, p.url+"/blobs/uploads/", "", nil)
	if err != nil {
		return err
	}
	at, err := res.Location()
	if err != nil {
		return err
	}
	query := at.Query()
	query.Set("digest", digest.String())
	at.RawQuery = query.Encode()
	_, err = p.do(ctx, http.MethodPut, at.String(), "application/octet-stream", content)
	return err
}

func (p pusher) do(ctx context.Context, method, url, contentType string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusAccepted {
		return nil, fmt.Errorf("%s %s: %s", method, url, res.Status)
	}
	return res, nil
}
