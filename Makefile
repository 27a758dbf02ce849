# SPDX-License-Identifier: GPL-2.0-or-later
#
# make                 build/vxdp
# make check           all tests: check-fast needs no guest, check-lab is the rest, other kernels too
# make demo            the two-minute tour with a real guest
# make install         PREFIX=/usr/local DESTDIR=
# make lint            formatter, linters, include rules
# make fuzz T=60       every fuzzer for T seconds
#
# V=1 shows the commands. SAN=address or SAN=thread builds a sanitised variant beside the normal
# one, in build/san-address or build/san-thread.

VERSION := 0.1.0

PREFIX     ?= /usr/local
SBINDIR    ?= $(PREFIX)/sbin
MANDIR     ?= $(PREFIX)/share/man
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
UNITDIR    ?= $(PREFIX)/lib/systemd/system
QEMUDIR    ?= $(PREFIX)/share/qemu/vhost-user

CC         ?= cc
CLANG      ?= clang
BPFTOOL    ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config

B := build$(if $(SAN),/san-$(SAN))

LIBS      := libxdp libbpf jansson libcap-ng
LIB_FLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
LIB_LINK  := $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null) -lelf -lz -lpthread

CFLAGS    ?= -O2 -g
WARNINGS  := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
             -Wpointer-arith -Wwrite-strings -Wvla -Wno-unused-parameter
BASE      := -std=gnu11 -D_GNU_SOURCE -DVXDP_VERSION='"$(VERSION)"' -Iinclude -I. -I$(B) -MMD -MP
comma     := ,
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN)$(if $(filter address,$(SAN)),$(comma)undefined)  -fno-omit-frame-pointer)
# gcc says that ThreadSanitizer does not know fences, which the rings need (ring.c).
SAN_FLAGS += $(if $(filter thread,$(SAN)),-Wno-tsan -Wno-unknown-warning-option)
ALL_CFLAGS := $(BASE) $(WARNINGS) $(SAN_FLAGS) $(CFLAGS)

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Werror -Iinclude -I. \
              -idirafter /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null) -MMD -MP

ifeq ($(V),1)
Q :=
say :=
else
Q := @
say = @printf '  %-8s %s\n' '$(1)' '$(2)';
endif

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all check check-fast check-lab demo install uninstall lint format fuzz clean tests
.DEFAULT_GOAL := all

VHOST_OBJS  := $(patsubst %.c,$(B)/%.o,$(wildcard vhost/*.c))
LOADER_OBJS := $(patsubst %.c,$(B)/%.o,$(wildcard loader/*.c))
SKELETONS   := $(patsubst bpf/%.bpf.c,$(B)/%.skel.h,$(wildcard bpf/*.bpf.c))

all: $(B)/vxdp

$(B)/vxdp: $(LOADER_OBJS) $(B)/libvhost.a
	$(call say,LINK,$@)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIB_LINK)

$(B)/libvhost.a: $(VHOST_OBJS)
	$(call say,AR,$@)rm -f $@; ar rcs $@ $^

$(B)/vhost/%.o: vhost/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/loader/%.o: loader/%.c | $(SKELETONS)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(LIB_FLAGS) -c -o $@ $<

$(B)/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$<)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MF $(@:.o=.d) -c -o $@ $<

$(B)/%.skel.h: $(B)/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@

# Test programs: each folder under tests/ says how its own are built, and adds them to TESTS.
TESTS :=
include $(sort $(wildcard tests/*/build.mk))
tests: $(TESTS)

check: all tests
	$(Q)./scripts/check --built

check-fast: all tests
	$(Q)./scripts/check --built --fast

check-lab: all tests
	$(Q)./scripts/check --built --lab

demo: all
	$(Q)./scripts/demo --built

# sed fills in where the program is.
install: all
	install -D -m 755 $(B)/vxdp $(DESTDIR)$(SBINDIR)/vxdp
	install -D -m 644 loader/vxdp.8 $(DESTDIR)$(MANDIR)/man8/vxdp.8
	install -D -m 644 loader/vxdp.bash $(DESTDIR)$(BASHDIR)/vxdp
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(QEMUDIR)
	sed 's|@SBINDIR@|$(SBINDIR)|' loader/vxdp@.service > $(DESTDIR)$(UNITDIR)/vxdp@.service
	sed 's|@SBINDIR@|$(SBINDIR)|' loader/50-vxdp.json > $(DESTDIR)$(QEMUDIR)/50-vxdp.json

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/vxdp $(DESTDIR)$(MANDIR)/man8/vxdp.8 $(DESTDIR)$(BASHDIR)/vxdp \
		$(DESTDIR)$(UNITDIR)/vxdp@.service $(DESTDIR)$(QEMUDIR)/50-vxdp.json

lint:
	$(Q)./scripts/lint

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
