// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nic_test - facts about a NIC, what is changed on it and put back, and news of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vxdp/util.h>

#include "lab.h"
#include "loader/nic.h"
#include "tap.h"

#define OVERFLOW_CHANGES 1000 /* of the MTU, more than a netlink socket's queue holds */

static struct nic_info info_of(const char *name)
{
	struct vx_error error = {0};
	struct nic_info info = {0};

	if (nic_info_get(name, &info, &error))
		tap_bail("%s", error.message);
	return info;
}

static void test_facts(void)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct nic_info info = info_of(LAB_NIC);
	struct vx_error error = {0};

	tap_ok(info.ifindex == if_nametoindex(LAB_NIC) && !strcmp(info.name, LAB_NIC),
	       "facts: name and index");
	tap_ok(!memcmp(info.mac, mac, sizeof(mac)) && info.mtu == 1500, "facts: address and MTU");
	tap_ok(info.up && info.carrier && !info.loopback && info.ethernet, "facts: link");
	tap_ok(!strcmp(info.kind, "veth") && !strcmp(info.driver, "veth"),
	       "facts: kind and driver");
	tap_ok(info.rx_queues == 1 && info.tx_queues == 1, "facts: queues");
	tap_ok(info.rxvlan && !info.rxvlan_fixed && info.lro_fixed, "facts: offloads");
	tap_ok(info.xdp_known ? info.zerocopy == VXDP_NO : info.zerocopy == VXDP_UNKNOWN,
	       "facts: a veth has no zero-copy, if the kernel tells");
	tap_ok(!nic_usable(&info, &error), "facts: it can be attached");
	tap_is(nic_info_get("no-such-nic", &info, &error), -ENODEV, "facts: of no NIC");
	tap_is(nic_info_get("a-name-that-is-too-long-for-a-nic", &info, &error), -ENODEV,
	       "facts: of a name no NIC can have");
	lab_run("ip link add twoq numrxqueues 2 numtxqueues 2 type veth peer name twoqp");
	info = info_of("twoq");
	tap_ok(info.rx_queues == 2 && info.tx_queues == 2 && !info.up, "facts: two queues, down");
	lab_run("ip link del twoq");
}

/* Kinds of netdev that are refused, and what of the reason must be said. */
static const struct {
	const char *name;
	const char *make;
	const char *said;
} refused[] = {
	{"lo", "true", "loopback"},
	{"br9", "ip link add br9 type bridge", "bridge"},
	{"mv9", "ip link add mv9 link " LAB_NIC " type macvlan", "macvlan"},
	{"bond9", "ip link add bond9 type bond", "bond"},
	{"vlan9", "ip link add vlan9 link " LAB_NIC " type vlan id 9", "VLAN"},
	{"tun9", "ip tuntap add tun9 mode tun", "Ethernet"},
};

static void test_refused(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct vx_error error = {0};
		struct nic_info info;
		char command[160];

		snprintf(command, sizeof(command), "%s 2>/dev/null", refused[i].make);
		if (system(command)) {
			tap_ok(true, "refused: %s # SKIP this kernel has none", refused[i].said);
			continue;
		}
		info = info_of(refused[i].name);
		tap_ok(nic_usable(&info, &error) == -EOPNOTSUPP &&
			       strstr(error.message, refused[i].said),
		       "refused: %s", error.message);
		if (strcmp(refused[i].name, "lo"))
			lab_run("ip link del %s", refused[i].name);
	}
}

static int promiscuity(void)
{
	FILE *file = popen(
		"ip -d link show " LAB_NIC " | sed -n 's/.*promiscuity \\([0-9]*\\).*/\\1/p'", "r");
	int n = -1;

	if (fscanf(file, "%d", &n) != 1)
		n = -1;
	pclose(file);
	return n;
}

static struct nic *open_nic(const struct nic_events *events, void *owner)
{
	struct vx_error error = {0};
	struct nic *nic;

