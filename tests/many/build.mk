# SPDX-License-Identifier: GPL-2.0-or-later
# Many guests in one program, the wire and the host beside them.

MANY_BIN  := $(B)/tests/many
MANY_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/many/*.c))
TESTS     += $(MANY_BIN)/many

$(MANY_BIN)/%.o: tests/many/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(MANY_BIN)/many: $(MANY_OBJS) $(B)/tests/hostile/wire.o $(B)/tests/libfrontend.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lpthread
