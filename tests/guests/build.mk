# SPDX-License-Identifier: GPL-2.0-or-later
# Several guests in one process, for the guest lane and the workers.

GUESTS := $(B)/tests/guests/guests
KICKS  := $(B)/tests/guests/kicks
TESTS  += $(GUESTS) $(KICKS)

$(B)/tests/guests/%.o: tests/guests/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(GUESTS): $(B)/tests/guests/guests.o $(B)/tests/guests/stream.o $(B)/tests/libfrontend.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

$(KICKS): $(B)/tests/guests/kicks.o $(B)/tests/libfrontend.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread
