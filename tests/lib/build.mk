# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tools of the end-to-end tests. Those that also run in the guest are static.

LAB_BIN    := $(B)/tests/lib
LAB_STATIC := guestrun traffic memcheck
LAB_TOOLS  := $(addprefix $(LAB_BIN)/,$(LAB_STATIC) livegen nsguest)
TESTS      += $(LAB_TOOLS)

.PHONY: lab-tools
lab-tools: $(LAB_TOOLS)

# Static programs take no sanitiser: the guest has no libasan.
$(LAB_BIN)/traffic: tests/lib/traffic_udp.c tests/lib/traffic_tcp.c tests/lib/traffic.h

$(addprefix $(LAB_BIN)/,$(LAB_STATIC)): $(LAB_BIN)/%: tests/lib/%.c
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(BASE) $(WARNINGS) -O2 -g -static -MF $@.d -o $@ $(filter %.c,$^)

$(LAB_BIN)/livegen.bpf.o: tests/lib/livegen.bpf.c
	$(call say,BPF,$<)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MF $(@:.o=.d) -c -o $@ $<

$(LAB_BIN)/livegen.skel.h: $(LAB_BIN)/livegen.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name livegen_bpf > $@

$(LAB_BIN)/livegen: tests/lib/livegen.c $(LAB_BIN)/livegen.skel.h
	$(call say,CC,$@)$(CC) $(BASE) $(WARNINGS) -I$(LAB_BIN) -O2 -g -MF $@.d -o $@ $< $(LIB_LINK)

$(LAB_BIN)/nsguest: $(addprefix tests/lib/,nsguest.c netns_tap.c vhost_net.c) $(B)/tests/libfrontend.a
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MF $@.d -o $@ $(filter %.c %.a,$^)