	if (nic_open(LAB_NIC, events, owner, &nic, &error))
		tap_bail("%s", error.message);
	return nic;
}

static bool state_is_there(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/" LAB_NIC "/state.json", getenv("VXDP_RUNDIR"));
	return !access(path, F_OK);
}

static void test_prepare(void)
{
	struct vx_error error = {0};
	struct nic *nic = open_nic(NULL, NULL);

	tap_is(promiscuity(), 1, "prepare: promiscuous");
	tap_ok(!info_of(LAB_NIC).rxvlan && nic_reads_vlans(nic), "prepare: VLAN tags stay in");
	tap_ok(state_is_there(), "prepare: noted, in case of a kill");
	nic_close(&nic);
	tap_ok(!nic && !promiscuity() && info_of(LAB_NIC).rxvlan && !state_is_there(),
	       "prepare: put back");

	lab_run("ethtool -K " LAB_NIC " rxvlan off");
	nic = open_nic(NULL, NULL);
	nic_close(&nic);
	tap_ok(!info_of(LAB_NIC).rxvlan, "prepare: what was off before stays off");
	lab_run("ethtool -K " LAB_NIC " rxvlan on");
	tap_is(nic_open("lo", NULL, NULL, &nic, &error), -EOPNOTSUPP, "prepare: not the loopback");
	tap_is(nic_open("no-such-nic", NULL, NULL, &nic, &error), -ENODEV, "prepare: not nothing");
}

static void be_killed(void)
{
	pid_t child = fork();

	if (!child) {
		open_nic(NULL, NULL);
		raise(SIGKILL);
	}
	waitpid(child, NULL, 0);
}

static void test_killed(void)
{
	struct vx_error error = {0};
	struct nic *nic;

	be_killed();
	tap_ok(!promiscuity() && !info_of(LAB_NIC).rxvlan,
	       "killed: promiscuity goes with the process, the offload does not");
	nic = open_nic(NULL, NULL);
	nic_close(&nic);
	tap_ok(info_of(LAB_NIC).rxvlan && !state_is_there(), "killed: a successor puts it back");
	be_killed();
	tap_is(nic_cleanup(LAB_NIC, &error), 1, "killed: so does a clean-up");
	tap_ok(info_of(LAB_NIC).rxvlan && !state_is_there(), "killed: completely");
	be_killed();
	/* The same name, but another NIC: the note is not about it. */
	lab_run("ip link del " LAB_NIC " && ip link add " LAB_NIC
		" address 02:00:00:00:00:01 type veth peer name " LAB_WIRE);
	lab_run("ethtool -K " LAB_NIC " rxvlan off");
	tap_is(nic_cleanup(LAB_NIC, &error), 0, "killed: a new NIC of that name is not touched");
	tap_ok(!info_of(LAB_NIC).rxvlan, "killed: its offload stays as it is");
	lab_run("ethtool -K " LAB_NIC " rxvlan on && ip link set " LAB_NIC
		" up && ip link set " LAB_WIRE " up");
}

struct news {
	unsigned int gone, link, mac, mtu;
	bool up, carrier;
	uint32_t mtu_now;
	uint8_t mac_now[6];
};

static void on_gone(void *owner)
{
	((struct news *)owner)->gone++;
}

static void on_link(void *owner, bool up, bool carrier)
{
	struct news *news = owner;

	news->link++;
	news->up = up;
	news->carrier = carrier;
}

static void on_mac(void *owner, const uint8_t mac[6])
{
	struct news *news = owner;

	news->mac++;
	memcpy(news->mac_now, mac, sizeof(news->mac_now));
}

static void on_mtu(void *owner, uint32_t mtu)
{
	struct news *news = owner;

	news->mtu++;
	news->mtu_now = mtu;
}

static const struct nic_events events = {
	.gone = on_gone, .link = on_link, .mac = on_mac, .mtu = on_mtu};

/* Do something, and take the news of it. */
static struct news news_of(struct nic *nic, struct news *news, const char *command)
{
	struct pollfd ready = {.fd = nic_watch_fd(nic), .events = POLLIN};

