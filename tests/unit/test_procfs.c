// SPDX-License-Identifier: GPL-2.0-or-later
/* target/procfs.c, cgroup.c, mappings.c, target.c on a made-up /proc with hostile contents. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "fake_proc.h"
#include "target/procfs.h"
#include "target/target.h"

#define PF_KTHREAD 0x00200000

#define ID64   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID64_B "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde0"

static void test_stat(void **state)
{
	static const char *const names[] = {
		"server",   "foo) Z ",	       "a\nb", "((", "))", ") R 1 (", "",
		"\xff\x01", "123456789012345",
	};
	struct fake f = fake_new();
	struct proc_stat s;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		fake_stat(&f, 23, names[i], 'S', 0x400000, 1009);
		assert_int_equal(procfs_stat(f.root, 23, &s), 0);
		assert_string_equal(s.comm, names[i]);
		assert_int_equal(s.state, 'S');
		assert_int_equal(s.ppid, 7);
		assert_true(s.start_ticks == 1009);
		assert_false(s.kernel_thread);
	}
	fake_stat(&f, 29, "kworker/0:1H-kblockd", 'I', PF_KTHREAD, 3);
	assert_int_equal(procfs_stat(f.root, 29, &s), 0);
	assert_string_equal(s.comm, "kworker/0:1H-kb");
	assert_true(s.kernel_thread);
	fake_done(&f);
}

/* Some kernels escape newline and backslash in stat, some do not. The file comm decides. */
static void test_stat_escapes(void **state)
{
	struct fake f = fake_new();
	struct proc_stat s;

	(void)state;
	fake_stat(&f, 23, "a\\nb\\\\", 'S', 0, 1);
	assert_int_equal(procfs_stat(f.root, 23, &s), 0);
	assert_string_equal(s.comm, "a\\nb\\\\");
	fake_text(&f, "23/comm", "a\nb\\\n");
	assert_int_equal(procfs_stat(f.root, 23, &s), 0);
	assert_string_equal(s.comm, "a\nb\\");
	fake_done(&f);
}

static void test_stat_damaged(void **state)
{
	static const char good[] =
		"23 (x) S 7 11 11 0 -1 0 17 0 0 0 1 2 0 0 20 0 1 0 1009 4096 23\n";
	static const char *const bad[] = {
		"",
		"\n",
		"23",
		"23 (x",
		"23 x) S 7",
		")(",
		"23 (x)",
		"23 (x)S 7",
		"23 (x) ",
		"23 (x) 5 7 11 11 0 -1 0 17 0 0 0 1 2 0 0 20 0 1 0 1009 4096\n",
		"23 (x) S 7 11 11 0 -1 0 17 0 0 0 1 2 0 0 20 0 1 0 1q 4096\n",
		"23 (x) S  7 11 11 0 -1 0 17 0 0 0 1 2 0 0 20 0 1 0 1009 4096\n",
		"23 (x) S 7 11 11 0 -1 0 17 0 0 0 1 2 0 0 20 0 1 0 99999999999999999999 4096\n",
	};
	struct fake f = fake_new();
	struct proc_stat s = { .ppid = 97 };
	char *huge;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fake_text(&f, "23/stat", bad[i]);
		assert_int_equal(procfs_stat(f.root, 23, &s), -EBADMSG);
	}
	/* Cut anywhere before the end of the start time. */
	for (size_t n = 0; n <= strlen(good) - strlen(" 4096 23\n"); n++) {
		fake_bytes(&f, "23/stat", good, n);
		assert_int_equal(procfs_stat(f.root, 23, &s), -EBADMSG);
	}
	huge = malloc(100003);
	assert_non_null(huge);
	memset(huge, '(', 100003);
	fake_bytes(&f, "23/stat", huge, 100003);
	free(huge);
	assert_int_equal(procfs_stat(f.root, 23, &s), -E2BIG);
	assert_int_equal(procfs_stat(f.root, 24, &s), -ESRCH);
	fake_delete(&f, "23/stat");
	assert_int_equal(procfs_stat(f.root, 23, &s), -ENOENT);
	assert_int_equal(s.ppid, 97);
	fake_done(&f);
}

