// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A goroutine that began and still runs is found; one that ends is waited for.
func TestGoroutinesSince(t *testing.T) {
	before := registrytest.RunningGoroutines()
	stop := make(chan struct{})
	go func() { <-stop }()
	left, _ := before.Since(0)
	if len(left) != 1 || !strings.Contains(left[0], "TestGoroutinesSince") {
		t.Errorf("left: %q, want the one of this test", left)
	}
	close(stop)
	if left, took := before.Since(10 * time.Second); len(left) != 0 || took > 10*time.Second {
		t.Errorf("after %v left: %q", took, left)
	}
}
