# Orders under faults, by seed and pair: `make chaos SEEDS="5 6" PAIR=all`. The report lies in target/chaos/report.json.
SEEDS ?= 1
CHAOS_PAIR = $(or $(PAIR),woocommerce--exact-online)
CHAOS_WORLDS ?= 150
CHAOS_ORDERS ?= 135

.PHONY: chaos

## chaos: 20,000 orders of a seed under faults at every call: none lost, none twice, to the cent (SEEDS="2 3" PAIR=all; 20 minutes each)
chaos:
	@cargo build --quiet --profile bench-run -p koppel-chaos
	@target/bench-run/koppel-chaos --pair "$(CHAOS_PAIR)" --seeds "$(SEEDS)" --worlds $(CHAOS_WORLDS) --orders $(CHAOS_ORDERS)
