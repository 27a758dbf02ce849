// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf.c - the BPF programs and maps of one switch, from loading to removal.
 *
 * Theory of operation
 *
 * The object is opened several times from the same bytes. The first, "main", holds the TC, steering
 * and syscall programs and makes (or takes over) the maps; the XDP program is loaded from further
 * copies which share its maps, since libxdp may load it as another type and each attempt to attach
 * spoils the copy (see xdp.c).
 *
 *	order of building             undone in reverse by vxdp_bpf_close()
 *	bpffs mounted                 (stays: others use it)
 *	maps made or adopted, pinned  unpinned
 *	for each NIC (bpf_uplink.c):
 *	  XDP attached                detached
 *	  TC programs attached        detached; on kernels without TCX the clsact qdisc under them
 *	                              is removed if we added it (STATE_CLSACT in the state file)
 *	                              and nobody else is there
 *
 * After kill -9, and while there are tap ports, all of it stays: the host's traffic and tap ports
 * go on. The successor takes the maps over, with the addresses learnt, and replaces the programs.
 */
#include "bpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "bpf_elf.h"
#include "bpf_impl.h"
#include "bpf_log.h"
#include "bpf_pins.h"
#include "nic.h"
#include "state.h"

/* What a new switch starts with: it forgets as Linux bridges do, and lets no guest fill the FDB. */
#define AGEING_NS    (300 * 1000000000ULL)
#define FDB_PORT_MAX 4096

#define CPU_PROG  "vxdp_uplink_cpu" /* XDP, but for the map cpus */
#define CPU_QUEUE 2048		    /* frames on their way to a CPU */

int bpf_object_open(const char *xdp, struct bpf_object **out)
{
	struct bpf_program *prog;
	struct bpf_object *object;
	int err = bpf_elf_open(&object);

	if (err)
		return err;
	bpf_object__for_each_program(prog, object)
	{
		const char *name = bpf_program__name(prog);

		bpf_program__set_autoload(prog,
					  xdp ? !strcmp(name, xdp)
					      : bpf_program__type(prog) != BPF_PROG_TYPE_XDP ||
							  !strcmp(name, CPU_PROG));
	}
	*out = object;
	return 0;
}

int bpf_xdp_object_open(void *arg, const char *prog, struct bpf_object **out)
{
	const struct bpf_object *main = arg;
	struct bpf_object *object;
	struct bpf_map *map;
	int err = bpf_object_open(prog, &object);

	if (err)
		return err;
	bpf_object__for_each_map(map, object)
	{
		const struct bpf_map *shared =
			bpf_object__find_map_by_name(main, bpf_map__name(map));

		err = bpf_map__reuse_fd(map, bpf_map__fd(shared));
		if (err) {
			bpf_object__close(object);
			return err;
		}
	}
	*out = object;
	return 0;
}

/* Names and owners of a predecessor's ports stay; its taps and sockets died with it. */
static void forget_runtime(const struct vxdp_pins *pins)
{
	struct vxdp_port port;
	struct vxdp_queue nobody = {};

	for (uint32_t id = VXDP_PORT_FIRST; id < VXDP_PORTS_MAX; id++) {
		if (vxdp_port_get(pins, id, &port) || port.kind != VXDP_KIND_VM)
			continue;
		bpf_map_delete_elem(pins->port_by_ifindex, &port.ifindex);
		port.ifindex = 0;
		port.flags = 0;
		vxdp_port_set(pins, id, &port);
	}
	for (uint32_t i = 0; i < VXDP_NIC_QUEUES_MAX; i++)
		bpf_map_update_elem(pins->queues, &i, &nobody, BPF_ANY);
}

