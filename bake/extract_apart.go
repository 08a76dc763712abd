// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"maps"
	"reflect"
	"slices"
)

// foreign reports whether no record lists the image's files.
func (x *extraction) foreign() bool {
	return x.record == nil || len(x.record.Assets) == 0 && len(x.record.Layers) > 0
}

// takeApart takes the bake off every platform of the image.
func (x *extraction) takeApart() error {
	below, recorded, err := x.img.unbaked()
	if err != nil {
		return err
	}
	first := x.img.images[0]
	if !recorded {
		if len(x.img.images) > 1 {
			return usagef("it has no record of a bake, and several platforms: choose one")
		}
		if _, labelled := first.config.labels[RecordLabel]; labelled {
			x.note("%v", errUponBake)
		}
		return x.guess(first)
	}
	x.below, x.prefixGiven = below, true
	for _, one := range x.img.images {
		record, err := recordOf(one.config)
		if err != nil {
			return err
		}
		baked, err := x.img.unbake(one, record)
		if err != nil {
			return err
		}
		if x.record == nil {
			x.record, x.patch, x.assets = record, baked.patch, record.Assets
		}
		if _, given := baked.patch.env["CONNECT_PREFIX"]; !given {
			x.prefixGiven = false
		}
		if !alike(x.patch, baked.patch) {
			return usagef("its platforms %s and %s differ in what is baked: choose one platform", first.platform, one.platform)
		}
	}
	return nil
}

// alike reports whether one bake made both patches.
func alike(a, b patch) bool {
	// Of two bases, one may have had a CONNECT_PREFIX of its own.
	x, given := a.env["CONNECT_PREFIX"]
	y, given2 := b.env["CONNECT_PREFIX"]
	if given != given2 {
		if x+y != DefaultConnectPrefix {
			return false
		}
		a.env, b.env = maps.Clone(a.env), maps.Clone(b.env)
		delete(a.env, "CONNECT_PREFIX")
		delete(b.env, "CONNECT_PREFIX")
	}
	return samePatch(a, b) && maps.Equal(a.annotations, b.annotations) && a.created.Equal(b.created) &&
		slices.Equal(a.assets, b.assets) && reflect.DeepEqual(a.settings, b.settings)
}
