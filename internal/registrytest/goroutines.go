// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"bytes"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Goroutines are the goroutines of a moment, by their numbers.
type Goroutines map[string]string

// RunningGoroutines are those that run now, with their stacks, apart from those
// of servers in this process, which end when their clients are gone.
func RunningGoroutines() Goroutines {
	stacks := make([]byte, 64<<10)
	for n := runtime.Stack(stacks, true); n == len(stacks); n = runtime.Stack(stacks, true) {
		stacks = make([]byte, 2*n)
	}
	all := Goroutines{}
	for stack := range bytes.SplitSeq(bytes.TrimRight(stacks, "\x00\n"), []byte("\n\n")) {
		number, _, ok := strings.Cut(string(stack), " [")
		if ok && !ofServer(string(stack)) {
			all[number] = string(stack)
		}
	}
	return all
}

func ofServer(stack string) bool {
	return strings.Contains(stack, "net/http.(*conn).serve") || strings.Contains(stack, "net/http.(*connReader)") ||
		strings.Contains(stack, "net/http.(*Server)") || strings.Contains(stack, "internal/registrytest.(*Server)")
}

// Since are the stacks of the goroutines that began since before and still run
// after limit, and how long it took them to end. To begin is to get a number:
// one that ended and one that began instead are not taken for the same.
func (before Goroutines) Since(limit time.Duration) (left []string, took time.Duration) {
	start := time.Now()
	for {
		now := RunningGoroutines()
		maps.DeleteFunc(now, func(number, _ string) bool { return before[number] != "" })
		took = time.Since(start)
		if len(now) == 0 || took > limit {
			return slices.Sorted(maps.Values(now)), took
		}
		runtime.Gosched()
	}
}
