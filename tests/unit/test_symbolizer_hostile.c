// SPDX-License-Identifier: GPL-2.0-or-later
/* The symbolizer when files are damaged, and when its child dies, hangs or lies. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "fixtures/symbolizer.h"
#include "symbolize/state.h"

static const char *const hook_names[] = { "malloc", "free", "outer", "main" };

/* Another file, in the same symbolizer, has its names. */
static void check_good_file(struct bench *b, uint16_t slot)
{
	uint64_t offset = fixture_function("/proc/self/exe", "check_good_file", NULL);
	const struct frame_list *list =
		bench_resolve(b, bench_frame(slot, offset + b->calls % 2, true));

	assert_string_equal(list->frames[list->n - 1].function, "check_good_file");
}

/* All there is to ask about a file; any answer will do, as long as there is one. */
static unsigned int ask_everything(struct bench *b, uint16_t slot, uint64_t from, uint64_t size)
{
	uint64_t frames[31];
	unsigned int calls = b->calls, named = 0;

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
		frames[i] = bench_frame(slot, from + size * i / ARRAY_SIZE(frames) + 1, i % 2);
	assert_int_equal(symbolizer_compile_unwind(b->symbolizer, slot, bench_on_unwind, b), 0);
	assert_int_equal(symbolizer_find_hooks(b->symbolizer, slot, hook_names,
					       ARRAY_SIZE(hook_names), bench_on_hooks, b),
			 0);
	assert_int_equal(
		symbolizer_resolve(b->symbolizer, frames, ARRAY_SIZE(frames), bench_on_done, b), 0);
	assert_int_equal(symbolizer_drain(b->symbolizer, DEADLINE_NS), 0);
	assert_int_equal(b->calls, calls + 3);
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		const struct frame_list *list = symbolizer_lookup(b->symbolizer, frames[i]);

		assert_non_null(list);
		named += list->frames[list->n - 1].function != NULL;
	}
	return named;
}

static void damage(uint8_t *bytes, size_t size, unsigned int part, unsigned int parts,
		   uint64_t *seed)
{
	size_t from = size * part / parts, to = size * (part + 1) / parts;

	for (size_t i = from; i < to; i++) {
		uint32_t random = fixture_random(seed);

		/* Sometimes all of it, sometimes a byte here and there. */
		if (part % 3 == 0 || random % 16 == 0)
			bytes[i] = (uint8_t)(random >> 8);
	}
}

static void test_damaged(void **state)
{
	enum {
		PARTS = 499
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	_cleanup_free_ char *damaged = fixture_path(dir, "damaged");
	_cleanup_free_ uint8_t *good = NULL, *bytes = NULL;
	uint64_t seed = 23, from, size;
	unsigned int named = 0;
	struct stat st;
	struct bench b;
	uint16_t self;
	int fd;

	(void)state;
	if (!fixture_compile(dir, "program", "c", fixture_source, "gcc -O2 -g")) {
		fixture_remove(dir);
		skip();
	}
	from = fixture_function(path, "middle", NULL);
	size = fixture_function(path, "f11", NULL) - from;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	good = malloc((size_t)st.st_size);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, good, (size_t)st.st_size), st.st_size);
	close(fd);
	bench_open(&b, NULL);
	self = bench_add(&b, "/proc/self/exe", -EBADF);
	for (unsigned int part = 0; part < PARTS; part++) {
		memcpy(bytes, good, (size_t)st.st_size);
		damage(bytes, (size_t)st.st_size, part, PARTS, &seed);
		unlink(damaged);
		fixture_write(damaged, bytes, (size_t)st.st_size);
		named += ask_everything(&b, bench_add(&b, damaged, -EBADF), from, size);
		if (part % 31 == 0)
			check_good_file(&b, self);
	}
	check_good_file(&b, self);
	print_message("  %" PRIu64 " children for %d damaged files, %" PRIu64 " died\n",
		      bench_stats(&b).children, PARTS, bench_stats(&b).killed);
	print_message("  %u frames have names\n", named);
	assert_true(named > PARTS * 31 / 2);
	/* One for each file that is fatal to libdw; most must not be. */
	assert_true(bench_stats(&b).killed < PARTS / 10);
	assert_true(bench_close(&b));
	fixture_remove(dir);
}