static void test_numbers(void **state)
{
	struct fake f = fake_new();
	uint64_t n = 0;
	uid_t uid = 0;

	(void)state;
	fake_text(&f, "23/statm", "100 37 5 1 0 30 0\n");
	assert_int_equal(procfs_rss(f.root, 23, &n), 0);
	assert_true(n == 37 * (uint64_t)sysconf(_SC_PAGESIZE));
	fake_text(&f, "23/statm", "100");
	assert_int_equal(procfs_rss(f.root, 23, &n), -EBADMSG);
	fake_text(&f, "23/statm", "100 18446744073709551615 5\n");
	assert_int_equal(procfs_rss(f.root, 23, &n), -EBADMSG);

	fake_text(&f, "23/status",
		  "Name:\tx\\nUid:\t0\t0\t0\t0\nUmask:\t0022\nUid:\t1000\t1009\t1013\t7\n");
	assert_int_equal(procfs_uid(f.root, 23, &uid), 0);
	assert_int_equal(uid, 1009);
	fake_text(&f, "23/status", "Name:\tx\nUid:\t1000\n");
	assert_int_equal(procfs_uid(f.root, 23, &uid), -EBADMSG);
	fake_text(&f, "23/status", "Name:\tx\n");
	assert_int_equal(procfs_uid(f.root, 23, &uid), -EBADMSG);
	fake_text(&f, "23/status", "Name:\tx\nUid:\t1\t4294967296\t1\t1\n");
	assert_int_equal(procfs_uid(f.root, 23, &uid), -EBADMSG);

	fake_text(&f, "stat", "cpu  1 2 3\nintr 5 btime 7\nbtime 1700000009\nprocesses 23\n");
	assert_int_equal(procfs_boot_time(f.root, &n), 0);
	assert_true(n == 1700000009);
	fake_text(&f, "stat", "cpu  1 2 3");
	assert_int_equal(procfs_boot_time(f.root, &n), -EBADMSG);
	fake_done(&f);
}

static void test_exe(void **state)
{
	static const struct {
		const char *target;
		const char *exe;
		bool deleted;
	} cases[] = {
		{ "/usr/bin/app", "/usr/bin/app", false },
		{ "/usr/bin/app (deleted)", "/usr/bin/app", true },
		{ "/x (deleted) (deleted)", "/x (deleted)", true },
		{ " (deleted)", " (deleted)", false },
		{ "/a\nb\xff", "/a\nb\xff", false },
	};
	struct fake f = fake_new();
	bool deleted;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *exe = NULL;

		fake_link(&f, "23/exe", cases[i].target);
		assert_int_equal(procfs_exe(f.root, 23, &exe, &deleted), 0);
		assert_string_equal(exe, cases[i].exe);
		assert_int_equal(deleted, cases[i].deleted);
		fake_delete(&f, "23/exe");
	}
	assert_int_equal(procfs_exe(f.root, 23, NULL, &deleted), -ENOENT);
	assert_int_equal(procfs_exe(f.root, 29, NULL, &deleted), -ESRCH);
	fake_done(&f);
}

static void check_cmdline(const struct fake *f, const char *data, size_t n, const char *expected)
{
	_cleanup_free_ char *cmdline = NULL;

	fake_bytes(f, "23/cmdline", data, n);
	assert_int_equal(procfs_cmdline(f->root, 23, &cmdline), 0);
	assert_string_equal(cmdline, expected);
}

static void test_cmdline(void **state)
{
	struct fake f = fake_new();
	_cleanup_free_ char *huge = malloc(200003);
	_cleanup_free_ char *cmdline = NULL;

	(void)state;
	check_cmdline(&f, "", 0, "");
	check_cmdline(&f, "\0\0\0", 3, "");
	check_cmdline(&f, "app\0-v\0two words\0", 17, "app -v two words");
	check_cmdline(&f, "app\0\0x", 6, "app  x");
	check_cmdline(&f, "no end", 6, "no end");
	check_cmdline(&f, "a\nb\x1b[31m\x7f\xff\0", 12, "a?b?[31m?\xff");
	memset(huge, 'x', 200003);
	fake_bytes(&f, "23/cmdline", huge, 65536);
	assert_int_equal(procfs_cmdline(f.root, 23, &cmdline), 0);
	assert_int_equal(strlen(cmdline), 65536);
	free(TAKE_PTR(cmdline));
	fake_bytes(&f, "23/cmdline", huge, 200003);
	assert_int_equal(procfs_cmdline(f.root, 23, &cmdline), 0);
	assert_int_equal(strlen(cmdline), 65536 + 5);
	assert_string_equal(cmdline + 65535, "x[...]");
	fake_done(&f);
}

static void test_pids(void **state)
{
	static const int pids[] = { 100, 9, 1, 4194304, 23 };
	static const pid_t sorted[] = { 1, 9, 23, 100, 4194304 };
	struct fake f = fake_new();
	_cleanup_free_ pid_t *list = NULL;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		fake_stat(&f, pids[i], "x", 'S', 0, 1);
	fake_text(&f, "self/stat", "");
	fake_text(&f, "4194305/stat", "");
	fake_text(&f, "0/stat", "");
	fake_text(&f, "12x/stat", "");
	assert_int_equal(procfs_pids(f.root, &list, &n), 0);
	assert_int_equal(n, ARRAY_SIZE(sorted));
	assert_memory_equal(list, sorted, sizeof(sorted));
	assert_int_equal(procfs_pids("/nowhere", &list, &n), -ENOENT);
	fake_done(&f);
}

static void test_mappings(void **state)
{
	static const char maps[] =
		"55d0c0000000-55d0c0001000 r--p 00000000 fe:01 1234                       "
		"/usr/bin/app\n"
		"55d0c0001000-55d0c0003000 r-xp 00001000 fe:01 1234                       "
		"/usr/bin/app\n"
		"7f0000000000-7f0000001000 rwxp 00000000 00:00 0 \n"
		"7f0000001000-7f0000002000 r-xp 00002000 103:00002 18446744073709551615   /lib/a b "
		"(deleted)\n"
		"7f0000002000-7f0000003000 --xs 00000000 00:01 5                          "
		"/x\\012y\\134 (deleted) z\n"
		"7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  "
		"[vsyscall]\n";
	static const struct mapping expected[] = {
		{ 0x55d0c0001000, 0x55d0c0003000, 0x1000, 0xfe, 1, 1234, false,
		  (char *)"/usr/bin/app" },
		{ 0x7f0000000000, 0x7f0000001000, 0, 0, 0, 0, false, (char *)"" },
		{ 0x7f0000001000, 0x7f0000002000, 0x2000, 0x103, 2, UINT64_MAX, true,
		  (char *)"/lib/a b" },
		{ 0x7f0000002000, 0x7f0000003000, 0, 0, 1, 5, false,
		  (char *)"/x\ny\\134 (deleted) z" },
		{ 0x7ffd00000000, 0x7ffd00002000, 0, 0, 0, 0, false, (char *)"[vdso]" },
		{ 0xffffffffff600000, 0xffffffffff601000, 0, 0, 0, 0, false, (char *)"[vsyscall]" },
	};
	struct fake f = fake_new();
	struct mapping *m = NULL;
	size_t n = 0;

	(void)state;
	fake_text(&f, "23/maps", maps);
	assert_int_equal(procfs_exec_mappings(f.root, 23, &m, &n), 0);
	assert_int_equal(n, ARRAY_SIZE(expected));
	for (size_t i = 0; i < n; i++) {
		assert_true(m[i].start == expected[i].start);
		assert_true(m[i].end == expected[i].end);
		assert_true(m[i].offset == expected[i].offset);
		assert_int_equal(m[i].major, expected[i].major);
		assert_int_equal(m[i].minor, expected[i].minor);
		assert_true(m[i].inode == expected[i].inode);
		assert_int_equal(m[i].deleted, expected[i].deleted);
		assert_string_equal(m[i].path, expected[i].path);
	}
	mappings_free(m, n);

	fake_text(&f, "23/maps", "");
	assert_int_equal(procfs_exec_mappings(f.root, 23, &m, &n), 0);
	assert_int_equal(n, 0);
	mappings_free(m, n);
	assert_int_equal(procfs_exec_mappings(f.root, 29, &m, &n), -ESRCH);
	fake_done(&f);
}

static void test_mappings_damaged(void **state)
{
	static const char good[] = "1000-2000 r-xp 00000000 fe:01 1234 /usr/bin/app\n";
	static const char *const bad[] = {
		"\n",
		"garbage\n",
		"2000-1000 r-xp 00000000 fe:01 1234 /x\n",
		"1000-1000 r-xp 00000000 fe:01 1234 /x\n",
		"1000-2000 r-x 00000000 fe:01 1234 /x\n",
		"1000-2000 r-xpp 00000000 fe:01 1234 /x\n",
		"1000-2000 r-xp 00000000 fe 1234 /x\n",
		"1000-2000 r-xp 00000000 fe:01 12x4 /x\n",
		"1000-2000 r-xp 00000000 1000000000:01 1234 /x\n",
		"1000-20000000000000000 r-xp 00000000 fe:01 1234 /x\n",
	};
	struct fake f = fake_new();
	struct mapping *m = NULL;
	size_t n = 97;
	char *huge;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fake_text(&f, "23/maps", bad[i]);
		assert_int_equal(procfs_exec_mappings(f.root, 23, &m, &n), -EBADMSG);
	}
	for (size_t k = 1; k < strlen(good); k++) {
		fake_bytes(&f, "23/maps", good, k);
		assert_int_equal(procfs_exec_mappings(f.root, 23, &m, &n), -EBADMSG);
	}
	fake_bytes(&f, "23/maps", "1000-2000 r-xp 00000000 fe:01 1234 /x\0y\n", 40);
	assert_int_equal(procfs_exec_mappings(f.root, 23, &m, &n), -EBADMSG);
	/* One good line, then a path beyond all bounds. */
	huge = malloc(17u << 20);
	assert_non_null(huge);
	memset(huge, 'x', 17u << 20);
	memcpy(huge, good, strlen(good));
	memcpy(huge + strlen(good), good, strlen(good) - 1);
	huge[(17u << 20) - 1] = '\n';
	fake_bytes(&f, "23/maps", huge, 17u << 20);
	free(huge);
	assert_int_equal(procfs_exec_mappings(f.root, 23, &m, &n), -E2BIG);
	assert_null(m);
	assert_int_equal(n, 97);
	fake_done(&f);
}

static void test_too_many_mappings(void **state)
{
	struct fake f = fake_new();
	struct mapping *m = NULL;
	char path[PATH_MAX];
	FILE *file;
	size_t n;

	(void)state;
	fake_path(&f, "23/maps", path);
	file = fopen(path, "w");
	assert_non_null(file);
	for (unsigned i = 1; i <= 65536; i++)
		fprintf(file, "%x000-%x000 r-xp 0 0:0 0\n", i, i + 1);
	fflush(file);
	assert_int_equal(procfs_exec_mappings(f.root, 23, &m, &n), 0);
	assert_int_equal(n, 65536);
	m = mappings_free(m, n);
	fprintf(file, "20000000-20001000 r-xp 0 0:0 0\n");
	fclose(file);
	assert_int_equal(procfs_exec_mappings(f.root, 23, &m, &n), -E2BIG);
	fake_done(&f);
}

static void test_cgroup(void **state)
{
	static const struct {
		const char *text;
		const char *path; /* NULL: -EBADMSG */
	} cases[] = {
		{ "0::/system.slice/a.service\n", "/system.slice/a.service" },
		{ "0::/\n", "/" },
		{ "0::/../x:y\n", "/../x:y" },
		{ "12:memory:/m\n1:name=systemd:/s\n", "/s" },
		{ "12:cpu,memory:/m\n", "/m" },
		{ "12:cpu:/c\n", NULL },
		{ "4:memory:/m\n1:name=systemd:/\n0::/\n", "/m" },
		{ "4:memory:/m\n1:name=systemd:/s\n0::/\n", "/s" },
		{ "4:memory:/m\n1:name=systemd:/s\n0::/u\n", "/u" },
		{ "4:memory:/\n1:name=systemd:/\n", "/" },
		{ "", NULL },
		{ "0:", NULL },
		{ "0::relative\n", NULL },
		{ "garbage\n\n::\n0::/ok", "/ok" },
	};
	struct fake f = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path = NULL;
		int r;

		fake_text(&f, "23/cgroup", cases[i].text);
		r = procfs_cgroup(f.root, 23, &path);
		assert_int_equal(r, cases[i].path ? 0 : -EBADMSG);
		if (cases[i].path)
			assert_string_equal(path, cases[i].path);
	}
	fake_done(&f);
}

