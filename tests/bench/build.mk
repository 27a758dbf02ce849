# SPDX-License-Identifier: GPL-2.0-or-later
# The tools of the benchmark against other switches.

BENCH_BIN   := $(B)/tests/bench
BENCH_TOOLS := $(addprefix $(BENCH_BIN)/,trial probe sink)
TESTS       += $(BENCH_TOOLS)

$(BENCH_BIN)/trial: tests/bench/offer.c

$(BENCH_TOOLS): $(BENCH_BIN)/%: tests/bench/%.c
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MF $@.d -o $@ $(filter %.c,$^) $(LIB_LINK)
