// SPDX-License-Identifier: GPL-2.0-or-later
/* target/host.c on a made-up /proc, and on the real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fake_proc.h"
#include "target/host.h"

struct taken {
	struct host_process list[16];
	size_t n;
	uint64_t total_bytes;
	bool has_self;
};

static void take(const struct host_process *h, void *userdata)
{
	struct taken *t = userdata;

	if (t->n < 16)
		t->list[t->n] = *h;
	t->n++;
	t->total_bytes += h->rss_bytes;
	t->has_self |= h->pid == getpid() && h->ppid == getppid();
}

static void fake_process(const struct fake *f, int pid, char state, unsigned flags,
			 const char *statm)
{
	char name[32];

	fake_stat(f, pid, "a) b", state, flags, 1000 + (unsigned)pid);
	snprintf(name, sizeof(name), "%d/statm", pid);
	fake_text(f, name, statm);
}

static void test_pass(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct fake f = fake_new();
	struct host_pass p = { 0 };
	struct taken t = { 0 };
	size_t steps = 1;

	(void)state;
	fake_text(&f, "meminfo", "SwapTotal: 1000 kB\nSwapFree: 1000 kB\n");
	fake_process(&f, 11, 'S', 0, "9000 530 130 1 0 30 0\n");
	fake_process(&f, 13, 'S', 0x00200000, "0 0 0 0 0 0 0\n"); /* a kernel thread */
	fake_process(&f, 17, 'Z', 0, "0 0 0 0 0 0 0\n");
	fake_process(&f, 19, 'R', 0, "9000 77 81 1 0 30 0\n"); /* counters that disagree */
	fake_process(&f, 23, 'R', 0, "9000 x 81 1 0 30 0\n");
	fake_process(&f, 29, 'R', 0, "9000 99999999999999999999 81 1 0 30 0\n");
	fake_text(&f, "31/statm", "9000 530 130 1 0 30 0\n"); /* gone while it was read */
	fake_text(&f, "self/statm", "9000 530 130 1 0 30 0\n");

	assert_false(host_pass_goes_on(&p));
	assert_int_equal(host_pass_begin(&p, f.root), 0);
	assert_true(host_pass_goes_on(&p));
	while (host_pass_step(&p, 2, take, &t))
		steps++;
	assert_int_equal(steps, 4);
	assert_false(host_pass_goes_on(&p));
	assert_int_equal(t.n, 2);
	assert_int_equal(t.list[0].pid, 11);
	assert_int_equal(t.list[0].ppid, 7);
	assert_true(t.list[0].start_ticks == 1011);
	assert_true(t.list[0].rss_bytes == 530 * page);
	assert_true(t.list[0].anonymous_bytes == 400 * page);
	assert_true(t.list[0].swap_bytes == 0);
	assert_int_equal(t.list[1].pid, 19);
	assert_true(t.list[1].anonymous_bytes == 0);
	fake_done(&f);
}

static void test_swap(void **state)
{
	struct fake f = fake_new();
	struct host_pass p = { 0 };
	struct taken t = { 0 };

	(void)state;
	fake_text(&f, "meminfo", "SwapTotal: 1000 kB\nSwapFree: 900 kB\n");
	fake_process(&f, 11, 'S', 0, "9000 530 130 1 0 30 0\n");
	fake_text(&f, "11/status", "Name:\ta\nUid:\t0\t0\t0\t0\nVmSwap:\t 57 kB\n");
	assert_int_equal(host_pass_begin(&p, f.root), 0);
	assert_false(host_pass_step(&p, 100, take, &t));
	assert_int_equal(t.n, 1);
	assert_true(t.list[0].swap_bytes == 57 * 1024);
	/* One that goes on is ended by the next, and by nobody's /proc it is not. */
	assert_int_equal(host_pass_begin(&p, f.root), 0);
	assert_int_equal(host_pass_begin(&p, "/nowhere"), -ENOENT);
	assert_true(host_pass_goes_on(&p));
	assert_int_equal(host_pass_begin(&p, f.root), 0);
	host_pass_done(&p);
	host_pass_done(&p);
	fake_done(&f);
}

static void test_real(void **state)
{
	struct host_pass p = { 0 };
	struct taken t = { 0 };
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	(void)state;
	assert_int_equal(host_pass_begin(&p, "/proc"), 0);
	while (host_pass_step(&p, 64, take, &t))
		;
	print_message("# %zu processes in %.2f ms\n", t.n,
		      (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e6);
	assert_true(t.n > 0 && t.total_bytes > 0);
	assert_true(t.has_self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
