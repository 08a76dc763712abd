# The commands of this repository. "make test" needs Go and, once, root or sudo
# to install the programs that the end-to-end tests run against.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT = mvdan.cc/gofumpt@v0.12.0

# Of make image: static has nothing but the command, shell is on BASE.
VARIANT = static
BASE = docker.io/library/busybox:stable
IMAGE = oci-archive:bin/crane-bake-$(VARIANT).oci.tar

.PHONY: build image test test-unprivileged check demo bench peers

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w" -o bin/crane-bake ./cmd/crane-bake

# The command's own image, for CI systems: docs/image.md. No Docker.
image:
	$(if $(filter static shell,$(VARIANT)),,$(error VARIANT is static or shell, not "$(VARIANT)"))
	@mkdir -p bin
	$(GO) run ./internal/selfimage $(if $(filter shell,$(VARIANT)),-base $(BASE)) $(IMAGE)

# Everything: unit tests, command line scripts, and the end-to-end tests
# against real registries, image tools and a container runtime. The last mostly
# run other programs, in which the race detector sees nothing; they are built as
# those of test-unprivileged are.
test: peers
	$(GO) test -race -shuffle=on $$($(GO) list ./... | grep -v /e2e$$)
	CGO_ENABLED=0 $(GO) test -shuffle=on ./e2e
	cd examples/ci/internal/recipetest && CGO_ENABLED=0 $(GO) test -shuffle=on ./...

# The same tests as a user without privileges, HOME or a writable directory.
test-unprivileged: peers
	scripts/test-unprivileged

check:
	scripts/check "$(GOFUMPT)" "$(STATICCHECK)"

demo:
	$(GO) run ./cmd/crane-bake demo

# Side by side with crane and buildah, on one registry behind a proxy that adds
# latency; writes the table of docs/performance.md. It takes about half an hour.
bench: peers
	$(GO) run ./internal/bench -write

peers:
	scripts/install-peers
