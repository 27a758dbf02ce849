# SPDX-License-Identifier: GPL-2.0-or-later
# The lanes: by a guest that watches its receive ring, and by several that share a NIC, or several.

LANE_GUESTS := $(addprefix $(B)/tests/lanes/,lane_guest shared_guest wires_guest)
TESTS += $(LANE_GUESTS)

$(B)/tests/lanes/%.o: tests/lanes/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LANE_GUESTS): $(B)/%: $(B)/%.o $(B)/tests/hostile/wire.o $(B)/tests/libfrontend.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread
