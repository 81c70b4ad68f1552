// SPDX-License-Identifier: GPL-2.0-or-later
/* The inspector: its child answers, fails, dies, hangs and lies. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "python/answers.h"
#include "python/inspect.h"

#define KINDS	    5003	  /* more than a message holds */
#define TIMEOUT	    4000000000ull /* a child has to start and answer in it on a busy machine */
#define CHILDREN_NS 60000000ull	  /* what three use to start and to end */
#define DIES	    1001	  /* pids that stand for what happens */
#define HANGS	    1002
#define NO_HEAP	    1003
#define LIES	    1004
#define SANDBOX	    1005
#define NO_SUCH	    1006
#define SAMPLES	    17
#define ADDRESS(i)  (0x7f0000000000ull + 64 * (i))

/* --- what the child runs ------------------------------------------------------------------------- */

static int fake_find(pid_t pid, struct python_interpreter *ret, const char **ret_why)
{
	(void)ret_why;
	*ret = (struct python_interpreter){ .memory = { .pid = pid } };
	return pid == NO_SUCH ? -ENOENT : 0;
}

static char *numbered(const char *what, size_t i)
{
	char *text;

	return asprintf(&text, "%s%zu", what, i) < 0 ? NULL : text;
}

static int fill_census(struct python_census *ret, size_t n)
{
	*ret = (struct python_census){ .objects = 23, .error_ratio = 0.25, .tasks_made = 1009 };
	ret->kinds = calloc(n, sizeof(*ret->kinds));
	for (; ret->kinds && ret->n < n; ret->n++) {
		struct python_kind *k = &ret->kinds[ret->n];

		k->type = numbered("module.Type", ret->n);
		k->function = ret->n % 3 == 0 ? numbered("Hub.run", ret->n) : NULL;
		k->file = ret->n % 3 == 0 ? numbered("/srv/hub.py", ret->n) : NULL;
		k->line = (int32_t)ret->n;
		k->done = ret->n % 2 == 0;
		k->count = 7 * ret->n;
		k->bytes = 48 * k->count;
		k->type_address = ADDRESS(ret->n);
	}
	return ret->kinds ? 0 : -ENOMEM;
}

/* What a child may not do, as bits. */
static uint64_t try_forbidden(void)
{
	uint64_t done = 0;

	done |= open("/tmp/seep-must-not-be", O_WRONLY | O_CREAT, 0600) >= 0 ? 1 : 0;
	done |= kill(getppid(), 0) == 0 ? 2 : 0;
	done |= prctl(PR_SET_NAME, "other", 0, 0, 0) == 0 ? 4 : 0;
	done |= fork() >= 0 ? 8 : 0;
	done |= open("/proc/self/maps", O_RDONLY) < 0 ? 16 : 0;
	return done;
}

static int fake_census(const struct python_interpreter *i, const struct python_census_options *o,
		       struct python_census *ret, const char **ret_why)
{
	switch (i->memory.pid) {
	case DIES:
		abort();
	case HANGS:
		for (;;)
			;
	case NO_HEAP:
		*ret_why = "its heap is another one";
		return -EOPNOTSUPP;
	case SANDBOX:
		*ret = (struct python_census){ .objects = try_forbidden() };
		return 0;
	default:
		return fill_census(ret, o->max_kinds);
	}
}

static int fake_objects(const struct python_interpreter *i, const struct python_wanted *wanted,
			size_t n, size_t max, uint64_t deadline_ns, struct python_objects *ret,
			const char **ret_why)
{
	(void)deadline_ns;
	(void)ret_why;
	for (size_t k = 0; k < n; k++) {
		ret[k] = (struct python_objects){ .count = wanted[k].type_address,
						  .threshold = UINT64_MAX };
		ret[k].list = calloc(max, sizeof(*ret[k].list));
		for (; ret[k].list && ret[k].n < max && ret[k].n < ret[k].count; ret[k].n++)
			ret[k].list[ret[k].n] = (struct python_object){
				/* (A liar's are not in order.) */
				ADDRESS(i->memory.pid == LIES ? max - ret[k].n : ret[k].n), k
			};
	}
	return 0;
}

static int fake_holders(const struct python_interpreter *i, const struct python_sample *samples,
			size_t n, uint64_t deadline_ns, struct python_holders *ret,
			const char **ret_why)
{
	(void)i;
	(void)deadline_ns;
	(void)ret_why;
	*ret = (struct python_holders){ .n = 1, .samples = (unsigned int)n };
	ret->list[0].samples = (unsigned int)(samples[n - 1].object & 0xff);
	(void)strcpy(ret->list[0].path, "app._tasks\x1b[31m");
	(void)strcpy(ret->list[0].container, "set");
	return 0;
}

