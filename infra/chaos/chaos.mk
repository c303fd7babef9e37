# Orders under faults, by seed: `make chaos SEEDS="5 6"`. The report lies in target/chaos/report.json.
SEEDS ?= 1 2 3 4

.PHONY: chaos

## chaos: orders under seeded faults at every call: none lost, none twice, to the cent (SEEDS="1 2 3 4"; hours)
chaos:
	@cargo build --quiet -p koppel-chaos
	@target/debug/koppel-chaos --seeds "$(SEEDS)"
