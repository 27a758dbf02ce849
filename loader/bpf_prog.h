/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_prog.h - whose is a program that is attached somewhere?
 */
#ifndef VXDP_LOADER_BPF_PROG_H
#define VXDP_LOADER_BPF_PROG_H

#include <stdbool.h>
#include <stddef.h>

/**
 * bpf_prog_name() - name of a loaded program, as the kernel cuts it (15 characters)
 * Return: 0 or -errno, with @name empty.
 */
int bpf_prog_name(unsigned int id, char *name, size_t bytes);

/** bpf_prog_is_ours() - is it one of bpf/vxdp.bpf.c, of whatever version? */
bool bpf_prog_is_ours(unsigned int id);

#endif /* VXDP_LOADER_BPF_PROG_H */