static int fake_constructors(const struct python_interpreter *i, uint64_t type,
			     struct python_constructors *ret)
{
	*ret = (struct python_constructors){ .n = 1, .list[0] = { type + 4, 1, 1 } };
	if (i->memory.pid == LIES)
		ret->n = PYTHON_CONSTRUCTORS_MAX + 1;
	return type == NO_HEAP ? -EFAULT : 0;
}

static const struct python_readers fakes = { fake_find, fake_census, fake_objects, fake_holders,
					     fake_constructors };

/* --- what the parent hears ----------------------------------------------------------------------- */

struct bench {
	struct event_base *base;
	struct python_inspector *inspector;
	unsigned int calls;
	int error;
	char why[64];
	uint64_t objects; /* of the census */
	size_t n_kinds;
	uint64_t cpu_ns;
	size_t n_lists;
	struct python_holder holder;
	uint64_t constructor;
};

static void setup(struct bench *b)
{
	const struct python_inspector_options options = { .readers = &fakes,
							  .request_timeout_ns = TIMEOUT };

	*b = (struct bench){ .base = event_base_new() };
	assert_non_null(b->base);
	assert_int_equal(python_inspector_new(b->base, &options, &b->inspector), 0);
}

static void teardown(struct bench *b)
{
	b->inspector = python_inspector_free(b->inspector);
	event_base_free(b->base);
}

static void heard(struct bench *b, int error, const char *why)
{
	b->calls++;
	b->error = error;
	(void)snprintf(b->why, sizeof(b->why), "%s", why ? why : "");
}

static void on_census(int error, const char *why, struct python_census *c, void *userdata)
{
	struct bench *b = userdata;

	heard(b, error, why);
	assert_true((error == 0) == (c != NULL));
	if (!c)
		return;
	b->objects = c->objects;
	b->n_kinds = c->n;
	b->cpu_ns = c->cpu_ns;
	for (size_t i = 0; i < c->n; i++) {
		const struct python_kind *k = &c->kinds[i];
		_cleanup_free_ char *type = numbered("module.Type", i);
		_cleanup_free_ char *file = numbered("/srv/hub.py", i);

		assert_string_equal(k->type, type);
		assert_int_equal(k->count, 7 * i);
		assert_int_equal(k->line, i);
		assert_true(k->done == (i % 2 == 0));
		assert_true((i % 3 == 0) == (k->function != NULL));
		if (k->file)
			assert_string_equal(k->file, file);
	}
}

static void on_objects(int error, const char *why, const struct python_objects *o, size_t n,
		       uint64_t cpu_ns, void *userdata)
{
	struct bench *b = userdata;

	(void)cpu_ns;
	heard(b, error, why);
	b->n_lists = n;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(o[i].n, o[i].count < 211 ? o[i].count : 211);
		for (size_t k = 0; k < o[i].n; k++) {
			assert_int_equal(o[i].list[k].address, ADDRESS(k));
			assert_int_equal(o[i].list[k].identity, i);
		}
	}
}

static void on_holders(int error, const char *why, const struct python_holders *h, void *userdata)
{
	struct bench *b = userdata;

	heard(b, error, why);
	if (h)
		b->holder = h->list[0];
}

static void ask_census(struct bench *b, pid_t pid)
{
	const struct python_census_options options = { .max_kinds = KINDS };

	assert_int_equal(python_inspect_census(b->inspector, pid, &options, on_census, b), 0);
}

/* Until @calls have come. */
static void wait_for(struct bench *b, unsigned int calls)
{
	while (b->calls < calls)
		assert_int_equal(event_base_loop(b->base, EVLOOP_ONCE), 0);
	assert_int_equal(b->calls, calls);
}

static struct python_inspector_stats stats_of(const struct bench *b)
{
	struct python_inspector_stats stats;

	python_inspector_get_stats(b->inspector, &stats);
	return stats;
}

static void test_census(void **state)
{
	struct bench b;

	(void)state;
	setup(&b);
	ask_census(&b, 1);
	assert_int_equal(b.calls, 0); /* never from inside */
	wait_for(&b, 1);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.n_kinds, KINDS);
	assert_int_equal(b.objects, 23);
	assert_true(b.cpu_ns > 0);
	ask_census(&b, 2);
	ask_census(&b, 3);
	wait_for(&b, 3);
	assert_int_equal(stats_of(&b).children, 1);
	assert_int_equal(stats_of(&b).failed, 0);
	teardown(&b);
}

