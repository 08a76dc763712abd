// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package recipetest_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	argo "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

var parameter = regexp.MustCompile(`\{\{workflow\.parameters\.(\w+)\}\}`)

// validWorkflow is nil for a WorkflowTemplate of Argo's types whose names lead
// somewhere.
func validWorkflow(text string) error {
	w, err := decode[argo.WorkflowTemplate](text)
	if err != nil {
		return err
	}
	if w.APIVersion != "argoproj.io/v1alpha1" || w.Kind != "WorkflowTemplate" {
		return errors.New("no WorkflowTemplate")
	}
	for _, m := range parameter.FindAllStringSubmatch(text, -1) {
		if w.Spec.Arguments.GetParameterByName(m[1]) == nil {
			return fmt.Errorf("no parameter %s", m[1])
		}
	}
	volumes := map[string]bool{}
	for _, v := range w.Spec.Volumes {
		volumes[v.Name] = true
	}
	if w.GetTemplateByName(w.Spec.Entrypoint) == nil {
		return fmt.Errorf("no template %s", w.Spec.Entrypoint)
	}
	for _, template := range w.Spec.Templates {
		if err := validTemplate(w, template, volumes); err != nil {
			return fmt.Errorf("template %s: %w", template.Name, err)
		}
	}
	return nil
}

func validTemplate(w *argo.WorkflowTemplate, template argo.Template, volumes map[string]bool) error {
	for _, parallel := range template.Steps {
		for _, step := range parallel.Steps {
			called := w.GetTemplateByName(step.Template)
			if called == nil {
				return fmt.Errorf("no template %s", step.Template)
			}
			for _, in := range called.Inputs.Parameters {
				if in.Value == nil && step.Arguments.GetParameterByName(in.Name) == nil {
					return fmt.Errorf("step %s does not say %s", step.Name, in.Name)
				}
			}
		}
	}
	if template.Container == nil {
		return nil
	}
	for _, m := range template.Container.VolumeMounts {
		if !volumes[m.Name] {
			return fmt.Errorf("no volume %s", m.Name)
		}
	}
	return nil
}

func TestArgo(t *testing.T) {
	text := read(t, "argo/workflowtemplate.yaml")
	if err := validWorkflow(text); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]string{
		"unknown key":       replace(t, text, "withSequence", "withRange"),
		"unknown parameter": replace(t, text, "{{workflow.parameters.file}}", "{{workflow.parameters.path}}"),
		"unknown template":  replace(t, text, "template: shard", "template: part"),
		"missing argument":  replace(t, text, `- {name: shard, value: "{{item}}"}`, `- {name: part, value: "{{item}}"}`),
		"unknown volume":    replace(t, text, "name: out, mountPath", "name: output, mountPath"),
	} {
		if validWorkflow(wrong) == nil {
			t.Errorf("%s: valid", name)
		}
	}
}
