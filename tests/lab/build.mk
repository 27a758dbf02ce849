# SPDX-License-Identifier: GPL-2.0-or-later
# The guest of the laboratory's machines, and the far end of its wire.

LAB_GUEST := $(B)/tests/lab/lab_guest
TESTS += $(LAB_GUEST)

$(B)/tests/lab/%.o: tests/lab/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LAB_GUEST): $(B)/tests/lab/lab_guest.o $(B)/tests/hostile/wire.o $(B)/tests/testpmd/frame.o \
		$(B)/tests/libfrontend.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread
