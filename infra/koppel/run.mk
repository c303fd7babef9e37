# One round against the sandbox: `make run`, or `make run PAIR=ccv-shop--visma-net` for another of examples/. What it keeps lies
# under .koppel/, so a second round delivers nothing twice; `make run-reset` starts anew.
PAIR ?= woocommerce--exact-online
EXAMPLE = examples/$(PAIR)/koppel.yaml
KOPPEL_DIR = .koppel/$(PAIR)
KOPPEL = target/debug/koppel --file $(EXAMPLE) --state $(KOPPEL_DIR)/koppel.db
# Limits that nobody has published are left to the tests; the shop has the plugin for prices of price classes.
SWITCHES = mijnwebwinkel.minute_limit=null asperion.minute_limit=null woocommerce.wholesale=free
SANDBOX = target/debug/koppel-sandbox serve --catalogue --state $(KOPPEL_DIR)/sandbox $(SWITCHES:%=--switch %)
SANDBOX_PID = $(KOPPEL_DIR)/sandbox.pid

# Starts the sandbox, waits until it says that it is ready, and stops it when the recipe's shell ends.
with_sandbox = umask 077; mkdir -p $(KOPPEL_DIR); : > $(KOPPEL_DIR)/sandbox.out; \
	$(SANDBOX) > $(KOPPEL_DIR)/sandbox.out 2>&1 & sandbox=$$!; echo $$sandbox > $(SANDBOX_PID); \
	trap 'kill $$sandbox 2>/dev/null; wait $$sandbox 2>/dev/null; rm -f $(SANDBOX_PID)' EXIT; \
	until grep -q '^ready' $(KOPPEL_DIR)/sandbox.out; do \
		kill -0 $$sandbox 2>/dev/null || { cat $(KOPPEL_DIR)/sandbox.out; exit 1; }; sleep 0.1; \
	done

.PHONY: run run-reset examples dev run-build

# Of the whole workspace some shared dependencies have other features: whoever builds that needs no second build of these.
RUN_BUILD ?= cargo build --quiet -p koppel -p koppel-sandbox

run-build:
	@$(RUN_BUILD)

# Articles before the orders that name them, and stock after the orders that take from it: the example says in which turn.
FLOWS = $(shell sed -n 's/^# Flows in turn: //p' $(EXAMPLE))
# Everything is read again each time, so that a second round shows that nothing is left to write.
RUN = $(KOPPEL) run $(1) --since 2020-01-01

## run: run every flow of a pair (PAIR=…, see examples/) against the sandbox, and show each record; a second time all are unchanged
run: run-build
	@test -f $(EXAMPLE) || { echo "there is no pair «$(PAIR)»; there are: $$(ls examples | xargs)"; exit 1; }
	@$(with_sandbox); \
	$(KOPPEL) apply && $(KOPPEL) connect shop && $(KOPPEL) connect books --auto \
	$(foreach flow,$(FLOWS),&& printf '\n== $(flow)\n' && $(call RUN,$(flow)))

## run-reset: forget what `make run` has kept
run-reset:
	@rm -rf $(KOPPEL_DIR)/koppel.db* $(KOPPEL_DIR)/sandbox $(KOPPEL_DIR)/sandbox.out $(SANDBOX_PID)

## examples: every pair twice from nothing, as `make run` does it; the second time must find nothing to write
examples:
	@cargo build --quiet --workspace --all-targets --locked
	@set -e -o pipefail; for pair in $$(ls examples); do \
		out=.koppel/examples/$$pair; rm -rf $$out; mkdir -p $$out; \
		for time in first second; do \
			$(MAKE) --no-print-directory run PAIR=$$pair KOPPEL_DIR=$$out RUN_BUILD=true > $$out/$$time.out 2>&1 \
				|| { cat $$out/$$time.out; echo "$$pair: the $$time run failed"; exit 1; }; \
		done; \
		wrote='^[a-z-]+: .* [1-9][0-9]* (created|updated)'; \
		grep -qE "$$wrote" $$out/first.out || { echo "$$pair: the first run wrote nothing"; exit 1; }; \
		if grep -E "$$wrote" $$out/second.out; then echo "$$pair: the second run wrote something"; exit 1; fi; \
		echo "$$pair: $$(grep -cE '^[a-z-]+: [0-9]+ ' $$out/second.out) flows, the second run wrote nothing"; \
	done

## dev: the sandbox and the local host, until Ctrl-C
dev: run-build
	@$(with_sandbox); trap : INT; \
	$(KOPPEL) apply && $(KOPPEL) connect books --auto && $(KOPPEL) dev
