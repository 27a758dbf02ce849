# SPDX-License-Identifier: GPL-2.0-or-later
#
# The front end library of the tests, the well-behaved guest and the attacker.

FRONTEND_LIB  := $(B)/tests/libfrontend.a
FRONTEND_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/lib/frontend_*.c))
HOSTILE_BIN   := $(B)/tests/hostile
TESTS         += $(FRONTEND_LIB) $(HOSTILE_BIN)/guest $(HOSTILE_BIN)/attacker

.PHONY: hostile-tools
hostile-tools: $(HOSTILE_BIN)/guest $(HOSTILE_BIN)/attacker

$(B)/tests/lib/frontend_%.o: tests/lib/frontend_%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/tests/hostile/%.o: tests/hostile/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(FRONTEND_LIB): $(FRONTEND_OBJS)
	$(call say,AR,$@)rm -f $@; ar rcs $@ $^

$(HOSTILE_BIN)/guest: $(addprefix $(HOSTILE_BIN)/,guest.o exchange.o wire.o) $(FRONTEND_LIB)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^

ATTACK_OBJS := $(patsubst tests/hostile/%.c,$(HOSTILE_BIN)/%.o,$(wildcard tests/hostile/attack*.c))

$(HOSTILE_BIN)/attacker: $(ATTACK_OBJS) $(addprefix $(HOSTILE_BIN)/,exchange.o wire.o) $(FRONTEND_LIB)
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread
