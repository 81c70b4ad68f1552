// SPDX-License-Identifier: GPL-2.0-or-later
/* hint/: each pattern is recognised, and what only resembles it is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "hint/hint.h"

#define LIBC   "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define PYTHON "/usr/bin/python3.11"
#define APP    "/srv/app"

/* NULL: no pattern at all. */
static void expect(const struct hint_facts *f, const char *pattern, size_t number)
{
	struct hint hint = { NULL, NULL };
	bool is_found = hint_find(f, &hint);

	if (!is_found != !pattern || (pattern && strcmp(hint.pattern, pattern) != 0))
		fail_msg("case %zu is %s, not %s", number, is_found ? hint.pattern : "nothing",
			 pattern ? pattern : "nothing");
	if (is_found) {
		assert_true(strlen(hint.sentence) > 20);
		assert_int_equal(hint.sentence[strlen(hint.sentence) - 1], '.');
	}
}

/* --- Python -------------------------------------------------------------------------------------- */

#define ROOT   HINT_HELD_BY_ROOT
#define FRAME  HINT_HELD_BY_FRAME
#define NOBODY HINT_HELD_BY_NOBODY

static const struct python_case {
	const char *pattern;
	const char *type;
	const char *path;
	const char *container;
	enum hint_holding holding;
	enum hint_ending ending;
} python_cases[] = {
	{ "task-in-set", "_asyncio.Task", "app.hub.background{*}", "set", ROOT, HINT_ENDED },
	{ "task-in-set", "asyncio.tasks.Task", "app.tasks{*}", "set", ROOT, HINT_ENDING_UNKNOWN },
	{ "task-in-set", "Task", NULL, "set", HINT_HOLDING_UNKNOWN, HINT_ENDED },
	{ "running-task", "_asyncio.Task", "app.tasks{*}", "set", ROOT, HINT_NOT_ENDED },
	{ "kept-task", "_asyncio.Task", "app.tasks[…]", "dict", ROOT, HINT_ENDED },
	{ "kept-task", "_asyncio.Future", "app.futures[…]", "list", ROOT, HINT_ENDED },
	{ NULL, "_asyncio.Task", NULL, NULL, HINT_HOLDING_UNKNOWN, HINT_ENDED },
	{ "list", "app.BackgroundTask", "app.tasks{*}", "set", ROOT, HINT_ENDING_UNKNOWN },
	{ "list", "app.TaskList", "app.tasks{*}", "set", ROOT, HINT_ENDING_UNKNOWN },

	{ "lru-cache", "bytes", "app.load[…]", "functools._lru_cache_wrapper", ROOT, 0 },
	{ "lru-cache", "str", "app.load.<cache>[…].title", "functools._lru_cache_wrapper", ROOT,
	  0 },
	{ "dict", "app.Page", "app.lru_cache[…]", "dict", ROOT, 0 },

	{ "logging-handler", "logging.StreamHandler", "logging.root.handlers[…]", "list", ROOT, 0 },
	{ "logging-handler", "app.JsonHandler",
	  "logging.Logger.manager.loggerDict['app'].handlers[…]", "list", ROOT, 0 },
	{ "callback", "app.RequestState", "app.bus.handlers[…]", "list", ROOT, 0 },
	{ "list", "app.Record", "logging.memory.buffer[…]", "list", ROOT, 0 },

	{ "callback", "function", "app.bus.items[…]", "list", ROOT, 0 },
	{ "callback", "app.Session", "app.bus._callbacks[…].__closure__(0).cell_contents", "cell",
	  ROOT, 0 },
	{ "callback", "app.Session", "app.signals.receivers[…]", "list", ROOT, 0 },
	{ "frame", "function", "app.main.<local f>", "list", FRAME, 0 },
	{ "dict", "app.Session", "app.callbacks_by_name[…]", "dict", ROOT, 0 },

	{ "generator", "generator", "app.open_cursors[…]", "list", ROOT, HINT_NOT_ENDED },
	{ "generator", "async_generator", NULL, NULL, HINT_HOLDING_UNKNOWN, HINT_ENDING_UNKNOWN },
	{ "list", "generator", "app.open_cursors[…]", "list", ROOT, HINT_ENDED },
	{ "coroutine", "coroutine", "app.pending[…]", "list", ROOT, HINT_NOT_ENDED },
	{ "list", "app.coroutine", "app.pending[…]", "list", ROOT, HINT_NOT_ENDED },

	{ "traceback", "traceback", "app.errors[…].__traceback__", "app.Error", ROOT, 0 },
	{ "traceback", "app.Body", "app.errors[…].__traceback__.tb_frame.<local body of f>",
	  "frame", ROOT, 0 },
	{ "list", "app.Error", "app.errors[…]", "list", ROOT, 0 },

	{ "cycle", "app.Node", NULL, NULL, NOBODY, 0 },
	{ "cycle", "app.Node", "<app.Node>.parent…", "app.Node", NOBODY, 0 },
	{ NULL, "app.Node", NULL, NULL, HINT_HOLDING_UNKNOWN, 0 },
	{ "list", "app.Node", "app.root.children[…]", "list", ROOT, 0 },

	{ "frame", "bytes", "<local rows of main (app.py:34)>[…]", "list", FRAME, 0 },
	{ "class-attribute", "app.Item", "app.Registry.items[…]", "dict", ROOT, 0 },
	{ "class-attribute", "app.Item", "app.Registry.instances[…].items[0]", "dict", ROOT, 0 },
	{ "dict", "app.Item", "app.registry.items[…]", "dict", ROOT, 0 },
	{ "dict", "app.Item", "app.registry['Items'].items[…]", "dict", ROOT, 0 },
	{ NULL, "app.Item", "app.Registry.last", "app.Item", ROOT, 0 },
	{ "dict", "str", "app.sessions[…]", "dict", ROOT, 0 },
	{ "dict", "str", "app.sessions[…]", "collections.OrderedDict", ROOT, 0 },
	{ "list", "bytes", "app.chunks[…]", "list", ROOT, 0 },
	{ "list", "bytes", "app.chunks[*]", "collections.deque", ROOT, 0 },
	{ NULL, "bytes", "app.current", "app.State", ROOT, 0 },
	{ NULL, "dictionary", "app.current", "mydict", ROOT, 0 },
};

