// SPDX-License-Identifier: GPL-2.0-or-later
/* target/memory.c on a made-up /proc and cgroup tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_proc.h"
#include "target/memory.h"
#include "target/target.h"

#define MIB (1024ull * 1024)

static const char status[] = "Name:\ta\\nRssAnon: 5 kB\nUmask:\t0022\nUid:\t7\t1009\t7\t7\n"
			     "VmRSS:\t   30011 kB\nRssAnon:\t   20011 kB\nRssFile:\t   10000 kB\n"
			     "VmSwap:\t     107 kB\n";

static struct memory bounds_of(const struct fake *f, const char *lines)
{
	struct memory m = { .swap_bytes = 97 };

	fake_text(f, "23/cgroup", lines);
	assert_int_equal(memory_bounds(f->root, f->root, 23, &m), 0);
	assert_true(m.swap_bytes == 97);
	return m;
}

static void test_process(void **state)
{
	struct fake f = fake_new();
	struct memory m = { .usage_bytes = 97 };

	(void)state;
	fake_text(&f, "23/status", status);
	assert_int_equal(memory_of_process(f.root, 23, &m), 0);
	assert_true(m.rss_bytes == 30011 * 1024);
	assert_true(m.anonymous_bytes == 20011 * 1024);
	assert_true(m.swap_bytes == 107 * 1024);
	assert_true(m.usage_bytes == 97);

	/* A zombie. */
	fake_text(&f, "23/status", "Name:\tx\nUid:\t0\t0\t0\t0\nThreads:\t1\n");
	assert_int_equal(memory_of_process(f.root, 23, &m), 0);
	assert_true(m.rss_bytes == 0 && m.anonymous_bytes == 0 && m.swap_bytes == 0);
	fake_text(&f, "23/status", "VmRSS:\t1 kB\n");
	assert_int_equal(memory_of_process(f.root, 23, &m), -EBADMSG);
	assert_int_equal(memory_of_process(f.root, 29, &m), -ESRCH);
	fake_done(&f);
}

static void test_host_only(void **state)
{
	struct fake f = fake_new();
	struct memory m;

	(void)state;
	fake_text(&f, "meminfo", "MemTotal: 1000003 kB\nMemAvailable: 400001 kB\n");
	m = bounds_of(&f, "0::/a\n");
	assert_int_equal(m.limit_of, MEMORY_LIMIT_HOST);
	assert_true(m.limit_bytes == 1000003 * 1024ull);
	assert_true(m.usage_bytes == 600002 * 1024ull);
	assert_true(m.is_bounded && m.headroom_bytes == 400001 * 1024ull);

	/* A kernel that does not tell what is available: the limit stands, nothing is claimed. */
	fake_text(&f, "meminfo", "MemTotal: 1000003 kB\n");
	m = bounds_of(&f, "0::/a\n");
	assert_true(m.limit_bytes == 1000003 * 1024ull && m.usage_bytes == 0 && !m.is_bounded);
	fake_done(&f);
}

