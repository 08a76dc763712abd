// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package recipetest_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
)

const task = "tekton/task.yaml"

// validTask is nil for what Tekton's admission takes.
func validTask(t *testing.T, text string) error {
	t.Helper()
	v, err := decode[tekton.Task](text)
	if err != nil {
		return err
	}
	if v.APIVersion != "tekton.dev/v1" || v.Kind != "Task" {
		return errors.New("no Task of v1")
	}
	v.SetDefaults(t.Context())
	if err := v.Validate(t.Context()); err != nil {
		return err
	}
	// Not in the validation: what these name is declared.
	declared := map[string]bool{}
	for _, r := range v.Spec.Results {
		declared["results."+r.Name] = true
	}
	for _, w := range v.Spec.Workspaces {
		declared["workspaces."+w.Name] = true
	}
	for _, m := range path.FindAllStringSubmatch(text, -1) {
		if !declared[m[1]] {
			return fmt.Errorf("%s is not declared", m[1])
		}
	}
	return nil
}

var path = regexp.MustCompile(`\$\(((?:results|workspaces)\.\w+)\.path\)`)

func TestTekton(t *testing.T) {
	text := read(t, task)
	if err := validTask(t, text); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]string{
		"unknown key":       replace(t, text, "workingDir:", "workDir:"),
		"unknown parameter": replace(t, text, "$(params.FILE)", "$(params.FILES)"),
		"unknown result":    replace(t, text, "$(results.IMAGES.path)", "$(results.IMAGE.path)"),
		"unknown workspace": replace(t, text, "$(workspaces.source.path)", "$(workspaces.src.path)"),
		"array as string":   replace(t, text, "$(params.FILE)", "$(params.ARGS[*])"),
	} {
		if validTask(t, wrong) == nil {
			t.Errorf("%s: valid", name)
		}
	}
}

// Tekton Chains knows results by their names.
func TestTektonChains(t *testing.T) {
	v := mustDecode[tekton.Task](t, task)
	var names []string
	for _, r := range v.Spec.Results {
		names = append(names, r.Name)
	}
	for _, want := range []string{"IMAGE_URL", "IMAGE_DIGEST", "IMAGES", "BASE_IMAGES_DIGESTS"} {
		if !slices.Contains(names, want) {
			t.Errorf("no result %s", want)
		}
	}
}
