/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addresses.h - who is who in the tests of the BPF programs: initialisers of uint8_t[6].
 */
#ifndef VXDP_TESTS_BPF_ADDRESSES_H
#define VXDP_TESTS_BPF_ADDRESSES_H

#define MAC(n)                                                                                     \
	{                                                                                          \
		0x52, 0x54, 0, 0, 0, n                                                             \
	}
#define GUEST0	MAC(0x10)
#define GUEST1	MAC(0x11)
#define GUEST2	MAC(0x12)
#define STATION MAC(0x20)
#define HOST                                                                                       \
	{                                                                                          \
		0x02, 0, 0, 0, 0, 0x01                                                             \
	}
#define BROADCAST                                                                                  \
	{                                                                                          \
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff                                                 \
	}
#define LINK_LOCAL                                                                                 \
	{                                                                                          \
		0x01, 0x80, 0xc2, 0, 0, 0x0e                                                       \
	}

#endif /* VXDP_TESTS_BPF_ADDRESSES_H */
