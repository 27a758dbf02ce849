# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests of the BPF programs and of what loads them.

BPF_TEST_BIN    := $(B)/tests/bpf
BPF_TEST_LOADER := $(addprefix $(B)/loader/,bpf.o bpf_elf.o bpf_log.o bpf_nic.o bpf_pins.o bpf_prog.o bpf_tap.o bpf_uplink.o error.o ethtool.o netlink.o \
                   nic.o nic_info.o steer_nic.o pins.o pins_fdb.o pins_policy.o pins_port.o \
                   rundir.o state.o tc.o tcx.o xdp.o xsk.o)
BPF_TEST_COMMON := $(addprefix $(BPF_TEST_BIN)/,lab.o packet.o tap.o)
BPF_TESTS       := $(patsubst tests/bpf/%_test.c,$(BPF_TEST_BIN)/%_test,$(wildcard tests/bpf/*_test.c))
# Tables of tests leave out what is as usual.
BPF_TEST_FLAGS  := -Wno-missing-field-initializers
BPF_TEST_TOOLS  := $(addprefix $(BPF_TEST_BIN)/,hold other.bpf.o hash.bpf.o)
TESTS           += $(BPF_TESTS) $(BPF_TEST_TOOLS)

.PHONY: bpf-tests
bpf-tests: $(BPF_TESTS) $(BPF_TEST_TOOLS)

$(BPF_TEST_BIN)/%.bpf.o: tests/bpf/%.bpf.c
	$(call say,BPF,$<)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MF $(@:.o=.d) -c -o $@ $<

$(BPF_TEST_BIN)/%.o: tests/bpf/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(BPF_TEST_FLAGS) $(LIB_FLAGS) -c -o $@ $<

$(BPF_TESTS) $(BPF_TEST_BIN)/hold: $(BPF_TEST_BIN)/%: $(BPF_TEST_BIN)/%.o $(BPF_TEST_COMMON) $(BPF_TEST_LOADER)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LINK)

$(BPF_TEST_BIN)/hash_test: $(B)/loader/flow.o