static void check_text(const char *text, const char *expected)
{
	if (expected)
		assert_string_equal(text ? text : "(none)", expected);
	else
		assert_null(text);
}

static void test_cgroup_names(void **state)
{
	static const struct {
		const char *cgroup;
		const char *unit;
		const char *container;
	} cases[] = {
		{ "/", NULL, NULL },
		{ "", NULL, NULL },
		{ "/system.slice/nginx.service", "nginx.service", NULL },
		{ "/system.slice/nginx.service/worker", "nginx.service", NULL },
		{ "/system.slice/_memory.service", "memory.service", NULL },
		{ "/system.slice", NULL, NULL },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope",
		  "app-x.scope", NULL },
		{ "/system.slice/docker-" ID64 ".scope", "docker-" ID64 ".scope", ID64 },
		{ "/docker/" ID64, NULL, ID64 },
		{ "/docker/" ID64 "/child", NULL, ID64 },
		{ "/docker/" ID64 "/docker/" ID64_B, NULL, ID64_B },
		{ "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID64 ".scope",
		  "cri-containerd-" ID64 ".scope", ID64 },
		{ "/kubepods/besteffort/pod9f/" ID64, NULL, ID64 },
		{ "/kubepods-pod1.slice:cri-containerd:" ID64, NULL, ID64 },
		{ "/machine.slice/libpod-" ID64 ".scope/container", "libpod-" ID64 ".scope", ID64 },
		{ "/machine.slice/libpod-conmon-" ID64 ".scope", "libpod-conmon-" ID64 ".scope",
		  NULL },
		{ "/crio-" ID64 ".scope", "crio-" ID64 ".scope", ID64 },
		{ "/docker/" ID64 "0", NULL, NULL },
		{ "/docker/x" ID64, NULL, NULL },
		{ "/docker/" ID64 "g", NULL, NULL },
		{ "/0123456789abcdef", NULL, NULL },
		{ "/.service/.scope/_", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *unit = NULL;
		_cleanup_free_ char *container = NULL;

		assert_int_equal(cgroup_names(cases[i].cgroup, &unit, &container), 0);
		check_text(unit, cases[i].unit);
		check_text(container, cases[i].container);
	}
}

static void test_services(void **state)
{
	static const struct {
		const char *cgroup;
		const char *service;
	} cases[] = {
		{ "/system.slice/nginx.service", "nginx.service" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service",
		  "user@1000.service/app.slice/nginx.service" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope",
		  "/usr/sbin/nginx" },
		{ "/user.slice/user-1000.slice/user@1000.service/init.scope", "/usr/sbin/nginx" },
		{ "/user.slice/user-1000.slice/session-3.scope", "/usr/sbin/nginx" },
		{ "/", "/usr/sbin/nginx" },
	};
	char exe[] = "/usr/sbin/nginx";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *cgroup = strdup(cases[i].cgroup);
		_cleanup_free_ char *unit = NULL;
		_cleanup_free_ char *container = NULL;
		struct target t = { .exe = exe, .comm = "nginx", .cgroup = cgroup };

		assert_int_equal(cgroup_names(cgroup, &unit, &container), 0);
		t.unit = unit;
		assert_string_equal(target_service(&t), cases[i].service);
	}
}

static uint64_t limit_of(const struct fake *proc, const struct fake *cgroups, const char *lines)
{
	uint64_t bytes = 0;

	fake_text(proc, "23/cgroup", lines);
	assert_int_equal(procfs_memory_limit(proc->root, cgroups->root, 23, &bytes), 0);
	return bytes;
}