static void test_failures(void **state)
{
	struct bench b;

	(void)state;
	setup(&b);
	ask_census(&b, NO_HEAP);
	wait_for(&b, 1);
	assert_int_equal(b.error, -EOPNOTSUPP);
	assert_string_equal(b.why, "its heap is another one");
	ask_census(&b, NO_SUCH);
	wait_for(&b, 2);
	assert_int_equal(b.error, -ENOENT);
	assert_string_equal(b.why, "");
	assert_int_equal(stats_of(&b).children, 1);
	teardown(&b);
}

/* Of children that have ended and were waited for. */
static uint64_t cpu_ns_of_children(void)
{
	struct rusage usage;
	uint64_t us;

	assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
	us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000;
	return 1000 * (us + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
}

/* Each costs the request that it was working on, and no other one. */
static void test_deaths(void **state)
{
	static const struct {
		pid_t pid;
		int error;
	} cases[] = { { DIES, -EPIPE }, { HANGS, -ETIMEDOUT } };
	uint64_t before_ns = cpu_ns_of_children(), used_ns, known_ns;
	struct bench b;

	(void)state;
	setup(&b);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		ask_census(&b, cases[i].pid);
		ask_census(&b, 1);
		wait_for(&b, 2 * i + 1);
		assert_int_equal(b.error, cases[i].error);
		wait_for(&b, 2 * i + 2);
		assert_int_equal(b.error, 0);
		assert_int_equal(b.n_kinds, KINDS);
	}
	assert_int_equal(stats_of(&b).killed, 2);
	assert_int_equal(stats_of(&b).children, 3);
	known_ns = stats_of(&b).cpu_ns;
	teardown(&b);
	/* What the hanging child burned is known; but for it children did little but start and end. */
	used_ns = cpu_ns_of_children() - before_ns;
	print_message("# children used %.0f ms, known are %.0f ms\n", (double)used_ns / 1e6,
		      (double)known_ns / 1e6);
	assert_in_range(known_ns, 1000000, used_ns);
	assert_true(used_ns - known_ns < used_ns / 4 + CHILDREN_NS);
}

static void test_objects_and_holders(void **state)
{
	const struct python_wanted wanted[] = { { .type_address = 211 },
						{ .type_address = 13 },
						{ .type_address = 100003 } };
	struct python_sample samples[SAMPLES] = { [SAMPLES - 1] = { .object = 0x11, .type = 1 } };
	struct bench b;

	(void)state;
	setup(&b);
	assert_int_equal(python_inspect_objects(b.inspector, 1, wanted, 3, 211, on_objects, &b), 0);
	wait_for(&b, 1);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.n_lists, 3);
	assert_int_equal(python_inspect_holders(b.inspector, 1, samples, SAMPLES, on_holders, &b),
			 0);
	wait_for(&b, 2);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.holder.samples, 0x11);
	assert_string_equal(b.holder.path, "app._tasks?[31m");
	/* Lists out of order are no answer. */
	assert_int_equal(python_inspect_objects(b.inspector, LIES, wanted, 3, 211, on_objects, &b),
			 0);
	wait_for(&b, 3);
	assert_int_equal(b.error, -EBADMSG);
	assert_int_equal(b.n_lists, 0);
	assert_int_equal(
		python_inspect_holders(b.inspector, 1, samples, PYTHON_SAMPLES + 1, on_holders, &b),
		-E2BIG);
	teardown(&b);
}

static void on_constructors(int error, const char *why, const struct python_constructors *c,
			    void *userdata)
{
	struct bench *b = userdata;

	(void)why;
	assert_int_equal(!c, error < 0);
	b->error = error;
	b->constructor = c ? c->list[0].address : 0;
	b->calls++;
}

static void test_constructors(void **state)
{
	static const struct {
		pid_t pid;
		uint64_t type;
		int error;
	} cases[] = { { 1, 0x1000, 0 },
		      { 1, NO_HEAP, -EFAULT },
		      { LIES, 0x1000, -EBADMSG },
		      { NO_SUCH, 0x1000, -ENOENT } };
	struct bench b;

	(void)state;
	setup(&b);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(python_inspect_constructors(b.inspector, cases[i].pid,
							     cases[i].type, on_constructors, &b),
				 0);
		wait_for(&b, i + 1);
		assert_int_equal(b.error, cases[i].error);
		assert_int_equal(b.constructor, cases[i].error ? 0 : 0x1004);
	}
	teardown(&b);
}

