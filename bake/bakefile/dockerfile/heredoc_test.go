// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

func TestHeredoc(t *testing.T) {
	got := evaluate(t, `FROM a
ENV HOST=kafka
COPY <<a.json <<"b.json" <<-c.json /x/
{"host": "$HOST", 'quotes': "stay", "dollar": "\$HOST"}
a.json
{"host": "$HOST"}
b.json
		{
	}
	c.json
COPY <<EOF /y
