// SPDX-License-Identifier: GPL-2.0-or-later
#include "state.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <vxdp/log.h>
#include <vxdp/util.h>

#include "rundir.h"

#define STATE_NAME "state.json"

/* What is in the file, a new reference; an empty object if it is missing or odd. */
static json_t *root_load(const char *nic)
{
	char path[PATH_MAX];
	json_t *root = NULL;

	if (!rundir_path(path, sizeof(path), nic, STATE_NAME))
		root = json_load_file(path, 0, NULL);
	if (json_is_object(root))
		return root;
	json_decref(root);
	return json_object();
}

/* The list of things to undo, borrowed from @root; begun anew if it is of another NIC. */
static json_t *undo_of(json_t *root, unsigned int ifindex)
{
	json_t *undo = json_object_get(root, "undo");
	int noted_ifindex = 0;

	json_unpack(root, "{s?i}", "ifindex", &noted_ifindex);
	if (!json_is_array(undo) || (unsigned int)noted_ifindex != ifindex) {
		undo = json_array();
		json_object_set_new(root, "undo", undo);
	}
	json_object_set_new(root, "ifindex", json_integer(ifindex));
	return undo;
}

/* Position of @what in the list, or its length. */
static size_t undo_find(const json_t *undo, const char *what)
{
	size_t i;

	for (i = 0; i < json_array_size(undo); i++) {
		const char *text = json_string_value(json_array_get(undo, i));

		if (text && !strcmp(text, what))
			break;
	}
	return i;
}

static int file_replace(const char *path, const json_t *root)
{
	char temporary[PATH_MAX + 4];
	int err = 0;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (json_dump_file(root, temporary, JSON_COMPACT))
		err = -EIO;
	else if (rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

/* The file goes with the last thing in it. */
static int root_save(const char *nic, const json_t *root)
{
	char path[PATH_MAX], dir[PATH_MAX];
	int err = rundir_path(path, sizeof(path), nic, STATE_NAME);

	if (!err)
		err = rundir_path(dir, sizeof(dir), nic, NULL);
	if (err)
		return err;
	if (!json_array_size(json_object_get(root, "undo")) &&
	    !json_object_size(json_object_get(root, "taps"))) {
		unlink(path);
		return 0;
	}
	mkdir(rundir_root(), 0755);
	mkdir(dir, 0755);
	return file_replace(path, root);
}

int state_note(const char *nic, unsigned int ifindex, const char *what)
{
	json_auto_t *root = root_load(nic);
	json_t *undo = undo_of(root, ifindex);

	if (undo_find(undo, what) < json_array_size(undo))
		return 0;
	json_array_append_new(undo, json_string(what));
	return root_save(nic, root);
}

bool state_noted(const char *nic, unsigned int ifindex, const char *what)
{
	json_auto_t *root = root_load(nic);
	const json_t *undo = undo_of(root, ifindex);

	return undo_find(undo, what) < json_array_size(undo);
}

static void save_or_warn(const char *nic, const json_t *root)
{
	int err = root_save(nic, root);

	if (err)
		log_warn("cannot update the state of %s: %s", nic, strerror(-err));
}

bool state_find(const char *nic, unsigned int ifindex, const char *prefix, char *what, size_t bytes)
{
	json_auto_t *root = root_load(nic);
	const json_t *undo = undo_of(root, ifindex);
	bool found = false;

	for (size_t i = 0; i < json_array_size(undo) && !found; i++) {
		const char *text = json_string_value(json_array_get(undo, i));

		found = text && !strncmp(text, prefix, strlen(prefix)) && strlen(text) < bytes;
		if (found)
			snprintf(what, bytes, "%s", text);
	}
	return found;
}

void state_forget(const char *nic, unsigned int ifindex, const char *what)
{
	json_auto_t *root = root_load(nic);
	json_t *undo = undo_of(root, ifindex);

	json_array_remove(undo, undo_find(undo, what));
	save_or_warn(nic, root);
}

int state_tap_note(const char *nic, const char *port, const struct state_tap *tap)
{
	json_auto_t *root = root_load(nic);
	json_t *taps = json_object_get(root, "taps");

	if (!json_is_object(taps)) {
		taps = json_object();
		json_object_set_new(root, "taps", taps);
	}
	json_object_set_new(taps, port,
			    json_pack("{s:s,s:i,s:b}", "tap", tap->ifname, "ifindex",
				      (int)tap->ifindex, "created", tap->created));
	return root_save(nic, root);
}

static int tap_from_json(const json_t *entry, struct state_tap *tap)
{
	const char *ifname;
	int ifindex, created;

	if (json_unpack((json_t *)entry, "{s:s,s:i,s:b}", "tap", &ifname, "ifindex", &ifindex,
			"created", &created) ||
	    strlen(ifname) >= sizeof(tap->ifname))
		return -ENOENT;
	*tap = (struct state_tap){.ifindex = (unsigned int)ifindex, .created = created};
	memcpy(tap->ifname, ifname, strlen(ifname) + 1);
	return 0;
}

int state_tap_get(const char *nic, const char *port, struct state_tap *tap)
{
	json_auto_t *root = root_load(nic);

	return tap_from_json(json_object_get(json_object_get(root, "taps"), port), tap);
}

void state_tap_forget(const char *nic, const char *port)
{
	json_auto_t *root = root_load(nic);

	if (!json_object_del(json_object_get(root, "taps"), port))
		save_or_warn(nic, root);
}

int state_taps_walk(const char *nic, state_tap_fn fn, void *arg)
{
	json_auto_t *root = root_load(nic);
	const char *port;
	json_t *entry;
	struct state_tap tap;
	int n = 0;

	json_object_foreach(json_object_get(root, "taps"), port, entry)
	{
		if (tap_from_json(entry, &tap))
			continue;
		n++;
		if (fn)
			fn(arg, port, &tap);
	}
	return n;
}
