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

/* The list of things to undo, a new reference; empty if the file is missing, odd or too old. */
static json_t *undo_load(const char *nic, unsigned int ifindex)
{
	char path[PATH_MAX];
	json_t *root, *undo;
	int noted_ifindex = 0;

	if (rundir_path(path, sizeof(path), nic, STATE_NAME))
		return json_array();
	root = json_load_file(path, 0, NULL);
	undo = json_object_get(root, "undo");
	json_unpack(root, "{s?i}", "ifindex", &noted_ifindex);
	if (!json_is_array(undo) || (unsigned int)noted_ifindex != ifindex)
		undo = json_array();
	else
		json_incref(undo);
	json_decref(root);
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

/* Steals @undo. */
static int undo_save(const char *nic, unsigned int ifindex, json_t *undo)
{
	char path[PATH_MAX], dir[PATH_MAX];
	json_t *root;
	int err;

	err = rundir_path(path, sizeof(path), nic, STATE_NAME);
	if (!err)
		err = rundir_path(dir, sizeof(dir), nic, NULL);
	if (err || !json_array_size(undo)) {
		json_decref(undo);
		if (!err)
			unlink(path);
		return err;
	}
	mkdir(rundir_root(), 0755);
	mkdir(dir, 0755);
	root = json_pack("{s:i,s:o}", "ifindex", (int)ifindex, "undo", undo);
	err = root ? file_replace(path, root) : -ENOMEM;
	json_decref(root);
	return err;
}

int state_note(const char *nic, unsigned int ifindex, const char *what)
{
	json_t *undo = undo_load(nic, ifindex);

	if (undo_find(undo, what) < json_array_size(undo)) {
		json_decref(undo);
		return 0;
	}
	json_array_append_new(undo, json_string(what));
	return undo_save(nic, ifindex, undo);
}

bool state_noted(const char *nic, unsigned int ifindex, const char *what)
{
	json_t *undo = undo_load(nic, ifindex);
	bool noted = undo_find(undo, what) < json_array_size(undo);

	json_decref(undo);
	return noted;
}

void state_forget(const char *nic, unsigned int ifindex, const char *what)
{
	json_t *undo = undo_load(nic, ifindex);
	int err;

	json_array_remove(undo, undo_find(undo, what));
	err = undo_save(nic, ifindex, undo);
	if (err)
		log_warn("cannot update the state of %s: %s", nic, strerror(-err));
}