/* The least limit is the one that holds; what is left is the least of all levels. */
static void test_levels(void **state)
{
	struct fake f = fake_new();
	struct memory m;

	(void)state;
	fake_text(&f, "meminfo", "MemTotal: 8388608 kB\nMemAvailable: 7340032 kB\n");
	fake_text(&f, "a/memory.max", "2147483648\n");
	fake_text(&f, "a/memory.current", "2136997888\n"); /* 10 MiB are left */
	fake_text(&f, "a/b/memory.max", "1073741824\n");
	fake_text(&f, "a/b/memory.current", "734003200\n");
	fake_text(&f, "a/b/memory.stat",
		  "anon 500000000\nfile 104857600\ninactive_file 83886080\nactive_file 20971520\n"
		  "slab_reclaimable 5242880\n");
	fake_text(&f, "a/b/c/memory.max", "max\n");
	m = bounds_of(&f, "0::/a/b/c\n");
	assert_int_equal(m.limit_of, MEMORY_LIMIT_CGROUP);
	assert_true(m.limit_bytes == 1024 * MIB);
	assert_true(m.usage_bytes == 595 * MIB);
	assert_true(m.headroom_bytes == 10 * MIB);

	/* The neighbours in a/ give back: the same limit holds, and its series goes on. */
	fake_text(&f, "a/memory.current", "1048576000\n");
	m = bounds_of(&f, "0::/a/b/c\n");
	assert_true(m.limit_bytes == 1024 * MIB && m.usage_bytes == 595 * MIB);
	assert_true(m.headroom_bytes == 429 * MIB);

	/* A limit that was lowered below what is used. */
	fake_text(&f, "a/b/memory.max", "524288000\n");
	m = bounds_of(&f, "0::/a/b/c\n");
	assert_true(m.limit_bytes == 500 * MIB && m.usage_bytes == 595 * MIB);
	assert_true(m.is_bounded && m.headroom_bytes == 0);

	/* More file pages than usage: nothing is claimed of this level. */
	fake_text(&f, "a/b/memory.current", "1000\n");
	m = bounds_of(&f, "0::/a/b/c\n");
	assert_true(m.limit_bytes == 500 * MIB && m.usage_bytes == 0);
	assert_true(m.headroom_bytes == 1048 * MIB);
	fake_done(&f);
}

static void test_v1(void **state)
{
	struct fake f = fake_new();
	struct memory m;

	(void)state;
	fake_text(&f, "meminfo", "MemTotal: 8388608 kB\nMemAvailable: 7340032 kB\n");
	fake_text(&f, "memory/memory.limit_in_bytes", "9223372036854771712\n");
	fake_text(&f, "memory/memory.usage_in_bytes", "7000000000\n");
	fake_text(&f, "memory/m/memory.limit_in_bytes", "1073741824\n");
	fake_text(&f, "memory/m/memory.usage_in_bytes", "734003200\n");
	fake_text(&f, "memory/m/memory.stat",
		  "inactive_file 1\nactive_file 1\ntotal_inactive_file 83886080\n"
		  "total_active_file 20971520\n");
	m = bounds_of(&f, "4:memory:/m\n0::/\n");
	assert_int_equal(m.limit_of, MEMORY_LIMIT_CGROUP);
	assert_true(m.limit_bytes == 1024 * MIB && m.usage_bytes == 600 * MIB);
	assert_true(m.headroom_bytes == 424 * MIB);
	fake_done(&f);
}

static void test_target(void **state)
{
	struct target t = { .pid = 23, .start_ticks = 12345 };
	struct fake f = fake_new();
	struct memory m = { .rss_bytes = 97 };

	(void)state;
	fake_text(&f, "23/status", status);
	fake_text(&f, "meminfo", "MemTotal: 8388608 kB\nMemAvailable: 7340032 kB\n");
	fake_stat(&f, 23, "x", 'S', 0, 12347);
	assert_int_equal(target_memory(&t, f.root, f.root, &m), -ESRCH);
	assert_true(m.rss_bytes == 97);
	fake_stat(&f, 23, "x", 'S', 0, 12345);
	assert_int_equal(target_memory(&t, f.root, f.root, &m), 0);
	assert_true(m.anonymous_bytes == 20011 * 1024);
	assert_true(m.limit_bytes == 8192 * MIB && m.usage_bytes == 1024 * MIB);
	/* Nothing is known of limits. */
	fake_delete(&f, "meminfo");
	assert_int_equal(target_memory(&t, f.root, f.root, &m), 0);
	assert_true(m.rss_bytes == 30011 * 1024 && m.limit_bytes == 0 && !m.is_bounded);
	assert_string_equal(memory_limit_name(m.limit_of), "unknown");
	t.pid = 29;
	assert_int_equal(target_memory(&t, f.root, f.root, &m), -ESRCH);
	fake_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process), cmocka_unit_test(test_host_only),
		cmocka_unit_test(test_levels),	cmocka_unit_test(test_v1),
		cmocka_unit_test(test_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
