// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Command selfimage makes crane-bake's own image, for CI systems that run their
// steps in one: static binaries for several platforms and the certificates of
// public authorities, on nothing or on a base that has a shell. It needs no
// Docker: the layers, the layout and the way to the registry are crane-bake's.
//
//	go run ./internal/selfimage [flags] DESTINATION
//
// It is run in the repository, by make image; docs/image.md says more. The
// digests that it published go to standard output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
)

// settings are what the flags say.
type settings struct {
	base         string // an image with a shell; empty for none
	certificates string // a PEM file; empty for the ones that are pinned
	platforms    string
	destination  string
}

func main() {
	var s settings
	flag.StringVar(&s.base, "base", "", "`IMAGE` with a shell to build on, and no entry point; default nothing, and crane-bake as the entry point")
	flag.StringVar(&s.certificates, "certificates", "", "PEM `FILE` instead of the certificates that internal/selfimage/certificates pins")
	flag.StringVar(&s.platforms, "platforms", "linux/amd64,linux/arm64", "what to build for")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "selfimage: want one DESTINATION")
		os.Exit(2)
	}
	s.destination = flag.Arg(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	published, err := publish(ctx, s)
	if err != nil {
		fmt.Fprintf(os.Stderr, "selfimage: %v\n", err)
		os.Exit(1)
	}
	for _, at := range published {
		fmt.Println(at)
	}
}

// publish makes the image in a layout of its own and copies that to the
// destination.
func publish(ctx context.Context, s settings) (published []string, err error) {
	platforms, err := parsePlatforms(s.platforms)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "crane-bake-image-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	pem, err := certificates(ctx, s.certificates)
	if err != nil {
		return nil, err
	}
	remote := bake.NewRemote(bake.RemoteOptions{Keychain: authn.DefaultKeychain, UserAgent: "crane-bake-selfimage"})
	images := filepath.Join(work, "images")
	var made []v1.Image
	for _, p := range platforms {
		built, err := build(ctx, filepath.Join(work, p.Architecture), p)
		if err != nil {
			return nil, err
		}
		from, err := openBase(ctx, remote, s.base, p, images)
		if err != nil {
			return nil, err
		}
		img, err := assemble(from, built, pem)
		if err != nil {
			return nil, fmt.Errorf("making the image for %s: %w", p, err)
		}
		made = append(made, img)
	}
	index, err := indexOf(made)
	if err != nil {
		return nil, err
	}
	if err := store(ctx, index, made, images); err != nil {
		return nil, fmt.Errorf("writing the image: %w", err)
	}
	report, err := bake.Promote(ctx, "oci:"+images+":"+madeTag, remote, bake.PromoteOptions{NoReferrers: true}, s.destination)
	if err != nil {
		return nil, err
	}
	return report.Published, nil
}

// parsePlatforms reads a list of OS/ARCH. Variants are left to Go's defaults,
// which run everywhere.
func parsePlatforms(list string) ([]v1.Platform, error) {
	var platforms []v1.Platform
	for text := range strings.SplitSeq(list, ",") {
		p, err := v1.ParsePlatform(text)
		if err != nil || p.OS != "linux" || p.Architecture == "" || p.Variant != "" {
			return nil, fmt.Errorf("platform %q: want linux/ARCH", text)
		}
		platforms = append(platforms, *p)
	}
	return platforms, nil
}