static void test_cut(void **state)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "cut");
	struct bench b;
	uint8_t bytes[65537];
	uint16_t self;
	ssize_t size;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	size = read(fd, bytes, sizeof(bytes));
	close(fd);
	bench_open(&b, NULL);
	self = bench_add(&b, "/proc/self/exe", -EBADF);
	for (ssize_t n = 0; n <= size; n = n * 2 + 1) {
		unlink(path);
		fixture_write(path, bytes, (size_t)n);
		ask_everything(&b, bench_add(&b, path, -EBADF), 0, 4096);
	}
	/* No ELF file at all: said so, at no cost. */
	assert_int_equal(bench_unwind(&b, bench_add(&b, "/etc/passwd", -EBADF)), -ENOEXEC);
	assert_int_equal(bench_hooks(&b, b.next_slot - 1, hook_names, 2), -ENOEXEC);
	assert_int_equal(bench_unwind(&b, bench_add(&b, "/nowhere", -EBADF)), -EBADF);
	assert_null(symbolizer_build_id(b.symbolizer, b.next_slot - 1));
	check_good_file(&b, self);
	assert_true(bench_close(&b));
	fixture_remove(dir);
}

/* A file that shrinks while it is mapped costs a child, at most. */
static void test_shrinks(void **state)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	struct bench b;
	uint16_t self, slot;

	(void)state;
	if (!fixture_run("cp /proc/%d/exe '%s'", (int)getpid(), path)) {
		fixture_remove(dir);
		skip();
	}
	bench_open(&b, NULL);
	self = bench_add(&b, "/proc/self/exe", -EBADF);
	slot = bench_add(&b, path, -EBADF);
	assert_int_equal(bench_hooks(&b, slot, hook_names, 2), 0);
	assert_int_equal(truncate(path, 4096), 0);
	ask_everything(&b, slot, 0, 65536);
	check_good_file(&b, self);
	assert_true(bench_close(&b));
	fixture_remove(dir);
}

static void turn_loop(struct bench *b, unsigned int times)
{
	while (times-- > 0)
		(void)event_base_loop(b->base, EVLOOP_NONBLOCK);
}

/*
 * Starts a request that the child does not come to answer, and returns the child. @timeout_ns is of that
 * request only: others are to be answered in time on a busy machine, too.
 */
static pid_t hang(struct bench *b, uint16_t slot, uint64_t frame, uint64_t timeout_ns)
{
	uint64_t before_ns = b->symbolizer->request_timeout_ns;
	pid_t child;

	/* It is there, it has the file open, and it is stopped before the request is sent. */
	assert_int_equal(bench_hooks(b, slot, hook_names, 2), 0);
	child = bench_child();
	assert_true(child > 0);
	assert_int_equal(kill(child, SIGSTOP), 0);
	b->symbolizer->request_timeout_ns = timeout_ns;
	assert_int_equal(symbolizer_resolve(b->symbolizer, &frame, 1, bench_on_done, b), 0);
	turn_loop(b, 7);
	b->symbolizer->request_timeout_ns = before_ns;
	assert_null(symbolizer_lookup(b->symbolizer, frame));
	return child;
}

static void test_killed(void **state)
{
	uint64_t offset = fixture_function("/proc/self/exe", "test_killed", NULL);
	struct bench b;
	const struct frame_list *lost, *found;
	uint16_t slot;

	(void)state;
	bench_open(&b, NULL);
	slot = bench_add(&b, "/proc/self/exe", -EBADF);
	assert_int_equal(
		kill(hang(&b, slot, bench_frame(slot, offset, true), DEADLINE_NS), SIGKILL), 0);
	assert_int_equal(symbolizer_drain(b.symbolizer, DEADLINE_NS), 0);
	/* That request is lost, that request only. */
	lost = symbolizer_lookup(b.symbolizer, bench_frame(slot, offset, true));
	assert_non_null(lost);
	assert_null(lost->frames[0].function);
	assert_true(lost->frames[0].approximate);
	assert_int_equal(bench_stats(&b).failed, 1);
	assert_int_equal(bench_stats(&b).killed, 1);
	found = bench_resolve(&b, bench_frame(slot, offset, true));
	assert_string_equal(found->frames[0].function, "test_killed");
	/* What was handed out before is still there. */
	assert_null(lost->frames[0].function);
	assert_int_equal(bench_stats(&b).children, 2);
	assert_true(bench_close(&b));
}