static void test_limit_unified(void **state)
{
	struct fake proc = fake_new();
	struct fake cgroups = fake_new();

	(void)state;
	fake_text(&proc, "meminfo", "MemFree: 7 kB\nMemTotal:       1000003 kB\n");
	fake_text(&cgroups, "a/b/memory.max", "max\n");
	fake_text(&cgroups, "a/memory.max", "max\n");
	assert_true(limit_of(&proc, &cgroups, "0::/a/b\n") == 1000003 * 1024);
	fake_text(&cgroups, "a/memory.max", "200003\n");
	assert_true(limit_of(&proc, &cgroups, "0::/a/b\n") == 200003);
	fake_text(&cgroups, "a/b/memory.max", "300007\n");
	assert_true(limit_of(&proc, &cgroups, "0::/a/b\n") == 200003);
	fake_text(&cgroups, "a/b/memory.max", "100003\n");
	assert_true(limit_of(&proc, &cgroups, "0::/a/b\n") == 100003);
	assert_true(limit_of(&proc, &cgroups, "0::/a/b/gone/deeper\n") == 100003);
	assert_true(limit_of(&proc, &cgroups, "0::/a\n") == 200003);
	assert_true(limit_of(&proc, &cgroups, "0::/\n") == 1000003 * 1024);
	/* More than the host has is no limit. */
	fake_text(&cgroups, "a/memory.max", "9000000000\n");
	assert_true(limit_of(&proc, &cgroups, "0::/a\n") == 1000003 * 1024);
	/* Not read as a number, not followed out of the tree. */
	fake_text(&cgroups, "a/memory.max", "12x\n");
	assert_true(limit_of(&proc, &cgroups, "0::/a\n") == 1000003 * 1024);
	assert_true(limit_of(&proc, &cgroups, "0::/../a/b\n") == 1000003 * 1024);
	fake_done(&proc);
	fake_done(&cgroups);
}

static void test_limit_v1_and_hybrid(void **state)
{
	struct fake proc = fake_new();
	struct fake cgroups = fake_new();
	uint64_t bytes = 97;

	(void)state;
	fake_text(&proc, "meminfo", "MemTotal: 1000003 kB\n");
	fake_text(&cgroups, "memory/memory.limit_in_bytes", "9223372036854771712\n");
	fake_text(&cgroups, "memory/m/memory.limit_in_bytes", "500009\n");
	fake_text(&cgroups, "memory/m/n/memory.limit_in_bytes", "9223372036854771712\n");
	assert_true(limit_of(&proc, &cgroups, "4:cpu:/c\n3:hugetlb,memory:/m/n\n0::/\n") == 500009);
	assert_true(limit_of(&proc, &cgroups, "3:memory:/\n") == 1000003 * 1024);
	/* memory.max means nothing without the unified hierarchy. */
	fake_text(&cgroups, "memory/m/memory.max", "11\n");
	assert_true(limit_of(&proc, &cgroups, "3:memory:/m\n") == 500009);
	fake_text(&cgroups, "unified/cgroup.controllers", "memory\n");
	fake_text(&cgroups, "unified/u/memory.max", "400009\n");
	assert_true(limit_of(&proc, &cgroups, "3:memory:/m\n0::/u\n") == 400009);

	/* Without the host's figure a cgroup's is enough; without either there is none. */
	fake_text(&proc, "meminfo", "MemFree: 7 kB\n");
	assert_true(limit_of(&proc, &cgroups, "0::/u\n") == 400009);
	fake_text(&proc, "23/cgroup", "0::/\n");
	assert_int_equal(procfs_memory_limit(proc.root, cgroups.root, 23, &bytes), -EBADMSG);
	assert_int_equal(procfs_memory_limit(proc.root, cgroups.root, 29, &bytes), -ESRCH);
	assert_true(bytes == 97);
	fake_done(&proc);
	fake_done(&cgroups);
}

static void fake_process(const struct fake *f)
{
	fake_text(f, "stat", "btime 1700000000\n");
	fake_text(f, "meminfo", "MemTotal: 1000003 kB\n");
	fake_stat(f, 23, "a\x1b\xff\nb", 'S', 0, 12345);
	fake_link(f, "23/exe", "/opt/\xff/app\n (deleted)");
	fake_bytes(f, "23/cmdline", "app\0\xfe\0", 6);
	fake_text(f, "23/status", "Name:\tx\nUid:\t7\t1009\t7\t7\nVmRSS:\t 37 kB\n");
	fake_text(f, "23/cgroup", "0::/docker-" ID64 ".scope/\xfex\n");
}

