// SPDX-License-Identifier: GPL-2.0-or-later
/* What is left of a control group's memory, read from files like the kernel's. */
#include "cli_test.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "loader/memory_left.h"

#define MIB (1024 * 1024ULL)

static char root[64];

static int remove_it(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

/* A file below root, with the directories it is in; "@" in @text stands for root. */
static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *c = path + strlen(root) + 1; (c = strchr(c, '/')); c++) {
		*c = '\0';
		mkdir(path, 0700);
		*c = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	for (; *text; text++)
		if (*text == '@')
			fputs(root, f);
		else
			fputc(*text, f);
	assert_int_equal(fclose(f), 0);
}

static uint64_t left(void)
{
	char cgroups[128], mounts[128];

	snprintf(cgroups, sizeof(cgroups), "%s/cgroups", root);
	snprintf(mounts, sizeof(mounts), "%s/mounts", root);
	return memory_left_cgroup(cgroups, mounts);
}

static int setup(void **state)
{
	strcpy(root, "/tmp/vxdp-mem.XXXXXX");
	assert_non_null(mkdtemp(root));
	return 0;
}

static int teardown(void **state)
{
	return nftw(root, remove_it, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_nothing_there(void **state)
{
	assert_true(left() == UINT64_MAX);
	put("cgroups", "0::/a.service\nnonsense\n::\n");
	put("mounts", "garbage\n1 2 3\n - \n - cgroup2\n");
	assert_true(left() == UINT64_MAX);
}

static void put_v2(void)
{
	put("cgroups", "0::/system.slice/vx.service\n");
	put("mounts", "20 1 0:3 / /proc rw - proc proc rw\n"
		      "30 1 0:9 / @/v2 rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
	put("v2/system.slice/vx.service/memory.max", "max\n");
	put("v2/system.slice/vx.service/memory.current", "104857600\n");
}

static void test_v2(void **state)
{
	put_v2();
	assert_true(left() == UINT64_MAX);
	put("v2/system.slice/vx.service/memory.max", "314572800\n");
	assert_int_equal(left(), 200 * MIB);
	put("v2/system.slice/vx.service/memory.stat",
	    "anon 1\ninactive_file 10485760\nactive_file 20971520\nworkingset 5\n");
	assert_int_equal(left(), 230 * MIB);
}

static void test_v2_group_above(void **state)
{
	put_v2();
	put("v2/system.slice/memory.max", "209715200\n");
	put("v2/system.slice/memory.current", "199229440\n");
	assert_int_equal(left(), 10 * MIB);
	put("v2/system.slice/memory.current", "999999999\n");
	assert_int_equal(left(), 0);
}

static void test_v1(void **state)
{
	put("cgroups", "9:name=systemd:/x\n4:cpuset,memory:/job/one\n0::/\n");
	put("mounts", "40 1 0:9 / @/cpu rw - cgroup cgroup rw,cpu\n"
		      "41 1 0:9 / @/v1 rw - cgroup cgroup rw,cpuset,memory\n"
		      "42 1 0:9 / @/v2 rw - cgroup2 cgroup2 rw\n");
	put("v1/job/one/memory.limit_in_bytes", "9223372036854771712\n");
	put("v1/job/one/memory.usage_in_bytes", "52428800\n");
	assert_true(left() == UINT64_MAX);
	put("v1/job/one/memory.limit_in_bytes", "104857600\n");
	assert_int_equal(left(), 50 * MIB);
	put("v1/job/one/memory.stat", "inactive_file 1048576\ntotal_inactive_file 2097152\n");
	assert_int_equal(left(), 52 * MIB);
	put("v1/memory.limit_in_bytes", "1048576\n");
	put("v1/memory.usage_in_bytes", "0\n");
	assert_int_equal(left(), 1 * MIB);
}

/* In a container the group's own directory may be what is mounted. */
static void test_mounted_below(void **state)
{
	put("cgroups", "4:memory:/docker/abc/sub\n");
	put("mounts", "41 1 0:9 /docker/abc @/v1 rw - cgroup cgroup rw,memory\n");
	put("v1/sub/memory.limit_in_bytes", "4194304\n");
	put("v1/sub/memory.usage_in_bytes", "1048576\n");
	assert_int_equal(left(), 3 * MIB);
}

static void test_this_machine(void **state)
{
	assert_true(memory_left() > 0);
	assert_true(memory_left() < UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v2_group_above, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mounted_below, setup, teardown),
		cmocka_unit_test(test_this_machine),
	};

	return run_all(tests);
}