static void test_deadline(void **state)
{
	uint64_t offset = fixture_function("/proc/self/exe", "test_deadline", NULL);
	struct bench b;
	uint16_t bad, good;

	(void)state;
	bench_open(&b, NULL);
	bad = bench_add(&b, "/proc/self/exe", -EBADF);
	good = bench_add(&b, "/proc/self/exe", -EBADF);
	for (unsigned int i = 0; i < KILLS_MAX; i++) {
		(void)hang(&b, bad, bench_frame(bad, offset + i, true), 1499 * MS);
		assert_int_equal(symbolizer_drain(b.symbolizer, DEADLINE_NS), 0);
		assert_int_equal(bench_stats(&b).killed, i + 1);
	}
	/* A file that cost two children gets no third. */
	assert_int_equal(bench_hooks(&b, bad, hook_names, 2), -ETIMEDOUT);
	assert_int_equal(bench_unwind(&b, bad), -ETIMEDOUT);
	assert_null(bench_resolve(&b, bench_frame(bad, offset, true))->frames[0].function);
	assert_int_equal(bench_stats(&b).children, KILLS_MAX);
	check_good_file(&b, good);
	assert_int_equal(bench_stats(&b).children, KILLS_MAX + 1);
	assert_true(bench_close(&b));
}

/* Freed in the middle of a request: no call, nothing left. */
static void test_freed(void **state)
{
	struct bench b;
	uint16_t slot;

	(void)state;
	bench_open(&b, NULL);
	slot = bench_add(&b, "/proc/self/exe", -EBADF);
	(void)hang(&b, slot, bench_frame(slot, 4096, true), DEADLINE_NS);
	assert_int_equal(symbolizer_drain(b.symbolizer, 10 * MS), -ETIMEDOUT);
	b.calls = 0;
	assert_true(bench_close(&b));
	assert_int_equal(b.calls, 0);
}

static void free_it(void *userdata)
{
	struct bench *b = userdata;

	b->symbolizer = symbolizer_free(b->symbolizer);
	b->calls++;
}

static void test_freed_by_callback(void **state)
{
	uint64_t frames[2];
	struct bench b;

	(void)state;
	bench_open(&b, NULL);
	frames[0] = bench_frame(bench_add(&b, "/proc/self/exe", -EBADF), 4096, true);
	frames[1] = frames[0] + 1;
	assert_int_equal(symbolizer_resolve(b.symbolizer, frames, 2, free_it, &b), 0);
	assert_int_equal(symbolizer_resolve(b.symbolizer, frames, 2, bench_on_done, &b), 0);
	while (b.calls == 0)
		(void)event_base_loop(b.base, EVLOOP_ONCE);
	turn_loop(&b, 7);
	assert_int_equal(b.calls, 1);
	assert_true(bench_close(&b));
}

static void test_idle(void **state)
{
	static const struct symbolizer_options options = { .idle_timeout_ns = 20 * MS };
	struct bench b;
	uint16_t slot;

	(void)state;
	bench_open(&b, &options);
	slot = bench_add(&b, "/proc/self/exe", -EBADF);
	check_good_file(&b, slot);
	assert_true(bench_child() > 0);
	for (int i = 0; i < 997 && bench_child() > 0; i++)
		(void)event_base_loop(b.base, EVLOOP_ONCE);
	assert_int_equal(bench_child(), 0);
	assert_int_equal(bench_stats(&b).killed, 0);
	check_good_file(&b, slot);
	assert_int_equal(bench_stats(&b).children, 2);
	assert_true(bench_close(&b));
}