static void test_python(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(python_cases); i++) {
		const struct python_case *c = &python_cases[i];
		const struct hint_facts f = {
			.type = c->type,
			.path = c->path,
			.container = c->container,
			.holding = c->holding,
			.ending = c->ending,
			/* Nothing native is said of objects. */
			.births = 1000,
			.survivors = 1000,
			.few_blocks = true,
		};

		expect(&f, c->pattern, i);
	}
}

/* --- native -------------------------------------------------------------------------------------- */

static const struct native_case {
	const char *pattern;
	struct {
		const char *function;
		const char *module;
		enum frame_kind kind;
	} frames[5]; /* innermost first */
} native_cases[] = {
	{ NULL, { { "leak", APP, 0 }, { "main", APP, 0 } } },
	{ NULL, { { NULL, NULL, 0 } } },
	{ NULL, { { NULL, LIBC, 0 }, { "main", APP, 0 } } },

	{ "handle", { { "__fopen_internal", LIBC, 0 }, { "load", APP, 0 } } },
	{ "handle", { { "fopen64", LIBC, 0 }, { "load", APP, 0 } } },
	{ NULL, { { "fopen64", APP, 0 }, { "load", APP, 0 } } },
	{ "handle", { { "__alloc_dir", LIBC, 0 }, { "__opendir", LIBC, 0 }, { "f", APP, 0 } } },
	{ "handle",
	  { { "sqlite3MemMalloc", "/usr/lib/libsqlite3.so.0", 0 },
	    { "sqlite3LockAndPrepare", "/usr/lib/libsqlite3.so.0", 0 },
	    { "query", APP, 0 } } },
	{ "handle",
	  { { "CRYPTO_zalloc", "/usr/lib/libcrypto.so.3", 0 },
	    { "SSL_new", "/usr/lib/libssl.so.3", 0 },
	    { "query", APP, 0 } } },
	/* A callback's memory is its own. */
	{ NULL,
	  { { "progress", APP, 0 },
	    { "sqlite3_prepare_v2", "/usr/lib/libsqlite3.so.0", 0 },
	    { "query", APP, 0 } } },
	{ NULL, { { "keep", APP, 0 }, { "__scandir_tail", LIBC, 0 }, { "query", APP, 0 } } },
	{ NULL, { { "init_plugin", "/srv/plugin.so", 0 }, { "_dl_open", LIBC, 0 } } },

	{ "result", { { "strdup", LIBC, 0 }, { "set_name", APP, 0 } } },
	{ "result", { { "__getdelim", LIBC, 0 }, { "read_lines", APP, 0 } } },
	{ "result",
	  { { "g_malloc", "/usr/lib/libglib-2.0.so.0", 0 },
	    { "g_strdup", "/usr/lib/libglib-2.0.so.0", 0 },
	    { "set_name", APP, 0 } } },
	{ NULL, { { "strdup", APP, 0 }, { "set_name", APP, 0 } } },
	{ NULL, { { "set_name", APP, 0 }, { "strdup_all", APP, 0 } } },

	{ "container",
	  { { "std::__new_allocator<int>::allocate(unsigned long, void const*)", APP, 0 },
	    { "void std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>(int)",
	      APP, 0 },
	    { "std::vector<int, std::allocator<int> >::push_back(int const&)", APP, 0 },
	    { "collect()", APP, 0 } } },
	{ "container",
	  { { "operator new(unsigned long)", "/usr/lib/libstdc++.so.6", 0 },
	    { "std::map<int, int>::emplace<int, int>(int&&, int&&)", APP, 0 },
	    { "collect()", APP, 0 } } },
	{ "container", { { "alloc::raw_vec::finish_grow", APP, 0 }, { "app::collect", APP, 0 } } },
	{ "container",
	  { { "hashbrown::raw::RawTable<T,A>::reserve_rehash", APP, 0 },
	    { "app::collect", APP, 0 } } },
	{ "container",
	  { { "g_hash_table_insert_internal", "/usr/lib/libglib-2.0.so.0", 0 },
	    { "collect", APP, 0 } } },
	{ NULL,
	  { { "operator new(unsigned long)", "/usr/lib/libstdc++.so.6", 0 },
	    { "app::emplace_order()", APP, 0 } } },
	{ NULL,
	  { { "operator new(unsigned long)", "/usr/lib/libstdc++.so.6", 0 },
	    { "app::Queue::push_back(int)", APP, 0 } } },

	{ "extension",
	  { { "read_rows", "/usr/lib/_rows.so", 0 },
	    { "_PyEval_EvalFrameDefault", PYTHON, 0 },
	    { "load", NULL, FRAME_PYTHON } } },
	{ "extension",
	  { { "strdup", LIBC, 0 },
	    { "read_rows", "/usr/lib/_rows.so", 0 },
	    { "load", NULL, FRAME_PYTHON } } },
	{ NULL,
	  { { "PyList_Append", PYTHON, 0 },
	    { "load", NULL, FRAME_PYTHON },
	    { "start", "/usr/lib/_starter.so", 0 } } },
	{ NULL, { { "load", NULL, FRAME_PYTHON } } },
};

