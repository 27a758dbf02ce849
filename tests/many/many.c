/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * many.c - many guests, the wire and the host in one thread.
 *
 *   many MODE --guests N --sockets FORMAT --wire NETNS:IFACE --host NETNS:IFACE --host-mac MAC
 *        [--packed] [--ring N] [--ms N] [--seed N] [--full-rate] [--rate N]
 *        [--wakes N]
 *
 *   reach   a broadcast of each station, then a frame from each to each, three times over: how
 *           many came, and how many came twice or where they should not?
 *   moves   an address goes from guest to guest, to the wire and back, while another guest keeps
 *           sending to it, with --full-rate as fast as it can: how long until its frames follow?
 *   hog     guest 0 sends to guest 1 at a steady rate (--rate, frames a second), alone and while
 *           guest 2 sends all it can to guest 3, which never gives a receive buffer back, in turn
 *   storm   the same, while guest 2 sends broadcasts without end
 *   crowd   guest 2 sends from many addresses
 *   soak    requests at random times from sleeping guests, which come and go: each that a living
 *           guest got must be answered in time; until guests were woken --wakes times
 *
 * FORMAT is the sockets' path with %u for the number. Prints one JSON object, and exits 0 if the
 * back end broke no rule.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modes.h"
#include "include/vxdp/util.h"

static const struct {
	const char *name;
	int (*run)(struct stations *s, const struct many_options *opt);
} modes[] = {
	{"reach", mode_reach}, {"moves", mode_moves}, {"hog", mode_hog},
	{"storm", mode_storm}, {"crowd", mode_crowd}, {"soak", mode_soak},
};

static bool parse_mac(const char *text, uint8_t mac[6])
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5]) == 6;
}

static bool parse(int argc, char **argv, struct many_options *opt)
{
	static const struct option longs[] = {
		{"guests", 1, 0, 'g'},
		{"sockets", 1, 0, 's'},
		{"wire", 1, 0, 'w'},
		{"host", 1, 0, 'h'},
		{"host-mac", 1, 0, 'm'},
		{"packed", 0, 0, 'p'},
		{"ring", 1, 0, 'r'},
		{"ms", 1, 0, 't'},
		{"seed", 1, 0, 'e'},
		{"full-rate", 0, 0, 'f'},
		{"rate", 1, 0, 'R'},
		{"wakes", 1, 0, 'W'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'g')
			opt->config.n_guests = (unsigned int)atoi(optarg);
		else if (c == 's')
			opt->config.socket_format = optarg;
		else if (c == 'w')
			opt->config.wire = optarg;
		else if (c == 'h')
			opt->config.host = optarg;
		else if (c == 'm' && !parse_mac(optarg, opt->config.host_mac))
			return false;
		else if (c == 'p')
			opt->config.packed = true;
		else if (c == 'r')
			opt->config.ring = (uint16_t)atoi(optarg);
		else if (c == 't')
			opt->ms = (unsigned int)atoi(optarg);
		else if (c == 'e')
			opt->seed = (unsigned int)atoi(optarg);
		else if (c == 'R')
			opt->rate = (unsigned int)atoi(optarg);
		else if (c == 'W')
			opt->wakes = (unsigned int)atoi(optarg);
		else if (c == 'f')
			opt->full_rate = true;
		else if (c == '?')
			return false;
	}
	return optind == argc - 1 && opt->config.n_guests >= 2 &&
	       opt->config.n_guests <= STATIONS_MAX - 2 && opt->config.socket_format &&
	       opt->config.wire && opt->config.host;
}

static int run(const char *name, const struct many_options *opt)
{
	static struct stations stations;
	int err = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(modes[i].name, name) != 0)
			continue;
		err = stations_open(&stations, &opt->config);
		if (!err)
			err = modes[i].run(&stations, opt);
		if (!err && stations_bad(&stations))
			err = -EPROTO;
		stations_close(&stations);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct many_options opt = {
		.config = {.ring = 128}, .ms = 1000, .seed = 1, .wakes = UINT_MAX};
	int err;

	if (!parse(argc, argv, &opt)) {
		fputs("usage: many reach|moves|hog|storm|crowd|soak --guests N --sockets FORMAT "
		      "--wire NETNS:IFACE --host NETNS:IFACE --host-mac MAC [--packed] [--ring N] "
		      "[--ms N] [--seed N] [--full-rate] [--rate N] [--wakes N]\n",
		      stderr);
		return 2;
	}
	err = run(argv[optind], &opt);
	if (err)
		fprintf(stderr, "many: %s: %s\n", argv[optind], strerror(-err));
	return err ? 1 : 0;
}