struct lie {
	const char *what;
	enum message_type asked;
	uint32_t type; /* 0: the right one */
	uint32_t id;   /* added to the right one */
	int32_t error;
	uint32_t slot; /* added to the right one */
	uint32_t count;
	uint32_t flags;
	size_t size;
	uint8_t body[sizeof(struct hook_point)];
};

/* Whatever the child says that is not an answer costs it its life, and the request its result. */
static void test_lies(void **state)
{
	static const struct lie lies[] = {
		{ .what = "another type", .asked = MESSAGE_HOOKS, .type = MESSAGE_OPEN },
		{ .what = "no type", .asked = MESSAGE_HOOKS, .type = 997 },
		{ .what = "a greeting", .asked = MESSAGE_HOOKS, .type = MESSAGE_HELLO },
		{ .what = "another request", .asked = MESSAGE_HOOKS, .id = 1 },
		{ .what = "another file", .asked = MESSAGE_HOOKS, .slot = 1 },
		{ .what = "success as error", .asked = MESSAGE_HOOKS, .error = 1 },
		{ .what = "no errno", .asked = MESSAGE_HOOKS, .error = -5000 },
		{ .what = "points without bytes", .asked = MESSAGE_HOOKS, .count = 1 },
		{ .what = "bytes without points",
		  .asked = MESSAGE_HOOKS,
		  .size = sizeof(struct hook_point) },
		{ .what = "too many points", .asked = MESSAGE_HOOKS, .count = 0x10000000 },
		{ .what = "probe before function",
		  .asked = MESSAGE_HOOKS,
		  .count = 1,
		  .size = sizeof(struct hook_point),
		  .body = { 1 } },
		{ .what = "probe far from function",
		  .asked = MESSAGE_HOOKS,
		  .count = 1,
		  .size = sizeof(struct hook_point),
		  .body = { [9] = 1 } },
		{ .what = "no such name",
		  .asked = MESSAGE_HOOKS,
		  .count = 1,
		  .size = sizeof(struct hook_point),
		  .body = { [16] = 2 } },
		{ .what = "no such flag",
		  .asked = MESSAGE_HOOKS,
		  .count = 1,
		  .size = sizeof(struct hook_point),
		  .body = { [20] = 4 } },
		{ .what = "words without end",
		  .asked = MESSAGE_HOOKS,
		  .count = 1,
		  .size = sizeof(struct hook_point),
		  .body = { [40 ... 95] = 'w' } },
		{ .what = "words that steer a terminal",
		  .asked = MESSAGE_HOOKS,
		  .count = 1,
		  .size = sizeof(struct hook_point),
		  .body = { [40] = 0x1b } },
		{ .what = "no rows", .asked = MESSAGE_UNWIND },
		{ .what = "rows that are not there", .asked = MESSAGE_UNWIND, .count = 23 },
		{ .what = "too many rows", .asked = MESSAGE_UNWIND, .count = UINT32_MAX },
		{ .what = "rows in the message", .asked = MESSAGE_UNWIND, .count = 1, .size = 8 },
		{ .what = "an empty name", .asked = MESSAGE_RESOLVE, .flags = MESSAGE_LAST },
		{ .what = "another address",
		  .asked = MESSAGE_RESOLVE,
		  .flags = MESSAGE_LAST,
		  .size = sizeof(struct name_answer),
		  .body = { 1 } },
		{ .what = "not the last",
		  .asked = MESSAGE_RESOLVE,
		  .size = sizeof(struct name_answer) },
		{ .what = "inlined into nothing",
		  .asked = MESSAGE_RESOLVE,
		  .flags = MESSAGE_LAST,
		  .size = sizeof(struct name_answer),
		  .body = { [16] = NAME_INLINED } },
		{ .what = "name longer than the message",
		  .asked = MESSAGE_RESOLVE,
		  .flags = MESSAGE_LAST,
		  .size = sizeof(struct name_answer),
		  .body = { [8] = 1 } },
		{ .what = "sizes that add up to nothing",
		  .asked = MESSAGE_RESOLVE,
		  .flags = MESSAGE_LAST,
		  .size = sizeof(struct name_answer),
		  .body = { [8] = 1, [12] = 0xff, 0xff, 0xff, 0xff } },
		{ .what = "bytes nobody asked for",
		  .asked = MESSAGE_RESOLVE,
		  .flags = MESSAGE_LAST,
		  .size = sizeof(struct name_answer) + 1 },
	};

	_Static_assert(sizeof(struct hook_point) == 96, "the table above");
	_Static_assert(sizeof(struct name_answer) == 20, "the table above");
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		const struct lie *lie = &lies[i];
		struct message header;
		uint64_t frame;
		struct bench b;
		uint16_t slot;

		print_message("  %s\n", lie->what);
		bench_open(&b, NULL);
		slot = bench_add(&b, "/proc/self/exe", -EBADF);
		frame = bench_frame(slot, 4099, true);
		assert_int_equal(bench_hooks(&b, slot, hook_names, 2), 0);
		assert_int_equal(kill(bench_child(), SIGSTOP), 0);
		b.error = 0;
		if (lie->asked == MESSAGE_HOOKS)
			assert_int_equal(symbolizer_find_hooks(b.symbolizer, slot, hook_names, 2,
							       bench_on_hooks, &b),
					 0);
		else if (lie->asked == MESSAGE_UNWIND)
			assert_int_equal(
				symbolizer_compile_unwind(b.symbolizer, slot, bench_on_unwind, &b),
				0);
		else
			assert_int_equal(
				symbolizer_resolve(b.symbolizer, &frame, 1, bench_on_done, &b), 0);
		turn_loop(&b, 3);
		assert_int_equal(b.symbolizer->exchange, EXCHANGE_WORK);
		header = (struct message){
			.type = lie->type ? lie->type : lie->asked,
			.id = b.symbolizer->request_id + lie->id,
			.error = lie->error,
			.slot = slot + lie->slot,
			.count = lie->count,
			.flags = lie->flags,
		};
		exchange_on_message(&header, lie->body, lie->size, b.symbolizer);
		assert_int_equal(bench_stats(&b).killed, 1);
		assert_int_equal(symbolizer_drain(b.symbolizer, DEADLINE_NS), 0);
		assert_int_equal(bench_stats(&b).failed, 1);
		if (lie->asked == MESSAGE_RESOLVE)
			assert_null(symbolizer_lookup(b.symbolizer, frame)->frames[0].function);
		else
			assert_true(b.error < 0);
		assert_true(bench_close(&b));
	}
}

