# SPDX-License-Identifier: GPL-2.0-or-later
# testpmd virtio-user as the guest: the far end of the wire.

TESTPMD_WIRE := $(B)/tests/testpmd/wire
TESTS += $(TESTPMD_WIRE)

$(B)/tests/testpmd/%.o: tests/testpmd/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(TESTPMD_WIRE): $(B)/tests/testpmd/wire.o $(B)/tests/testpmd/frame.o
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^
