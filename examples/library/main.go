// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Command library bakes a model that exists only in memory, the way a training
// job would: it trains, writes its coefficients into a model's source, and
// publishes an engine image with it.
//
//	go run ./examples/library BASE DESTINATION
//
// Both are image locations, such as fastscore/engine:1.10 and
// registry.example.com/team/line:v1, or oci:DIR:TAG.
package main

import (
	"context"
	"fmt"
	"os"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/crane-bake/crane-bake/bake"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: library BASE DESTINATION")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, base, destination string) error {
	slope, intercept := train([]float64{1, 2, 3, 4}, []float64{2.1, 3.9, 6.2, 7.8})
	report, err := bake.Bake(ctx, bake.Spec{
		FS:      files(slope, intercept),
		Base:    base,
		Tags:    []string{destination},
		Model:   "line.py3",
		Schemas: map[string]string{"x": "x.avsc", "y": "y.avsc"},
		Streams: map[int]string{0: "rest.json", 1: "rest.json"},
	}, bake.NewRemote(bake.RemoteOptions{Keychain: authn.DefaultKeychain}), bake.Options{})
	if err != nil {
		return err
	}
	fmt.Println(report.Image)
	return nil
}

// files is the bake's file system: any fs.FS will do.
func files(slope, intercept float64) fstest.MapFS {
	model := fmt.Sprintf(`# fastscore.schema.0: x
# fastscore.schema.1: y

def action(x):
    yield %g * x + %g
`, slope, intercept)
	return fstest.MapFS{
		"line.py3":  {Data: []byte(model)},
		"x.avsc":    {Data: []byte(`{"type": "double"}`)},
		"y.avsc":    {Data: []byte(`{"type": "double"}`)},
		"rest.json": {Data: []byte(`{"Version": "1.2", "Transport": "REST", "Encoding": "json"}`)},
	}
}

// train fits a line by least squares.
func train(xs, ys []float64) (slope, intercept float64) {
	var sx, sy, sxx, sxy float64
	for i := range xs {
		sx, sy = sx+xs[i], sy+ys[i]
		sxx, sxy = sxx+xs[i]*xs[i], sxy+xs[i]*ys[i]
	}
	n := float64(len(xs))
	slope = (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return slope, (sy - slope*sx) / n
}
