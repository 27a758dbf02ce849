# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests of the parts of the data path that need no guest: every *_test.c is a program of its own,
# links what it tests, and prints TAP.

DATAPATH_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/datapath/*_test.c))
TESTS          += $(DATAPATH_TESTS)

DATAPATH_checksum_test := checksum
DATAPATH_deliver_test  := deliver frame segment checksum window
DATAPATH_flow_test     := flow
DATAPATH_plan_test     := plan
DATAPATH_segment_test  := segment checksum
DATAPATH_steer_test    := steer steer_nic ethtool state rundir error

# Those that play a guest on real rings.
DATAPATH_RING          := $(B)/tests/datapath/deliver_test
$(B)/tests/datapath/steer_test: $(B)/tests/lib/log_stub.o
$(DATAPATH_RING): $(B)/tests/unit/ring_driver.o $(B)/tests/lib/log_stub.o $(B)/libvhost.a

$(B)/tests/datapath/%.o: tests/datapath/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(LIB_FLAGS) -c -o $@ $<

$(foreach t,$(notdir $(DATAPATH_TESTS)),$(eval \
	$(B)/tests/datapath/$(t): $(DATAPATH_$(t):%=$(B)/loader/%.o)))

$(DATAPATH_TESTS): $(B)/%: $(B)/%.o
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka -ljansson -lpthread
