# The AWS side: tools, template, emulator. Included by the Makefile of the project.

VENV := .venv
SAM := $(VENV)/sam/bin/sam
EMULATOR := $(VENV)/emulator/bin/python infra/stack/emulator.py
KOPPEL_ON_STACK := target/debug/koppel --file examples/woocommerce--exact-online/koppel.yaml --stack koppel
FUNCTIONS := schedule webhook fetch map check write notify
# Nothing here may ask a registry of tools for updates or send usage data.
export SAM_CLI_TELEMETRY := 0
# Checking a template needs a region, but neither an account nor a network.
LINT_ENVIRONMENT := env -u AWS_PROFILE AWS_DEFAULT_REGION=eu-west-1 AWS_EC2_METADATA_DISABLED=true

.PHONY: venv stack stack-down functions build deploy lint-template

## venv: Python tools with pinned versions, in .venv
venv: $(VENV)/emulator/.stamp $(VENV)/sam/.stamp

# The stamp is written last and holds the requirements: an interrupted or outdated environment is made anew.
$(VENV)/%/.stamp: infra/stack/requirements-%.txt
	cmp -s $< $@ || { rm -rf $(VENV)/$*; \
	  python3 -m venv $(VENV)/$* && \
	  $(VENV)/$*/bin/pip install --quiet --no-deps --requirement $< && \
	  cp $< $@; }
	touch $@

## lint-template: check the template and what the SAM transform makes of it
lint-template: $(VENV)/sam/.stamp
	$(LINT_ENVIRONMENT) $(SAM) validate --lint --template template.yaml
	mkdir -p .aws-sam
	$(LINT_ENVIRONMENT) $(VENV)/sam/bin/python infra/stack/transform.py template.yaml .aws-sam/transformed.yaml
	$(LINT_ENVIRONMENT) $(VENV)/sam/bin/cfn-lint --template .aws-sam/transformed.yaml

## build: the functions as small release binaries, packaged for deployment
build: $(VENV)/sam/.stamp
	cargo build --release $(FUNCTIONS:%=--package function-%)
	KOPPEL_BIN_DIR=$(abspath $(or $(KOPPEL_BIN_DIR),target/release)) $(SAM) build

## deploy: deploy what `build` made, with the credentials of the environment
deploy: build
	$(SAM) deploy

## functions: the functions as debug binaries, for the emulator
functions:
	cargo build $(FUNCTIONS:%=--package function-%)

## stack: the stack on the emulator with debug functions (KOPPEL_BIN_DIR for others), and the sandbox orders through it
stack: KOPPEL_DIR := .aws-sam/round
stack: $(VENV)/emulator/.stamp $(if $(KOPPEL_BIN_DIR),,functions) run-build
	$(EMULATOR) down
	rm -rf $(KOPPEL_DIR)
	$(EMULATOR) up --bin-dir $(or $(KOPPEL_BIN_DIR),target/debug)
	@$(with_sandbox); export $$($(EMULATOR) env); \
	$(KOPPEL_ON_STACK) apply && $(KOPPEL_ON_STACK) connect shop && $(KOPPEL_ON_STACK) connect books --auto && \
	for flow in web-orders counter-sales invoices-belgium bookings-germany; do $(KOPPEL_ON_STACK) run $$flow || exit; done
	@echo "The stack stays up; make stack-down stops it."

## stack-down: stop the emulator
stack-down:
	$(EMULATOR) down
