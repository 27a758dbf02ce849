# SPDX-License-Identifier: GPL-2.0-or-later
# The tools of the benchmarks against other switches.

BENCH_BIN   := $(B)/tests/bench
BENCH_TOOLS := $(addprefix $(BENCH_BIN)/,trial probe sink light)
TESTS       += $(BENCH_TOOLS)

$(BENCH_BIN)/trial: tests/bench/offer.c tests/bench/rt.c
$(BENCH_BIN)/light: $(addprefix tests/bench/,light_ring.c light_frame.c light_run.c rt.c) $(B)/tests/libfrontend.a

$(BENCH_TOOLS): $(BENCH_BIN)/%: tests/bench/%.c
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MF $@.d -o $@ $(filter %.c %.a,$^) $(LIB_LINK)
