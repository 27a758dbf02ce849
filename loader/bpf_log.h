/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf_log.h - what libbpf and libxdp print: to our log with -v, and the kernel's own words kept for
 * error messages.
 */
#ifndef VXDP_LOADER_BPF_LOG_H
#define VXDP_LOADER_BPF_LOG_H

/** bpf_log_init() - from now on; forgets what the kernel said before */
void bpf_log_init(void);

/** bpf_log_kernel_words() - the kernel's last message about a refusal, or "" */
const char *bpf_log_kernel_words(void);

#endif /* VXDP_LOADER_BPF_LOG_H */
