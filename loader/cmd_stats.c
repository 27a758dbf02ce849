// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vxdp stats: where the frames went.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "commands.h"
#include "out.h"
#include "stats_print.h"
#include "vxdp/util.h"

#define INTERVAL_MAX_S 86400

struct stats_args {
	bool drops;
	unsigned int interval_s;
	const char *format;
};

static const char *const formats[] = {"text", "json", "prometheus", NULL};

static const struct opt options[] = {
	OPT("drops", 0, FLAG, offsetof(struct stats_args, drops), NULL,
	    "only what was dropped, and why"),
	OPT("interval", 0, UINT, offsetof(struct stats_args, interval_s), "S",
	    "rates of the last S seconds, again and again", .min = 1, .max = INTERVAL_MAX_S),
	OPT("format", 0, WORD, offsetof(struct stats_args, format), "FORMAT",
	    "text, json or prometheus", .words = formats),
	OPT_END,
};

static const struct stats_args defaults = {0};

/* What was asked for. */
struct query {
	const struct stats_args *args;
	const char *nic;  /* NULL: all */
	const char *port; /* NULL: all */
};

static bool is_prometheus(const struct query *q)
{
	return q->args->format && !strcmp(q->args->format, "prometheus");
}

static int add_nic(const struct query *q, const char *nic, json_t *nics, struct vx_error *error)
{
	json_t *stats = NULL;
	int err = ask_stats(nic, error, &stats);

	if (err)
		return err;
	json_array_append_new(nics, stats);
	if (q->port && !stats_keep_port(stats, q->port))
		return vx_fail(error, -ENOENT, "no port '%s' on %s", q->port, nic);
	if (q->args->drops)
		stats_keep_drops(stats);
	return 0;
}

/* @out: array of NICs, a new reference */
static int collect(const struct query *q, struct vx_error *error, json_t **out)
{
	json_auto_t *names = q->nic ? json_pack("[s]", q->nic) : ask_nics();
	json_auto_t *nics = json_array();
	json_t *name;
	size_t i;
	int err;

	json_array_foreach(names, i, name)
	{
		err = add_nic(q, json_string_value(name), nics, error);
		if (err && (q->nic || err != -ENOENT)) /* it went away while we looked */
			return err;
	}
	*out = TAKE_PTR(nics);
	return 0;
}

static void print(const struct query *q, json_t *nics, bool per_second)
{
	json_auto_t *document = NULL;
	json_t *stats;
	size_t i;

	if (is_prometheus(q)) {
		stats_print_prometheus(nics);
	} else if (out_is_json()) {
		document = q->nic ? json_incref(json_array_get(nics, 0))
				  : json_pack("{s:O}", "nics", nics);
		out_result(document, NULL);
	} else {
		json_array_foreach(nics, i, stats)
			stats_print_text(stats, per_second, q->args->drops);
		if (!json_array_size(nics))
			out_text("nothing is attached\n");
	}
}

/* Text shows rates; JSON and Prometheus readers want the counters and do that themselves. */
static int watch(const struct query *q, json_t *first, struct vx_error *error)
{
	const struct timespec pause = {.tv_sec = q->args->interval_s};
	json_auto_t *before = json_incref(first);
	int err = 0;

	while (!err) {
		json_auto_t *now = NULL, *rate = NULL;

		nanosleep(&pause, NULL);
		err = collect(q, error, &now);
		if (err)
			return err;
		rate = stats_rate(now, before, q->args->interval_s);
		print(q, out_is_json() || is_prometheus(q) ? now : rate, true);
		err = out_flush(error);
		json_decref(before);
		before = json_incref(now);
	}
	return err;
}

static int run(const void *parsed, const struct operands *operands, struct vx_error *error)
{
	struct query q = {.args = parsed,
			  .nic = operands->n > 0 ? operands->v[0] : NULL,
			  .port = operands->n > 1 ? operands->v[1] : NULL};
	json_auto_t *nics = NULL;
	int err = q.nic ? ask_nic_arg(q.nic, error) : 0;

	if (q.args->format && !strcmp(q.args->format, "json") && !out_is_json())
		out_mode_set(OUT_JSON);
	if (!err)
		err = collect(&q, error, &nics);
	if (err)
		return err;
	if (q.args->interval_s)
		return watch(&q, nics, error);
	print(&q, nics, false);
	return 0;
}

const struct command cmd_stats = {
	.name = "stats",
	.operands = "[NIC [PORT]]",
	.summary = "show how many frames took which way, and which were dropped, and why",
	.opts = options,
	.defaults = &defaults,
	.args_bytes = sizeof(defaults),
	.n_operands_max = 2,
	.run = run,
};
