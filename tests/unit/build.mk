# SPDX-License-Identifier: GPL-2.0-or-later
#
# Unit tests of vhost/: every *_test.c is a program of its own and prints TAP; every *_bench.c is
# one too, and prints figures. Those that include ring_driver.h play the guest of a single ring
# (ring_*.c), the others a whole front end (peer.c).

UNIT_SOURCES := $(wildcard tests/unit/*_test.c tests/unit/*_bench.c)
UNIT_RING    := $(shell grep -l '"ring_driver.h"' $(UNIT_SOURCES))
UNIT_HELPERS := $(filter-out %_test.c %_bench.c,$(wildcard tests/unit/ring_*.c))
UNIT_TESTS   := $(patsubst %.c,$(B)/%,$(UNIT_SOURCES))
TESTS        += $(UNIT_TESTS)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

$(B)/tests/unit/%.o: tests/unit/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/tests/lib/log_stub.o: tests/lib/log_stub.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(patsubst %.c,$(B)/%,$(UNIT_RING)): $(patsubst %.c,$(B)/%.o,$(UNIT_HELPERS))
$(patsubst %.c,$(B)/%,$(filter-out $(UNIT_RING),$(UNIT_SOURCES))): $(patsubst %.c,$(B)/%.o,$(wildcard tests/unit/peer*.c))

$(UNIT_TESTS): $(B)/%: $(B)/%.o $(B)/tests/lib/log_stub.o $(B)/libvhost.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(B)/libvhost.a -lcmocka -lpthread
