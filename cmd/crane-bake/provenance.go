// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/provenance"
)

// documentFlags are the flags that say what is attached to an image.
type documentFlags struct {
	sbom       string
	provenance bool
	source     string // URL@REVISION
}

func (f *documentFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.sbom, "sbom", "", "`cyclonedx|spdx` attach a bill of materials in this format; --sbom alone is cyclonedx")
	fs.Lookup("sbom").NoOptDefVal = string(bake.SBOMCycloneDX)
	fs.BoolVar(&f.provenance, "provenance", false, "attach SLSA provenance, with the source revision that the CI's variables name")
	fs.StringVar(&f.source, "source", "", "`URL@REVISION` of the sources, for --provenance; default the CI's")
}

// read is what is to be attached.
func (f *documentFlags) read(env *environment) (format bake.SBOMFormat, said *bake.Provenance, err error) {
	if f.sbom != "" {
		if format, err = bake.ParseSBOMFormat(f.sbom); err != nil {
			return "", nil, errUsage("--sbom=%s: want cyclonedx or spdx", f.sbom)
		}
	}
	if !f.provenance {
		if f.source != "" {
			return "", nil, errUsage("--source is about --provenance")
		}
		return format, nil, nil
	}
	p := provenanceOf(env)
	if f.source != "" {
		at := max(strings.LastIndex(f.source, "@"), 0)
		revision := strings.TrimPrefix(f.source[at:], "@")
		p.Source = sourceOf(f.source[:at], revision)
		if p.Source.URI == "" || revision == "" || strings.Contains(revision, ":") {
			// Without the value: a URL may hold a password.
			return "", nil, errUsage("--source: want URL@REVISION, with the URL of a repository on some host")
		}
	}
	return format, &p, nil
}

// provenanceOf is what the variables of the CI that runs the program tell of
// the run; a CI is known by one that it always sets.
func provenanceOf(env *environment) bake.Provenance {
	get := env.getenv
	switch {
	case get("GITHUB_ACTIONS") == "true":
		return githubProvenance(get)
	case get("GITLAB_CI") == "true":
		return gitlabProvenance(get)
	case get("JENKINS_URL") != "" || (get("BUILD_URL") != "" && get("GIT_COMMIT") != ""):
		return jenkinsProvenance(get)
	}
	return bake.Provenance{}
}

// jenkinsProvenance reads Jenkins' variables; the builder is the controller.
// Containers may have been given the variables of the build alone.
func jenkinsProvenance(get func(string) string) bake.Provenance {
	p := bake.Provenance{
		Builder:    provenance.PublicURL(get("JENKINS_URL")),
		Invocation: provenance.PublicURL(get("BUILD_URL")),
		Source:     sourceOf(get("GIT_URL"), get("GIT_COMMIT")),
	}
	if u, err := url.Parse(p.Invocation); err == nil && p.Builder == "" && p.Invocation != "" {
		p.Builder = u.Scheme + "://" + u.Host
	}
	return p
}

// githubProvenance reads GitHub's variables; the builder is the workflow.
func githubProvenance(get func(string) string) bake.Provenance {
	server := provenance.PublicURL(get("GITHUB_SERVER_URL"))
	repository := get("GITHUB_REPOSITORY")
	if server == "" || repository == "" {
		return bake.Provenance{}
	}
	p := bake.Provenance{Source: sourceOf(server+"/"+repository, get("GITHUB_SHA"))}
	if workflow := get("GITHUB_WORKFLOW_REF"); workflow != "" {
		p.Builder = server + "/" + workflow
	}
	if run := get("GITHUB_RUN_ID"); run != "" {
		p.Invocation = server + "/" + repository + "/actions/runs/" + run
		if attempt := get("GITHUB_RUN_ATTEMPT"); attempt != "" {
			p.Invocation += "/attempts/" + attempt
		}
	}
	return p
}

// gitlabProvenance reads GitLab's variables; the builder is the runner, as in
// the provenance that GitLab itself writes.
func gitlabProvenance(get func(string) string) bake.Provenance {
	project := provenance.PublicURL(get("CI_PROJECT_URL"))
	p := bake.Provenance{
		Builder:    provenance.PublicURL(get("CI_SERVER_URL")),
		Invocation: provenance.PublicURL(get("CI_JOB_URL")),
		Source:     sourceOf(project, get("CI_COMMIT_SHA")),
	}
	if runner := get("CI_RUNNER_ID"); runner != "" && project != "" {
		p.Builder = project + "/-/runners/" + runner
	}
	return p
}

// sourceOf is a revision of a Git repository as SPDX and in-toto write it, or
// none for what names no repository that others could find.
func sourceOf(repository, revision string) bake.Source {
	repository = strings.TrimPrefix(repository, "git+")
	if host, path, ok := strings.Cut(repository, ":"); ok && !strings.Contains(repository, "://") {
		// user@host:path is how ssh writes it, not a URL; user:password@host is
		// neither, nor is C:path.
		if strings.Contains(path, "@") || strings.Contains(host, "/") || len(host) < 2 {
			return bake.Source{}
		}
		repository = "ssh://" + host + "/" + strings.TrimPrefix(path, "/")
	}
	uri := provenance.PublicURL(repository)
	// https://token@host/path@revision, cut at the wrong @, is no repository.
	if u, err := url.Parse(uri); err != nil || u.Path == "" {
		return bake.Source{}
	}
	return bake.Source{URI: "git+" + uri, Revision: revision}
}