	memset(news, 0, sizeof(*news));
	lab_run("%s", command);
	while (poll(&ready, 1, 50) > 0)
		nic_watch_dispatch(nic);
	return *news;
}

static void test_news(void)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct news news, got;
	struct nic *nic = open_nic(&events, &news);

	got = news_of(nic, &news, "ip link set " LAB_NIC " mtu 1400");
	tap_ok(got.mtu == 1 && got.mtu_now == 1400 && !got.link && !got.mac && !got.gone,
	       "news: MTU");
	got = news_of(nic, &news, "ip link set " LAB_NIC " address 02:00:00:00:00:09");
	tap_ok(got.mac == 1 && !memcmp(got.mac_now, mac, sizeof(mac)) && !got.mtu, "news: address");
	got = news_of(nic, &news, "ip link set " LAB_WIRE " down");
	tap_ok(got.link && got.up && !got.carrier, "news: no carrier");
	got = news_of(nic, &news, "ip link set " LAB_WIRE " up");
	tap_ok(got.link && got.up && got.carrier, "news: carrier");
	got = news_of(nic, &news, "ip link set " LAB_NIC " down");
	tap_ok(got.link && !got.up, "news: down");
	got = news_of(nic, &news, "ip link set " LAB_NIC " up");
	tap_ok(got.link && got.up, "news: up");
	tap_ok(nic_info(nic)->mtu == 1400 && !memcmp(nic_info(nic)->mac, mac, sizeof(mac)),
	       "news: facts are kept up to date");
	got = news_of(nic, &news,
		      "ip link set " LAB_WIRE " mtu 1300; ip link add x0 type veth "
		      "peer name x1; ip link del x0");
	tap_ok(!got.mtu && !got.gone && !got.mac, "news: not of other NICs");
	got = news_of(nic, &news,
		      "ip link add br9 type bridge; ip link set " LAB_NIC " master br9");
	tap_ok(!got.gone, "news: joining a bridge is not going");
	got = news_of(nic, &news, "ip link set " LAB_NIC " nomaster; ip link del br9");
	tap_ok(!got.gone, "news: leaving it neither");
	nic_close(&nic);
}

static void test_overflow(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = LAB_NIC};
	struct news news, got;
	struct nic *nic = open_nic(&events, &news);

	for (int i = 0; i < OVERFLOW_CHANGES; i++) {
		ifr.ifr_mtu = 1000 + i % 2;
		if (ioctl(fd, SIOCSIFMTU, &ifr))
			tap_bail("cannot set the MTU: %s", strerror(errno));
	}
	close(fd);
	got = news_of(nic, &news, "true");
	tap_ok(got.mtu < OVERFLOW_CHANGES, "overflow: %u of %u changes were heard of", got.mtu,
	       OVERFLOW_CHANGES);
	tap_ok(got.mtu_now == 1001 && nic_info(nic)->mtu == 1001,
	       "overflow: the last state is known all the same");
	nic_close(&nic);
}

static void test_gone(void)
{
	struct news news, got;
	struct nic *nic = open_nic(&events, &news);

	got = news_of(nic, &news,
		      "unshare -n sleep 5 & sleep 0.3; ip link set " LAB_NIC " netns $!; kill $!");
	tap_is(got.gone, 1, "gone: to another network namespace");
	nic_close(&nic);
	lab_isolate();
	nic = open_nic(&events, &news);
	got = news_of(nic, &news, "ip link del " LAB_NIC);
	tap_is(got.gone, 1, "gone: removed");
	nic_close(&nic);
	tap_ok(!nic && !state_is_there(), "gone: nothing is left to be put back");
}

int main(int argc, char **argv)
{
	tap_plan(45);
	lab_isolate();
	test_facts();
	test_refused();
	test_prepare();
	test_killed();
	test_news();
	test_overflow();
	test_gone();
	return tap_exit();
}
