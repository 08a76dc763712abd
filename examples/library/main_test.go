// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

func TestExampleBakes(t *testing.T) {
	server := registrytest.Start(t, registrytest.Options{})
	server.Push(t, "fastscore/engine:1.10", registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 2}))
	destination := server.Host + "/team/line:v1"
	if err := run(t.Context(), server.Host+"/fastscore/engine:1.10", destination); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(destination)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(img); err != nil {
		t.Error(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var record bake.Record
	if err := json.Unmarshal([]byte(config.Config.Labels[bake.RecordLabel]), &record); err != nil {
		t.Fatal(err)
	}
	if len(record.Assets) != 5 || record.Assets[0].Path != "/assets/line.py3" {
		t.Errorf("the record lists %+v", record.Assets)
	}
}