static struct hint_facts native_facts(const struct native_case *c, struct frame *frames)
{
	size_t n = 0;

	for (; n < ARRAY_SIZE(c->frames) && (c->frames[n].function || c->frames[n].module); n++)
		frames[n] = (struct frame){ .kind = c->frames[n].kind,
					    .function = c->frames[n].function,
					    .module = c->frames[n].module };
	return (struct hint_facts){ .frames = frames, .n_frames = n };
}

static void test_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(native_cases); i++) {
		struct frame frames[ARRAY_SIZE(native_cases[0].frames)];
		struct hint_facts f = native_facts(&native_cases[i], frames);

		expect(&f, native_cases[i].pattern, i);
	}
}

static void test_counts(void **state)
{
	static const struct {
		const char *pattern;
		struct hint_facts f;
	} cases[] = {
		{ "error-path", { .births = 10000, .survivors = 300, .is_steady = true } },
		{ "error-path",
		  { .births = 10000, .survivors = 300, .is_steady = true, .freed_old = 7 } },
		{ NULL, { .births = 10000, .survivors = 300 } },
		{ NULL, { .births = 10000, .survivors = 0, .is_steady = true } },
		{ NULL, { .births = 10000, .survivors = 9200, .is_steady = true } },
		{ NULL, { .births = 19, .survivors = 3, .is_steady = true } },
		{ "cache", { .births = 10000, .survivors = 9990, .is_steady = true } },
		{ "cache", { .births = 10000, .survivors = 10000 } },
		{ NULL, { .births = 10000, .survivors = 9990, .freed_old = 1 } },
		{ NULL, { .births = 19, .survivors = 19 } },
		{ NULL, { .births = 0, .survivors = 1000 } },
		{ "container", { .few_blocks = true } },
		{ "container", { .births = 100, .survivors = 100, .few_blocks = true } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(&cases[i].f, cases[i].pattern, i);
}

/* Python's own code does not free(). */
static void test_counts_of_python_lines(void **state)
{
	struct frame frames[] = { { .function = "PyList_Append", .module = PYTHON },
				  { .kind = FRAME_PYTHON, .function = "load" } };
	struct hint_facts f = {
		.frames = frames, .n_frames = 2, .births = 1000, .survivors = 30, .is_steady = true
	};

	(void)state;
	expect(&f, NULL, 0);
	f.survivors = 1000;
	expect(&f, "cache", 1);
	f.survivors = 30;
	frames[1].kind = FRAME_NATIVE;
	frames[1].module = APP;
	expect(&f, "error-path", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_python),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_counts_of_python_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
