// SPDX-License-Identifier: GPL-2.0-or-later
#include "dump_source.h"

#include <errno.h>
#include <string.h>
#include <vxdp/util.h>

bool dump_port_is_fixed(const char *port)
{
	return port && (!strcmp(port, "uplink") || !strcmp(port, "host"));
}

static bool is_wanted(const struct vxdp_port *port, const char *name)
{
	return name ? !strncmp(port->name, name, sizeof(port->name)) : port->kind >= VXDP_KIND_VM;
}

int dump_flags_set(const struct vxdp_pins *pins, const char *name, unsigned int snaplen)
{
	struct vxdp_port port;
	int err = name ? -ENOENT : 0, set;

	for (uint32_t id = VXDP_PORT_UPLINK; id < VXDP_PORTS_MAX; id++) {
		if (vxdp_port_get(pins, id, &port) || !is_wanted(&port, name))
			continue;
		port.capture_bytes = snaplen;
		port.flags |= VXDP_PORT_CAPTURE;
		set = vxdp_port_set(pins, id, &port);
		if (set)
			return set;
		err = 0;
	}
	return err;
}

void dump_flags_clear(const struct vxdp_pins *pins)
{
	struct vxdp_port port;

	for (uint32_t id = VXDP_PORT_UPLINK; id < VXDP_PORTS_MAX; id++) {
		if (!vxdp_port_get(pins, id, &port) && port.flags & VXDP_PORT_CAPTURE)
			vxdp_port_flags(pins, id, 0, VXDP_PORT_CAPTURE);
	}
}
