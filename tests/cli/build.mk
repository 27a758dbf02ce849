# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests of the front of loader/: every *_test.c is a program of its own, links what it tests and
# prints TAP. The scripts beside them drive the whole program.

CLI_TESTS := $(patsubst %.c,$(B)/%,$(wildcard tests/cli/*_test.c))
TESTS     += $(CLI_TESTS)

CLI_event_test  := event error
CLI_log_test    := log
CLI_ctl_test    := ctl ctl_wire ctl_client error event log opts
CLI_pcapng_test := pcapng
CLI_opts_test   := opts error attach_args fdb_args policy rundir tap_owner words
CLI_rundir_test := rundir error notify
CLI_words_test  := words error
CLI_memory_left_test := memory_left

.PHONY: cli-tests
cli-tests: $(CLI_TESTS)

$(B)/tests/cli/%.o: tests/cli/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(LIB_FLAGS) -c -o $@ $<

$(foreach t,$(notdir $(CLI_TESTS)),$(eval $(B)/tests/cli/$(t): $(CLI_$(t):%=$(B)/loader/%.o)))

$(CLI_TESTS): $(B)/%: $(B)/%.o
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -ljansson -lcmocka -lpthread

# A guest with an address, and a group of them in VLANs, for the scripts.
CLI_GUESTS := $(addprefix $(B)/tests/cli/,station members)
TESTS      += $(CLI_GUESTS)

$(CLI_GUESTS): %: %.o $(B)/tests/libfrontend.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^
