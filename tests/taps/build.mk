# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tap ports: a guest on a tap without QEMU, for the scripts beside it.

TAPS_TOOLS := $(B)/tests/taps/tapguest
TESTS      += $(TAPS_TOOLS)

$(TAPS_TOOLS): $(B)/%: %.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $<

# A vxdp of another version, whose BPF programs differ in a constant: what an upgrade puts in place.
TAPS_NEXT  := $(B)/tests/taps/next
NEXT_PARTS := loader/bpf_elf loader/cmd_upgrade loader/report
NEXT_FLAGS := -UVXDP_VERSION -DVXDP_VERSION='"$(VERSION)-next"'
TESTS      += $(TAPS_NEXT)/vxdp

$(TAPS_NEXT)/vxdp.bpf.o: bpf/vxdp.bpf.c
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -DFDB_MOVE_HOLD_MS=60 -MF $(@:.o=.d) -c -o $@ $<

$(TAPS_NEXT)/vxdp.skel.h: $(TAPS_NEXT)/vxdp.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name vxdp_bpf > $@

$(TAPS_NEXT)/loader/%.o: loader/%.c $(TAPS_NEXT)/vxdp.skel.h
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) -I$(TAPS_NEXT) $(ALL_CFLAGS) $(NEXT_FLAGS) $(LIB_FLAGS) -c -o $@ $<

$(TAPS_NEXT)/vxdp: $(NEXT_PARTS:%=$(TAPS_NEXT)/%.o) $(filter-out $(NEXT_PARTS:%=$(B)/%.o),$(LOADER_OBJS)) \
		$(B)/libvhost.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LINK)
