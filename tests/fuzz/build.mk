# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fuzzers: tests/fuzz/NAME_fuzz.c becomes build/fuzz/NAME_fuzz, together with vhost/ and loader/
# compiled with the same instrumentation. `make fuzz T=60` runs each for T seconds.

FUZZ_CC    := $(CLANG)
FUZZ_DIR   := build/fuzz
FUZZ_FLAGS := $(BASE) -I$(FUZZ_DIR) $(WARNINGS) -O1 -g -fno-omit-frame-pointer \
              -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZERS    := $(patsubst tests/fuzz/%.c,$(FUZZ_DIR)/%,$(wildcard tests/fuzz/*_fuzz.c))

FUZZ_VHOST  := $(patsubst %.c,$(FUZZ_DIR)/%.o,$(wildcard vhost/*.c))
FUZZ_LOADER := $(patsubst %.c,$(FUZZ_DIR)/%.o,$(filter-out loader/main.c,$(wildcard loader/*.c)))
FUZZ_COMMON := $(FUZZ_DIR)/tests/fuzz/common.o

T ?= 60

.PHONY: fuzzers
fuzzers: $(FUZZERS)

fuzz: fuzzers
	$(Q)FUZZ_SECONDS=$(T) tests/fuzz/run.sh

$(FUZZ_DIR)/vhost/%.o: vhost/%.c
	$(call say,FUZZCC,$<)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_FLAGS) -c -o $@ $<

$(FUZZ_DIR)/loader/%.o: loader/%.c | $(SKELETONS)
	$(call say,FUZZCC,$<)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_FLAGS) -I$(B) $(LIB_FLAGS) -c -o $@ $<

$(FUZZ_DIR)/tests/fuzz/%.o: tests/fuzz/%.c
	$(call say,FUZZCC,$<)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_FLAGS) -c -o $@ $<

# Archives: a fuzzer takes what it needs, and brings its own of what it wants to replace.
$(FUZZ_DIR)/libvhost.a: $(FUZZ_VHOST)
	$(call say,AR,$@)rm -f $@; ar rcs $@ $^

$(FUZZ_DIR)/libloader.a: $(FUZZ_LOADER)
	$(call say,AR,$@)rm -f $@; ar rcs $@ $^

# opts_fuzz and ctl_fuzz are about the command line and the control socket; the others never touch loader/.
$(FUZZ_DIR)/opts_fuzz $(FUZZ_DIR)/ctl_fuzz: $(FUZZ_DIR)/libloader.a
$(FUZZ_DIR)/%_fuzz: $(FUZZ_DIR)/tests/fuzz/%_fuzz.o $(FUZZ_COMMON) $(FUZZ_DIR)/libvhost.a
	$(call say,LINK,$@)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ \
		$(filter %.o,$^) $(filter %libloader.a,$^) $(filter %libvhost.a,$^) $(LIB_LINK)
