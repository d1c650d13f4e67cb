# The one entry to everything. `make demo` sets up and shows Millrace at work; `make test` sets up and runs all tests.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.PHONY: deps build test soak demo bench lint docs package clean help

MINUTES ?= 60
# Product and tests are compiled once, in release: codec properties and fuzzing run 10 to 50 times slower in debug.
# Tests run one after the other: they start nodes and clients of their own, and two cores are what there is.
SWIFT_BUILD := swift build -c release --build-tests

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

deps: ## installs what the build, the tests and the demo need (Debian packages, Python packages)
	@.ci/deps

build: ## .build/release/millrace and the tests
	@.ci/deps build
	$(SWIFT_BUILD)

test: deps ## builds and runs all tests
	$(SWIFT_BUILD)
	swift test -c release --skip-build --no-parallel

soak: deps ## long fault and fuzz runs: make soak MINUTES=60
	$(SWIFT_BUILD)
	MILLRACE_SOAK_MINUTES=$(MINUTES) swift test -c release --skip-build --no-parallel --filter soak

demo: deps ## a TLS node, a Python producer with real data, a consumer group, millrace consume
	swift build -c release --product millrace
	@deploy/demo/run

bench: deps ## the hot paths beside a minimal C server, in one run
	swift build -c release --product millrace
	@Benchmarks/run

lint: ## swift format, in check mode
	swift format lint --strict --recursive Package.swift Sources Tests

docs: ## docs/reference/ from the executable's own tables
	swift build -c release --product millrace
	.build/release/millrace docs --dir docs/reference

package: ## .build/package/: a Debian package and a tar archive
	swift build -c release --product millrace
	@deploy/package

clean: ## removes what was built; .venv (what deps installed) stays
	rm -rf .build
