// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package engine_test

// raceEnabled says whether everything takes several times as long.
const raceEnabled = false
