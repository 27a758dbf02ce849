// SPDX-License-Identifier: GPL-2.0-or-later
#include "stats_print.h"

#include <stdio.h>
#include <string.h>

#include "out.h"
#include "verdicts.h"
#include "vxdp/util.h"

static const char *const directions[] = {"rx", "tx"};

struct text {
	bool per_second, drops_only;
	unsigned int n_printed;
	const char *port; /* to be named above its first line; NULL: it was */
};

static void name_port(struct text *t)
{
	if (t->port)
		out_text("  %s\n", t->port);
	t->port = NULL;
	t->n_printed++;
}

static void print_counter(struct text *t, const char *where, const char *name,
			  const json_t *counter, const char *meaning)
{
	unsigned long long packets = out_uint(counter, "packets");
	const char *rate = t->per_second ? "/s" : "";

	if (!packets)
		return;
	name_port(t);
	out_text("    %-12s %-20s %12llu packets%s %15llu bytes%s%s%s\n", where, name, packets,
		 rate, out_uint(counter, "bytes"), rate, *meaning ? "  " : "", meaning);
}

/* An object of counters by verdict. */
static void print_verdicts(struct text *t, const char *where, const json_t *counters)
{
	const struct verdict_info *info;
	const json_t *counter;
	const char *name;

	json_object_foreach((json_t *)counters, name, counter)
	{
		info = verdict_find(name);
		if (t->drops_only && info && !info->is_drop)
			continue;
		print_counter(t, where, name, counter, info ? info->text : "");
	}
}

static void print_lanes(struct text *t, const char *where, const json_t *lanes)
{
	const json_t *counter;
	const char *name;

	json_object_foreach((json_t *)lanes, name, counter)
	{
		if (!strcmp(name, "drops"))
			print_verdicts(t, where, counter);
		else if (!t->drops_only)
			print_counter(t, where, name, counter, "");
	}
}

/* Of the socket's counters: those of frames, or descriptors, that were lost. */
static bool is_xsk_drop(const char *name)
{
	return !strstr(name, "_empty_descs");
}

static void print_xsk(struct text *t, const char *where, const json_t *counters)
{
	const json_t *value;
	const char *name;

	json_object_foreach((json_t *)counters, name, value)
	{
		if (!json_integer_value(value) || (t->drops_only && !is_xsk_drop(name)))
			continue;
		name_port(t);
		out_text("    %-12s %-28s %12lld%s (AF_XDP socket)\n", where, name,
			 (long long)json_integer_value(value), t->per_second ? "/s" : "");
	}
}

static void print_queue(struct text *t, const json_t *queue)
{
	char where[32];

	for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
		snprintf(where, sizeof(where), "queue %llu %s", out_uint(queue, "pair"),
			 directions[i]);
		print_lanes(t, where, json_object_get(queue, directions[i]));
	}
	snprintf(where, sizeof(where), "queue %llu", out_uint(queue, "pair"));
	print_xsk(t, where, json_object_get(queue, "xsk"));
}

void stats_print_text(const json_t *stats, bool per_second, bool drops_only)
{
	struct text t = {.per_second = per_second, .drops_only = drops_only};
	const json_t *port, *queue;
	size_t i, j;

	out_text("%s\n", out_str(stats, "nic"));
	json_array_foreach(json_object_get(stats, "ports"), i, port)
	{
		t.port = out_str(port, "name");
		print_verdicts(&t, "", json_object_get(port, "verdicts"));
		json_array_foreach(json_object_get(port, "queues"), j, queue)
			print_queue(&t, queue);
		print_xsk(&t, "", json_object_get(port, "xsk"));
	}
	if (!t.n_printed)
		out_text("    nothing %s\n", drops_only ? "was dropped" : "was counted");
}

/* A label's value: quotes, backslashes and line breaks are escaped. */
static const char *label(const char *text, char *out, size_t bytes)
{
	size_t n = 0;

	for (; *text && n + 3 < bytes; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text == '\n' ? ' ' : *text;
	}
	out[n] = '\0';
	return out;
}

static void sample(const char *metric, const char *nic, const json_t *port, const char *labels,
		   const json_t *value)
{
	char nic_label[64], port_label[64];

	out_text("%s{nic=\"%s\",port=\"%s\",%s} %lld\n", metric,
		 label(nic, nic_label, sizeof(nic_label)),
		 label(out_str(port, "name"), port_label, sizeof(port_label)), labels,
		 (long long)json_integer_value(value));
}

typedef void (*port_fn)(const char *metric, const char *nic, const json_t *port, const char *field);

static void port_verdicts(const char *metric, const char *nic, const json_t *port,
			  const char *field)
{
	const struct verdict_info *info;
	const json_t *counter;
	const char *name;
	char labels[128];

	json_object_foreach(json_object_get(port, "verdicts"), name, counter)
	{
		info = verdict_find(name);
		snprintf(labels, sizeof(labels), "verdict=\"%s\",drop=\"%d\"", name,
			 info && info->is_drop);
		sample(metric, nic, port, labels, json_object_get(counter, field));
	}
}

static void queue_lanes(const char *metric, const char *nic, const json_t *port, const char *field,
			const json_t *queue, const char *direction, bool drops)
{
	const json_t *counters = json_object_get(queue, direction), *counter;
	const char *name;
	char labels[128];

	if (drops)
		counters = json_object_get(counters, "drops");
	json_object_foreach((json_t *)counters, name, counter)
	{
		if (!strcmp(name, "drops"))
			continue;
		snprintf(labels, sizeof(labels), "pair=\"%llu\",direction=\"%s\",%s=\"%s\"",
			 out_uint(queue, "pair"), direction, drops ? "reason" : "lane", name);
		sample(metric, nic, port, labels, json_object_get(counter, field));
	}
}