/* What the child has left: read from its status, as anybody can. */
static void test_sandbox(void **state)
{
	static const char *const wanted[] = {
		"Name:\tseep-symbols\n",
		"NoNewPrivs:\t1\n",
		"Seccomp:\t2\n",
		"CapInh:\t0000000000000000\n",
		"CapPrm:\t0000000000000000\n",
		"CapEff:\t0000000000000000\n",
		"CapAmb:\t0000000000000000\n",
		"SigBlk:\t0000000000000000\n",
	};
	_cleanup_free_ char *path = NULL;
	char text[8192];
	struct bench b;
	uint16_t slot;
	size_t n;
	FILE *f;

	(void)state;
	bench_open(&b, NULL);
	slot = bench_add(&b, "/proc/self/exe", -EBADF);
	check_good_file(&b, slot);
	assert_true(asprintf(&path, "/proc/%d/status", (int)bench_child()) > 0);
	f = fopen(path, "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (!strstr(text, wanted[i]))
			print_message("  missing: %s", wanted[i]);
		assert_non_null(strstr(text, wanted[i]));
	}
	if (geteuid() == 0)
		assert_non_null(strstr(text, "CapBnd:\t0000000000000000\n"));
	assert_true(bench_close(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_shrinks),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_freed),
		cmocka_unit_test(test_freed_by_callback),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
