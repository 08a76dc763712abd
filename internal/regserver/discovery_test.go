// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import (
	"fmt"
	"testing"

	"github.com/crane-bake/crane-bake/internal/regserver"
)

// Distribution-spec 1.1, "Listing Tags", and distribution's catalog.
func TestListTags(t *testing.T) {
	tagged := func(more ...step) []step {
		steps := pushed()
		for _, tag := range []string{"b", "a", "C", "10", "2"} {
			steps = append(steps, put("r", tag, imageType, theImage))
		}
		return append(steps, more...) // with v1: 10 2 C a b v1
	}
	list := func(query, tags, link string) step {
		return step{
			name: "list" + query, method: "GET", path: "/v2/r/tags/list" + query, status: 200,
			text: `{"name":"r","tags":[` + tags + `]}`, want: map[string]string{"Link": link, "Content-Type": "application/json"},
		}
	}
	catalog := func(query, names, link string) step {
		return step{
			name: "catalog" + query, method: "GET", path: "/v2/_catalog" + query, status: 200,
			text: `{"repositories":[` + names + `]}`, want: map[string]string{"Link": link},
		}
	}
	run(t, []workflow{
		{name: "all", steps: tagged(list("", `"10","2","C","a","b","v1"`, ""))},
		{name: "pages", steps: tagged(
			list("?n=4", `"10","2","C","a"`, `</v2/r/tags/list?last=a&n=4>; rel="next"`), list("?last=a&n=4", `"b","v1"`, ""),
			list("?n=6", `"10","2","C","a","b","v1"`, ""), list("?n=0", "", ""), list("?last=a", `"b","v1"`, ""),
			list("?last=aa&n=1", `"b"`, `</v2/r/tags/list?last=b&n=1>; rel="next"`), list("?last=zz", "", ""),
		)},
		{name: "n is no number", steps: tagged(get("/v2/r/tags/list?n=x", 400, "UNSUPPORTED"), get("/v2/r/tags/list?n=-1", 400, "UNSUPPORTED"))},
		{name: "none", steps: []step{blob("r", data), list("", "", "")}},
		{name: "unknown repository", steps: []step{blob("other", data), get("/v2/r/tags/list", 404, "NAME_UNKNOWN")}},
		{name: "catalog", steps: []step{
			catalog("", "", ""), blob("team/b", data), blob("a", data), blob("team/a/c", data),
			catalog("", `"a","team/a/c","team/b"`, ""), catalog("?n=1&last=a", `"team/a/c"`, `</v2/_catalog?last=team%2Fa%2Fc&n=1>; rel="next"`),
		}},
	})
}

// Distribution-spec 1.1, "Listing Referrers" and "Pushing Manifests with
// Subject".
func TestReferrers(t *testing.T) {
	subject := fmt.Sprintf(`,"subject":%s`, desc(imageType, theImage))
	sbom := image("{}", data, subject+`,"artifactType":"application/example.sbom","annotations":{"a":"b"}`)
	plain := image("{}", data, subject)
	list := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]%s}`, indexType, subject)
	refer := func(tag, mediaType, manifest, subject string) step {
		s := put("r", tag, mediaType, manifest)
		s.want["OCI-Subject"] = subject
		return s
	}
	entry := func(mediaType, manifest, rest string) string {
		return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d%s}`, mediaType, sha(manifest), len(manifest), rest)
	}
	referrers := func(query, entries, filters string) step {
		return step{
			name: "referrers" + query, method: "GET", path: "/v2/r/referrers/" + sha(theImage) + query, status: 200,
			text: fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[%s]}`, indexType, entries),
			want: map[string]string{"Content-Type": indexType, "OCI-Filters-Applied": filters},
		}
	}
	sbomEntry := entry(imageType, sbom, `,"artifactType":"application/example.sbom","annotations":{"a":"b"}`)
	plainEntry := entry(imageType, plain, fmt.Sprintf(`,"artifactType":%q`, configType))
	listEntry := entry(indexType, list, "")
	blobs := []step{blob("r", "{}"), blob("r", data)}
	with := func(steps ...step) []step { return append(blobs[:2:2], steps...) }
	run(t, []workflow{
		{name: "none", steps: pushed(referrers("", "", ""))},
		{name: "none in an unknown repository", steps: []step{referrers("", "", "")}},
		{name: "subject comes later", steps: with(
			refer("s", imageType, sbom, sha(theImage)), referrers("", sbomEntry, ""), put("r", "v1", imageType, theImage),
			referrers("", sbomEntry, ""), refer("s2", imageType, sbom, sha(theImage)), referrers("", sbomEntry, ""),
		)},
		{name: "artifact type of the config", steps: with(refer("p", imageType, plain, sha(theImage)), referrers("", plainEntry, ""))},
		{name: "index", steps: with(refer("l", indexType, list, sha(theImage)), referrers("", listEntry, ""))},
		{name: "filter", steps: with(
			refer("s", imageType, sbom, sha(theImage)), refer("p", imageType, plain, sha(theImage)),
			referrers("?artifactType=application/example.sbom", sbomEntry, "artifactType"),
			referrers("?artifactType=none", "", "artifactType"),
		)},
		{name: "deleted", steps: with(
			refer("s", imageType, sbom, sha(theImage)),
			step{name: "delete", method: "DELETE", path: "/v2/r/manifests/" + sha(sbom), status: 202}, referrers("", "", ""),
		)},
		{name: "invalid digest", steps: []step{get("/v2/r/referrers/v1", 400, "DIGEST_INVALID")}},
		{name: "of another repository", steps: with(
			refer("s", imageType, sbom, sha(theImage)), step{
				name: "referrers", method: "GET", path: "/v2/other/referrers/" + sha(theImage), status: 200,
				text: fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[]}`, indexType),
			},
		)},
		{name: "switched off", opts: regserver.Options{NoReferrers: true}, steps: with(
			refer("s", imageType, sbom, ""), get("/v2/r/referrers/"+sha(theImage), 404, "UNSUPPORTED"),
		)},
	})
}