static void test_sandbox(void **state)
{
	struct bench b;

	(void)state;
	setup(&b);
	ask_census(&b, SANDBOX);
	wait_for(&b, 1);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.objects, 0);
	teardown(&b);
}

static void test_freed_while_busy(void **state)
{
	struct bench b;

	(void)state;
	setup(&b);
	ask_census(&b, 1);
	ask_census(&b, HANGS);
	wait_for(&b, 1);
	teardown(&b);
	assert_int_equal(b.calls, 1);
}

/* --- answers of a child that was taken over ------------------------------------------------------- */

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33);
}

static void check_census(const struct python_census *c)
{
	for (size_t i = 0; i < c->n; i++) {
		assert_non_null(c->kinds[i].type);
		assert_true(strlen(c->kinds[i].type) <= PYTHON_NAME_MAX);
		assert_true(c->kinds[i].line >= 0);
	}
	assert_true(c->error_ratio >= 0);
}

/* Damaged or cut, an answer is refused or makes sense; the sanitizers watch. */
static void test_damaged(void **state)
{
	_cleanup_(python_answer_done) struct python_answer a = { 0 };
	struct python_census c;
	uint64_t seed = 31;
	unsigned int refused = 0;

	(void)state;
	assert_int_equal(fill_census(&c, 37), 0);
	assert_int_equal(python_pack_census(&c, &a), 0);
	python_census_done(&c);
	for (size_t n = 0; n < a.n; n++)
		assert_int_equal(python_unpack_census(a.bytes, n, &c), -EBADMSG);
	for (unsigned int i = 0; i < 20011; i++) {
		_cleanup_free_ uint8_t *bytes = malloc(a.n);

		assert_non_null(bytes);
		memcpy(bytes, a.bytes, a.n);
		for (unsigned int k = 0; k < 1 + i % 5; k++)
			bytes[next_random(&seed) % a.n] = (uint8_t)next_random(&seed);
		if (python_unpack_census(bytes, a.n, &c) < 0) {
			refused++;
			continue;
		}
		check_census(&c);
		python_census_done(&c);
	}
	assert_in_range(refused, 1009, 20010);
}

static void test_damaged_lists(void **state)
{
	struct python_object list[] = { { 16, 1 }, { 32, 2 }, { 48, 3 } };
	struct python_objects good = { list, 3, 7, UINT64_MAX }, out[2];
	_cleanup_(python_answer_done) struct python_answer a = { 0 };
	struct python_holders h = { .n = 1, .samples = 3 };

	(void)state;
	assert_int_equal(python_pack_objects(&good, 1, &a), 0);
	assert_int_equal(python_unpack_objects(a.bytes, a.n, 1, 3, out), 0);
	assert_int_equal(out[0].count, 7);
	python_objects_done(&out[0]);
	/* More than was asked for; another number of lists; more in the list than there are. */
	assert_int_equal(python_unpack_objects(a.bytes, a.n, 1, 2, out), -EBADMSG);
	assert_int_equal(python_unpack_objects(a.bytes, a.n, 2, 3, out), -EBADMSG);
	assert_int_equal(python_unpack_objects(a.bytes, a.n - 1, 1, 3, out), -EBADMSG);
	memset(a.bytes + 8, 0, 8);
	assert_int_equal(python_unpack_objects(a.bytes, a.n, 1, 3, out), -EBADMSG);

	h.n = PYTHON_HOLDERS + 1;
	assert_int_equal(python_unpack_holders(&h, sizeof(h), &h), -EBADMSG);
	h.n = 1;
	h.list[0].samples = 4;
	assert_int_equal(python_unpack_holders(&h, sizeof(h), &h), -EBADMSG);
	h.list[0].samples = 3;
	memset(h.list[0].path, 'x', sizeof(h.list[0].path));
	assert_int_equal(python_unpack_holders(&h, sizeof(h), &h), -EBADMSG);
	h.list[0].path[3] = '\0';
	h.list[0].root = PYTHON_ROOTS;
	assert_int_equal(python_unpack_holders(&h, sizeof(h), &h), -EBADMSG);
	h.list[0].root = PYTHON_ROOT_CYCLE;
	assert_int_equal(python_unpack_holders(&h, sizeof(h), &h), 0);
	assert_string_equal(h.list[0].path, "xxx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_census),		 cmocka_unit_test(test_failures),
		cmocka_unit_test(test_deaths),		 cmocka_unit_test(test_objects_and_holders),
		cmocka_unit_test(test_constructors),	 cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_freed_while_busy), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_damaged_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
