/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * livegen.h - what the generator and its BPF program share. The payload is that of traffic_udp.c,
 * so `traffic udp-recv` checks it.
 */
#ifndef LIVEGEN_H
#define LIVEGEN_H

#define LIVEGEN_MAGIC	    0x7856
#define LIVEGEN_PATTERN_MAX 1472

#endif /* LIVEGEN_H */
