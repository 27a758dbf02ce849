/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_elf.h - the compiled BPF programs inside this binary.
 */
#ifndef VXDP_LOADER_BPF_ELF_H
#define VXDP_LOADER_BPF_ELF_H

#include <bpf/libbpf.h>

/** bpf_elf_open() - open bpf/vxdp.bpf.c's object. Return: 0 or -errno; bpf_object__close() it. */
int bpf_elf_open(struct bpf_object **out);

#endif /* VXDP_LOADER_BPF_ELF_H */