static void port_queues(const char *metric, const char *nic, const json_t *port, const char *field,
			bool drops)
{
	const json_t *queue;
	size_t i;

	json_array_foreach(json_object_get(port, "queues"), i, queue)
	{
		for (size_t d = 0; d < ARRAY_SIZE(directions); d++)
			queue_lanes(metric, nic, port, field, queue, directions[d], drops);
	}
}

static void port_lanes(const char *metric, const char *nic, const json_t *port, const char *field)
{
	port_queues(metric, nic, port, field, false);
}

static void port_drops(const char *metric, const char *nic, const json_t *port, const char *field)
{
	port_queues(metric, nic, port, field, true);
}

static void port_xsk(const char *metric, const char *nic, const json_t *port, const char *field)
{
	const json_t *queue, *value;
	const char *name;
	char labels[128];
	size_t i;

	json_array_foreach(json_object_get(port, "queues"), i, queue)
	{
		json_object_foreach(json_object_get(queue, "xsk"), name, value)
		{
			snprintf(labels, sizeof(labels), "pair=\"%llu\",%s=\"%s\"",
				 out_uint(queue, "pair"), field, name);
			sample(metric, nic, port, labels, value);
		}
	}
}

void stats_print_prometheus(const json_t *nics)
{
	static const struct {
		const char *name, *help, *field;
		port_fn fn;
	} metrics[] = {
		{"vxdp_port_packets_total", "Frames of a port by their fate.", "packets",
		 port_verdicts},
		{"vxdp_port_bytes_total", "Bytes of a port's frames by their fate.", "bytes",
		 port_verdicts},
		{"vxdp_queue_packets_total", "Frames of a queue by the lane they took.", "packets",
		 port_lanes},
		{"vxdp_queue_bytes_total", "Bytes of a queue's frames by lane.", "bytes",
		 port_lanes},
		{"vxdp_queue_dropped_packets_total", "Frames a queue dropped, by reason.",
		 "packets", port_drops},
		{"vxdp_queue_xsk_events_total", "What the kernel counts for the AF_XDP socket.",
		 "event", port_xsk},
	};
	const json_t *stats, *port;
	size_t i, j;

	for (size_t m = 0; m < ARRAY_SIZE(metrics); m++) {
		out_text("# HELP %s %s\n# TYPE %s counter\n", metrics[m].name, metrics[m].help,
			 metrics[m].name);
		json_array_foreach((json_t *)nics, i, stats)
		{
			json_array_foreach(json_object_get(stats, "ports"), j, port) metrics[m].fn(
				metrics[m].name, out_str(stats, "nic"), port, metrics[m].field);
		}
	}
}

/* Entry of @list with the same name or pair as @entry, which is at @i now. */
static const json_t *counterpart(const json_t *list, const json_t *entry, size_t i)
{
	const json_t *other, *key = json_object_get(entry, "name");
	size_t j;

	if (!key)
		return json_array_get(list, i);
	json_array_foreach((json_t *)list, j, other)
	{
		if (json_equal(json_object_get(other, "name"), (json_t *)key))
			return other;
	}
	return NULL;
}

static json_t *rate_value(const json_t *now, const json_t *before, double seconds)
{
	json_int_t since = json_integer_value(now) - json_integer_value(before);

	return json_integer(since > 0 ? (json_int_t)(since / seconds + 0.5) : 0);
}

/* Depth is that of our own documents. */
json_t *stats_rate(const json_t *now, const json_t *before, double seconds)
{
	json_t *rate, *value;
	const char *key;
	size_t i;

	if (json_is_integer(now))
		return rate_value(now, before, seconds);
	if (json_is_array(now)) {
		rate = json_array();
		json_array_foreach((json_t *)now, i, value) json_array_append_new(
			rate, stats_rate(value, counterpart(before, value, i), seconds));
		return rate;
	}
	if (!json_is_object(now))
		return json_incref((json_t *)now);
	rate = json_object();
	json_object_foreach((json_t *)now, key, value)
	{
		if (!strcmp(key, "id") || !strcmp(key, "pair"))
			json_object_set(rate, key, value);
		else
			json_object_set_new(
				rate, key,
				stats_rate(value, json_object_get(before, key), seconds));
	}
	return rate;
}

void stats_keep_drops(json_t *stats)
{
	const struct verdict_info *info;
	json_t *port, *counter, *verdict_set;
	const char *name;
	void *next;
	size_t i;

	json_array_foreach(json_object_get(stats, "ports"), i, port)
	{
		verdict_set = json_object_get(port, "verdicts");
		json_object_foreach_safe(verdict_set, next, name, counter)
		{
			info = verdict_find(name);
			if (info && !info->is_drop)
				json_object_del(verdict_set, name);
		}
	}
}

bool stats_keep_port(json_t *stats, const char *port)
{
	json_t *ports = json_object_get(stats, "ports");

	for (size_t i = json_array_size(ports); i-- > 0;) {
		if (strcmp(out_str(json_array_get(ports, i), "name"), port))
			json_array_remove(ports, i);
	}
	return json_array_size(ports);
}
