# SPDX-License-Identifier: GPL-2.0-or-later
# The tools of the benchmarks against other switches.

BENCH_BIN   := $(B)/tests/bench
BENCH_TOOLS := $(addprefix $(BENCH_BIN)/,trial probe sink spare light tapflow)
TESTS       += $(BENCH_TOOLS)

$(BENCH_BIN)/spare: tests/bench/rt.c
$(BENCH_BIN)/trial: tests/bench/offer.c tests/bench/rt.c
$(BENCH_BIN)/light: $(addprefix tests/bench/,light_ring.c light_frame.c light_run.c rt.c) $(B)/tests/libfrontend.a
$(BENCH_BIN)/tapflow: tests/lib/netns_tap.c $(addprefix tests/bench/,offer.c rt.c) $(BENCH_BIN)/tapflow.skel.h

$(BENCH_BIN)/tapflow.bpf.o: tests/bench/tapflow.bpf.c tests/bench/tapflow.h
	$(call say,BPF,$<)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MF $(@:.o=.d) -c -o $@ $<

$(BENCH_BIN)/tapflow.skel.h: $(BENCH_BIN)/tapflow.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name tapflow_bpf > $@

$(BENCH_TOOLS): $(BENCH_BIN)/%: tests/bench/%.c
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -I$(BENCH_BIN) -MF $@.d -o $@ $(filter %.c %.a,$^) $(LIB_LINK)
