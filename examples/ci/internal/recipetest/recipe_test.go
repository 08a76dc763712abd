// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package recipetest_test holds the recipes against the code of the platforms
// that are to take them: it reads them strictly into the platforms' own types and
// runs their validation. It is a module of its own, because the product needs
// none of what the platforms need.
package recipetest_test

import (
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// decode reads a recipe as the API server does, but knows every key.
func decode[T any](text string) (*T, error) {
	v := new(T)
	return v, yaml.UnmarshalStrict([]byte(text), v)
}

func mustDecode[T any](t *testing.T, name string) *T {
	t.Helper()
	v, err := decode[T](read(t, name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// replace makes a recipe that is wrong, so that a check is seen to fail.
func replace(t *testing.T, text, old, by string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %q to replace", old)
	}
	return strings.Replace(text, old, by, 1)
}