static void test_describe(void **state)
{
	_cleanup_(target_freep) struct target *t = calloc(1, sizeof(*t));
	struct fake f = fake_new();

	(void)state;
	fake_process(&f);
	t->pid = 23;
	/* Twice, as after an exec: the first values are freed. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(target_describe(t, f.root), 0);
	assert_string_equal(t->comm, "a???b");
	assert_string_equal(t->exe, "/opt/?/app?");
	assert_string_equal(t->cmdline, "app ?");
	assert_string_equal(t->cgroup, "/docker-" ID64 ".scope/?x");
	assert_string_equal(t->unit, "docker-" ID64 ".scope");
	assert_string_equal(t->container, ID64);
	assert_int_equal(t->uid, 1009);
	assert_true(t->start_ticks == 12345);
	assert_int_equal(sysconf(_SC_CLK_TCK), 100);
	assert_true(t->started.tv_sec == 1700000123);
	assert_true(t->started.tv_nsec == 450000000);

	target_refresh(t, f.root, f.root);
	assert_true(t->rss_bytes == 37 * 1024);
	assert_true(t->limit_bytes == 1000003 * 1024);
	/* The pid is another process's now: the last figures stay. */
	fake_text(&f, "23/status", "Name:\tx\nUid:\t7\t1009\t7\t7\nVmRSS:\t 41 kB\n");
	fake_stat(&f, 23, "new", 'S', 0, 12347);
	target_refresh(t, f.root, f.root);
	assert_true(t->rss_bytes == 37 * 1024);
	fake_done(&f);
}

/* A process whose files go away one by one. */
static void test_describe_incomplete(void **state)
{
	static const char *const optional[] = { "23/exe", "23/cmdline", "23/cgroup", "stat" };
	_cleanup_(target_freep) struct target *t = calloc(1, sizeof(*t));
	struct fake f = fake_new();

	(void)state;
	fake_process(&f);
	t->pid = 23;
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
		fake_delete(&f, optional[i]);
		assert_int_equal(target_describe(t, f.root), 0);
	}
	assert_null(t->exe);
	assert_string_equal(t->cmdline, "");
	assert_null(t->cgroup);
	assert_null(t->unit);
	assert_null(t->container);
	assert_true(t->started.tv_sec == 0);
	fake_delete(&f, "23/status");
	fake_stat(&f, 23, "other", 'S', 0, 12345);
	assert_int_equal(target_describe(t, f.root), -ENOENT);
	assert_string_equal(t->comm, "a???b");
	t->pid = 29;
	assert_int_equal(target_describe(t, f.root), -ESRCH);
	assert_string_equal(t->comm, "a???b");
	fake_done(&f);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(target_state_name(TARGET_ATTACHING), "attaching");
	assert_string_equal(target_state_name((enum target_state)97), "unknown");
	assert_string_equal(target_mode_name(TARGET_EXACT), "exact");
	assert_string_equal(loss_reason_name(LOSS_LIVE_FULL), "live_full");
	assert_string_equal(loss_reason_name(LOSS_MISSED_FREE), "missed_free");
	assert_string_equal(stack_status_name(STACK_NO_MAPPING), "no_mapping");
	for (int i = 0; i < LOSS_REASONS; i++)
		assert_string_not_equal(loss_reason_name((enum loss_reason)i), "unknown");
	for (int i = 0; i < STACK_STATUSES; i++)
		assert_string_not_equal(stack_status_name((enum stack_status)i), "unknown");
}

/* The real /proc, on ourselves. */
static void test_self(void **state)
{
	_cleanup_(target_freep) struct target *t = calloc(1, sizeof(*t));
	struct mapping *m = NULL;
	bool found = false;
	size_t n = 0;

	(void)state;
	t->pid = getpid();
	assert_int_equal(target_describe(t, "/proc"), 0);
	assert_int_equal(t->uid, geteuid());
	assert_non_null(strstr(t->exe, "test_procfs"));
	target_refresh(t, "/proc", "/sys/fs/cgroup");
	assert_true(t->rss_bytes > 0);
	assert_true(t->limit_bytes > 0);
	assert_int_equal(procfs_exec_mappings("/proc", getpid(), &m, &n), 0);
	for (size_t i = 0; i < n; i++)
		found |= m[i].start <= (uintptr_t)test_self && (uintptr_t)test_self < m[i].end &&
			 m[i].inode != 0 && strcmp(m[i].path, t->exe) == 0;
	mappings_free(m, n);
	assert_true(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_stat_escapes),
		cmocka_unit_test(test_stat_damaged),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_exe),
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_pids),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_mappings_damaged),
		cmocka_unit_test(test_too_many_mappings),
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_cgroup_names),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_limit_unified),
		cmocka_unit_test(test_limit_v1_and_hybrid),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_describe_incomplete),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
