// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package jsonpos_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// What a document may hold is counted before anything is kept of it. Numbers in
// an array of numbers are free.
func TestLimit(t *testing.T) {
	for _, tc := range []struct {
		name, src string
		values    int
		last      int // column of the last one
	}{
		{"scalar", "1", 1, 1},
		{"object", `{"a": 1, "b": [true, "x"]}`, 7, 22},
		{"numbers", "[" + strings.Repeat("1, ", 1000) + "2]", 1, 1},
		{"numbers and a string", "[" + strings.Repeat("1, ", 1000) + `"x"]`, 1002, 3002},
		{"arrays of numbers", `[[1, 2], [3, 4], []]`, 4, 18},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := jsonpos.Parse([]byte(tc.src), tc.values); err != nil {
				t.Errorf("limit %d: %v", tc.values, err)
			}
			_, err := jsonpos.Parse([]byte(tc.src), tc.values-1)
			var size *jsonpos.SizeError
			if !errors.As(err, &size) || size.Values != tc.values || size.Line != 1 || size.Column != tc.last {
				t.Errorf("limit %d: %v", tc.values-1, err)
			}
		})
	}
	var size *jsonpos.SizeError
	if _, err := jsonpos.ParseYAML([]byte("a: [1, 2]\n"), 3); !errors.As(err, &size) {
		t.Errorf("YAML: %v", err)
	}
}

// Places are right in whatever order they are asked for, and asking for all of
// them costs one pass.
func TestPositions(t *testing.T) {
	src := "[" + strings.Repeat("\"é\",", 500_000) + "\n" + strings.Repeat("\"é\",\n", 500_000) + "[1, 2,\n 3]]"
	doc, err := jsonpos.Parse([]byte(src), noLimit)
	if err != nil {
		t.Fatal(err)
	}
	var all []jsonpos.Value
	start := time.Now()
	for v := range doc.Root().Items() {
		all = append(all, v)
		v.Position()
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	last := all[len(all)-1]
	var numbers []string
	for v := range last.Items() {
		numbers = append(numbers, position(v)+" "+string(v.Raw()))
	}
	if diff := cmp.Diff([]string{"500002:2 1", "500002:5 2", "500003:2 3"}, numbers); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	for _, tc := range []struct {
		i    int
		want string
	}{{999_999, "500001:1"}, {500_000, "2:1"}, {499_999, "1:1999998"}, {0, "1:2"}, {1, "1:6"}} {
		if got := position(all[tc.i]); got != tc.want {
			t.Errorf("element %d at %s, want %s", tc.i, got, tc.want)
		}
	}
}

// A descriptor of 10 MB on one line must be read within a second.
func TestLargeLine(t *testing.T) {
	src := `{"Data": ["` + strings.Repeat(`x","`, 2_500_000) + `"], "Loop": 1}`
	start := time.Now()
	doc, err := jsonpos.Parse([]byte(src), noLimit)
	if err != nil {
		t.Fatal(err)
	}
	if got := position(doc.Root().Get("Loop")); got != fmt.Sprintf("1:%d", len(src)-1) {
		t.Errorf("Loop at %s", got)
	}
	if n := doc.Root().Get("Data").Len(); n != 2_500_001 {
		t.Errorf("%d items", n)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}