static int take_pins(struct vxdp_bpf *bpf)
{
	struct bpf_program *refresh;

	bpf->pins.writable = true;
#define TAKE_PIN(name)                                                                             \
	bpf->pins.name = dup(bpf_map__fd(bpf_object__find_map_by_name(bpf->object, #name)));       \
	if (bpf->pins.name < 0)                                                                    \
		return -errno;
	VXDP_PINNED_MAPS(TAKE_PIN)
#undef TAKE_PIN
	refresh = bpf_object__find_program_by_name(bpf->object, "vxdp_fdb_refresh");
	bpf->pins.refresh_prog = dup(bpf_program__fd(refresh));
	if (bpf->pins.refresh_prog < 0)
		return -errno;
	return vxdp_pins_map(&bpf->pins);
}

/* Tap ports run on them: they are not thrown away. */
static int fail_layout(const char *nic, struct vx_error *error)
{
	vx_fail(error, -EPROTO,
		"the tap ports of %s run on maps of another version of vxdp, which this one (layout %u) "
		"cannot take over",
		nic, VXDP_ABI_VERSION);
	vx_hint(error,
		"vxdp detach %s, and attach the taps again; until then they go on as they are",
		nic);
	return -EPROTO;
}

static int load_main(struct vxdp_bpf *bpf, struct vx_error *error)
{
	const char *nic = bpf->name;
	int err;

	err = bpf_object_open(NULL, &bpf->object);
	if (err)
		return vx_fail_errno(error, err, "cannot read the BPF programs");
	err = bpf_pins_reuse(bpf->object, nic);
	bpf->adopted = !err;
	if (err == -EPROTO && state_taps_walk(nic, NULL, NULL))
		return fail_layout(nic, error);
	if (err && err != -ENOENT)
		log_warn("%s: maps of another version of vxdp are pinned, they are replaced", nic);
	if (err) {
		/* Some maps may be taken over by now: start from a fresh object. */
		bpf_pins_remove(nic);
		bpf_object__close(bpf->object);
		bpf->object = NULL;
		err = bpf_object_open(NULL, &bpf->object);
		if (err)
			return vx_fail_errno(error, err, "cannot read the BPF programs");
	}
	err = bpf_object__load(bpf->object);
	if (err) {
		vx_fail_errno(error, err, "cannot load the BPF programs");
		/* EACCES is also what the verifier says. */
		if (geteuid())
			vx_hint(error, "run it as root");
		else
			vx_hint(error, "vxdp needs Linux 6.1 or newer; -v shows what was refused");
		return err;
	}
	err = take_pins(bpf);
	return err ? vx_fail_errno(error, err, "cannot use the BPF maps") : 0;
}

static int open_maps(struct vxdp_bpf *bpf, struct vx_error *error)
{
	unsigned int n_taps;
	int err = load_main(bpf, error);

	if (err)
		return err;
	bpf->pinned = !bpf->adopted; /* until this opening succeeds they stay their owner's */
	if (bpf->adopted) {
		n_taps = vxdp_tap_ports(&bpf->pins);
		if (n_taps)
			log_info("%s: %u tap port%s taken over", bpf->name, n_taps,
				 n_taps == 1 ? " is" : "s are");
		else
			log_info("%s: the maps of a killed vxdp are taken over", bpf->name);
		forget_runtime(&bpf->pins);
	} else {
		bpf->pins.mapped_config->ageing_ns = AGEING_NS;
		bpf->pins.mapped_config->fdb_port_max = FDB_PORT_MAX;
		err = bpf_pins_make(bpf->object, bpf->name, error);
	}
	bpf->pins.mapped_config->abi_version = VXDP_ABI_VERSION;
	return err;
}

static int program_fd(const struct vxdp_bpf *bpf, const char *name)
{
	const struct bpf_program *prog = bpf_object__find_program_by_name(bpf->object, name);

	return prog ? bpf_program__fd(prog) : -ENOENT;
}

/* CPUs that are not there cannot be entered: up to the first of these. */
int vxdp_bpf_spread(struct vxdp_bpf *bpf)
{
	struct bpf_cpumap_val value = {.qsize = CPU_QUEUE,
				       .bpf_prog.fd = program_fd(bpf, CPU_PROG)};
	int cpus = libbpf_num_possible_cpus();
	uint32_t n = 0;

	while (n < VXDP_SPREAD_CPUS_MAX && (int)n < cpus &&
	       !bpf_map_update_elem(bpf->pins.cpus, &n, &value, BPF_ANY))
		n++;
	if (!n)
		return -errno;
	WRITE_ONCE(bpf->pins.mapped_config->n_cpus, n);
	return 0;
}

enum vxdp_xdp_mode vxdp_xdp_mode_named(const char *name)
{
	if (!name)
		return VXDP_XDP_UNSAID;
	if (!strcmp(name, "auto"))
		return VXDP_XDP_AUTO;
	if (!strcmp(name, "tc"))
		return VXDP_XDP_NONE;
	return strcmp(name, "skb") ? VXDP_XDP_NATIVE : VXDP_XDP_SKB;
}

const char *vxdp_xdp_mode_name(enum vxdp_xdp_mode mode)
{
	if (mode == VXDP_XDP_NATIVE)
		return "native";
	return mode == VXDP_XDP_SKB ? "skb" : "none";
}

static int fail_mode(const struct vxdp_bpf *bpf, bool no_xdp, struct vx_error *error)
{
	vx_fail(error, -EBUSY, "the tap ports of %s run %s XDP on the NIC (--mode tc)", bpf->name,
		no_xdp ? "without" : "with");
	vx_hint(error, "all ports of a NIC share it: leave --mode out, or detach them all first");
	return -EBUSY;
}

/* What is on the NICs stays in the mode that was asked for, or found out, with the first port. */
static int choose_mode(struct vxdp_bpf *bpf, enum vxdp_xdp_mode wanted, struct vx_error *error)
{
	const struct vxdp_config *config = bpf->pins.mapped_config;
	bool no_xdp = vxdp_uplinks_no_xdp(&bpf->pins);

	bpf->mode = wanted == VXDP_XDP_UNSAID ? VXDP_XDP_AUTO : wanted;
	if (!vxdp_tap_ports(&bpf->pins) || !config->n_uplinks_end)
		return 0;
	if (wanted != VXDP_XDP_UNSAID)
		return (wanted == VXDP_XDP_NONE) == no_xdp ? 0 : fail_mode(bpf, no_xdp, error);
	if (no_xdp)
		bpf->mode = VXDP_XDP_NONE;
	else if (config->generic_xdp)
		bpf->mode = VXDP_XDP_SKB;
	return 0;
}

int vxdp_bpf_open(const struct vxdp_bpf_opts *opts, struct vxdp_bpf **out, struct vx_error *error)
{
	const char *name = opts->name ? opts->name : opts->nic;
	struct vxdp_bpf *bpf = calloc(1, sizeof(*bpf));
	struct vxdp_bpf_opts chosen = *opts;
	struct nic_info info;
	int err = 0;

	if (!bpf)
		return vx_fail_errno(error, -ENOMEM, "cannot attach to %s", name);
	bpf->pins = VXDP_PINS_NONE;
	snprintf(bpf->name, sizeof(bpf->name), "%s", name);
	bpf_log_init();
	if (opts->nic)
		err = nic_info_get(opts->nic, &info, error);
	if (!err)
		err = bpf_pins_mount(error);
	if (!err)
		err = open_maps(bpf, error);
	if (!err)
		err = choose_mode(bpf, opts->mode, error);
	chosen.mode = bpf->mode;
	if (!err)
		err = bpf_uplinks_open(bpf, &chosen, error);
	if (!err)
		err = bpf_taps_open(bpf, error);
	if (!err && bpf->pins.mapped_config->n_cpus)
		vxdp_bpf_spread(bpf);
	if (err) {
		vxdp_bpf_close(&bpf);
		return err;
	}
	bpf->pinned = true;
	*out = bpf;
	return 0;
}

void vxdp_bpf_close(struct vxdp_bpf **bpf)
{
	bool keep;

	if (!*bpf)
		return;
	keep = (*bpf)->pins.ports >= 0 && vxdp_tap_ports(&(*bpf)->pins);
	for (unsigned int i = 0; i < VXDP_UPLINKS_MAX && !keep; i++)
		bpf_nic_detach(&(*bpf)->nic[i]);
	if ((*bpf)->pinned && !keep)
		bpf_pins_remove((*bpf)->name);
	vxdp_pins_close(&(*bpf)->pins);
	bpf_object__close((*bpf)->object);
	free(TAKE_PTR(*bpf));
}

const struct vxdp_pins *vxdp_bpf_pins(const struct vxdp_bpf *bpf)
{
	return &bpf->pins;
}

enum vxdp_xdp_mode vxdp_bpf_mode(const struct vxdp_bpf *bpf)
{
	return bpf->mode;
}

enum vxdp_xdp_mode vxdp_bpf_xdp_mode(const struct vxdp_bpf *bpf)
{
	return bpf->nic[0].xdp.mode;
}

const char *vxdp_bpf_xdp_why(const struct vxdp_bpf *bpf)
{
	return bpf->nic[0].xdp.why;
}

bool vxdp_bpf_writes_headers(const struct vxdp_bpf *bpf)
{
	return !bpf->nic[0].xdp.bare;
}

int vxdp_bpf_steering_fd(const struct vxdp_bpf *bpf)
{
	return program_fd(bpf, "vxdp_tap_steering");
}

int vxdp_bpf_program_fd(const struct vxdp_bpf *bpf, const char *name)
{
	return program_fd(bpf, name);
}
