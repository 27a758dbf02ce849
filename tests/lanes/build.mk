# SPDX-License-Identifier: GPL-2.0-or-later
# The direct and the kernel lane, by a guest that watches its receive ring.

LANE_GUEST := $(B)/tests/lanes/lane_guest
TESTS += $(LANE_GUEST)

$(B)/tests/lanes/%.o: tests/lanes/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LANE_GUEST): $(B)/tests/lanes/lane_guest.o $(B)/tests/hostile/wire.o $(B)/tests/libfrontend.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread
