# What the chain costs, measured: `make bench`, or some sections with ONLY=calls,throughput; FULL=1 takes longer.

BENCH := target/bench-run/koppel-bench

.PHONY: bench

## bench: measure calls, throughput, growth, limits, functions, cost (ONLY=calls,cost for some; FULL=1 for long ones)
bench:
	cargo build --profile bench-run -p koppel-bench
	$(BENCH) $(if $(ONLY),--only $(ONLY)) $(if $(FULL),--full) $(if $(STRICT),--strict)
