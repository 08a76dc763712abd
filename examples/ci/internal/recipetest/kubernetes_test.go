// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package recipetest_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
)

var jobs = []string{"kubernetes/job.yaml", "kubernetes/indexed-job.yaml"}

// validJob is nil for a Job that the API server takes, and that the restricted
// Pod Security Standard admits: its rules, since its code cannot be imported.
func validJob(text string) error {
	job, err := decode[batch.Job](text)
	if err != nil {
		return err
	}
	spec, pod := job.Spec, job.Spec.Template.Spec
	indexed := spec.CompletionMode != nil && *spec.CompletionMode == batch.IndexedCompletion
	switch {
	case job.APIVersion != "batch/v1" || job.Kind != "Job" || job.Name == "":
		return errors.New("no Job with a name")
	case pod.RestartPolicy != core.RestartPolicyNever:
		return errors.New("a pod failure policy needs restartPolicy Never")
	case indexed != (spec.BackoffLimitPerIndex != nil), indexed && spec.Completions == nil:
		return errors.New("backoffLimitPerIndex and completions go with Indexed")
	case spec.PodFailurePolicy == nil:
		return errors.New("no pod failure policy")
	}
	for _, rule := range spec.PodFailurePolicy.Rules {
		if err := validRule(rule, pod.Containers, indexed); err != nil {
			return err
		}
	}
	if indexed {
		shard := fmt.Sprintf("--shard=$(JOB_COMPLETION_INDEX)/%d", *spec.Completions)
		if !slices.Contains(pod.Containers[0].Args, shard) {
			return fmt.Errorf("no %s", shard)
		}
	}
	return restricted(pod)
}

func validRule(rule batch.PodFailurePolicyRule, containers []core.Container, indexed bool) error {
	if rule.Action == batch.PodFailurePolicyActionFailIndex && !indexed {
		return errors.New("FailIndex goes with Indexed")
	}
	for _, c := range rule.OnPodConditions {
		if c.Status == "" || c.Type != core.DisruptionTarget {
			return fmt.Errorf("pod condition %+v", c)
		}
	}
	codes := rule.OnExitCodes
	if (codes == nil) == (len(rule.OnPodConditions) == 0) {
		return errors.New("a rule has either exit codes or conditions")
	}
	if codes == nil {
		return nil
	}
	named := func(c core.Container) bool { return codes.ContainerName != nil && c.Name == *codes.ContainerName }
	if !slices.ContainsFunc(containers, named) || !slices.IsSorted(codes.Values) || slices.Contains(codes.Values, 0) {
		return fmt.Errorf("exit codes %+v", codes)
	}
	return nil
}

func restricted(pod core.PodSpec) error {
	p := pod.SecurityContext
	if p == nil || p.RunAsNonRoot == nil || !*p.RunAsNonRoot || p.SeccompProfile == nil || p.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		return errors.New("the pod may be root, or has no seccomp profile")
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		if v.EmptyDir != nil || v.HostPath != nil {
			return fmt.Errorf("volume %s is written, or the host's", v.Name)
		}
		volumes[v.Name] = true
	}
	for _, c := range pod.Containers {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
			s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) {
			return fmt.Errorf("container %s has privileges, or a file system to write", c.Name)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] || !m.ReadOnly {
				return fmt.Errorf("container %s: mount %s is of no volume, or can be written", c.Name, m.Name)
			}
		}
	}
	return nil
}

func TestKubernetes(t *testing.T) {
	for _, name := range jobs {
		if err := validJob(read(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	text := read(t, "kubernetes/indexed-job.yaml")
	for name, wrong := range map[string]string{
		"unknown key":       replace(t, text, "backoffLimitPerIndex", "backoffPerIndex"),
		"other shards":      replace(t, text, "completions: 16", "completions: 8"),
		"restarts":          replace(t, text, "restartPolicy: Never", "restartPolicy: OnFailure"),
		"unknown container": replace(t, text, "containerName: bake", "containerName: cook"),
		"root":              replace(t, text, "runAsNonRoot: true", "runAsNonRoot: false"),
		"writes":            replace(t, text, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
		"unknown volume":    replace(t, text, "name: fleet, mountPath", "name: float, mountPath"),
	} {
		if validJob(wrong) == nil {
			t.Errorf("%s: valid", name)
		}
	}
}
