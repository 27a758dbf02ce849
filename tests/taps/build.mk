# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tap ports: a guest on a tap without QEMU, for the scripts beside it.

TAPS_TOOLS := $(B)/tests/taps/tapguest
TESTS      += $(TAPS_TOOLS)

$(TAPS_TOOLS): $(B)/%: %.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $<
