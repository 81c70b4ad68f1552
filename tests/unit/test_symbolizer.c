// SPDX-License-Identifier: GPL-2.0-or-later
/* The symbolizer with a real child: names, lines, hooks, tables, debug files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixtures/symbolizer.h"

static bool ends_with(const char *text, const char *end)
{
	size_t n = text ? strlen(text) : 0;

	return n >= strlen(end) && strcmp(text + n - strlen(end), end) == 0;
}

/* Absolute addresses need no file. */
static void test_no_file(void **state)
{
	struct bench b;
	const struct frame_list *list;

	(void)state;
	bench_open(&b, NULL);
	list = symbolizer_lookup(b.symbolizer, 0x7fff12345678);
	assert_int_equal(list->n, 1);
	assert_null(list->frames[0].function);
	assert_null(list->frames[0].module);
	assert_null(list->frames[0].build_id);
	assert_int_equal(list->frames[0].offset, 0x7fff12345678);
	assert_true(list->frames[0].approximate);
	assert_ptr_equal(symbolizer_lookup(b.symbolizer, 0x7fff12345678), list);
	assert_null(symbolizer_lookup(b.symbolizer, bench_frame(1, 23, false)));
	assert_null(symbolizer_build_id(b.symbolizer, 1));

	/* A slot without a file: answered, nameless, and no child for it. */
	list = bench_resolve(&b, bench_frame(4000, 23, false));
	assert_null(list->frames[0].module);
	assert_int_equal(symbolizer_find_hooks(b.symbolizer, 4000, NULL, 0, bench_on_hooks, &b),
			 -ENOENT);
	assert_int_equal(symbolizer_compile_unwind(b.symbolizer, 4000, bench_on_unwind, &b),
			 -ENOENT);
	/* Nothing to do is done too, but later. */
	assert_int_equal(symbolizer_resolve(b.symbolizer, NULL, 0, bench_on_done, &b), 0);
	assert_int_equal(b.calls, 1);
	assert_int_equal(symbolizer_drain(b.symbolizer, DEADLINE_NS), 0);
	assert_int_equal(b.calls, 2);
	assert_int_equal(bench_stats(&b).children, 0);
	assert_true(bench_close(&b));
}

static void test_self(void **state)
{
	struct bench b;
	const struct frame_list *list;
	uint64_t size, offset = fixture_function("/proc/self/exe", "test_self", &size);
	uint16_t slot;

	(void)state;
	bench_open(&b, NULL);
	slot = bench_add(&b, "/proc/self/exe", -EBADF);
	list = bench_resolve(&b, bench_frame(slot, offset, true));
	assert_string_equal(list->frames[0].function, "test_self");
	assert_true(ends_with(list->frames[0].file, "/tests/unit/test_symbolizer.c"));
	assert_true(list->frames[0].file[0] == '/');
	assert_true(list->frames[0].line > 0);
	assert_false(list->frames[0].approximate);
	assert_string_equal(list->frames[0].module, "/proc/self/exe");
	assert_int_equal(list->frames[0].offset, offset);
	/* The address behind the last instruction is a return address of this function. */
	list = bench_resolve(&b, bench_frame(slot, offset + size, false));
	assert_string_equal(list->frames[list->n - 1].function, "test_self");
	assert_int_equal(list->frames[0].offset, offset + size);
	/* Names stay where they were, and are not asked for twice. */
	assert_ptr_equal(bench_resolve(&b, bench_frame(slot, offset + size, false)), list);
	assert_int_equal(bench_stats(&b).children, 1);
	/* The stripped sanitizer's build has no id; any other has. */
	if (list->frames[0].build_id)
		assert_string_equal(symbolizer_build_id(b.symbolizer, slot),
				    list->frames[0].build_id);
	assert_true(bench_close(&b));
}

static void test_libc(void **state)
{
	static const char *const names[] = { "malloc",		 "free",	   "cfree",
					     "no_such_function", "posix_memalign", "strlen" };
	struct bench b;
	uint16_t slot;
	unsigned int seen = 0;

	(void)state;
	if (access(LIBC_PATH, R_OK) < 0)
		skip();
	bench_open(&b, NULL);
	slot = bench_add(&b, LIBC_PATH, -EBADF);
	assert_int_equal(bench_hooks(&b, slot, names, ARRAY_SIZE(names)), 0);
	for (size_t i = 0; i < b.n_points; i++) {
		const struct hook_point *p = &b.points[i];

		/* strlen is an IFUNC: its symbol is the address of a resolver. */
		assert_true(p->name != 3 && p->name != 5);
		seen |= 1u << p->name;
		assert_int_equal(p->symbol_offset,
				 fixture_function(LIBC_PATH, names[p->name], NULL));
		assert_true(p->probe_offset - p->symbol_offset <= 32);
	}
	assert_true((seen & 0x13) == 0x13);
	assert_int_equal(bench_unwind(&b, slot), 0);
	assert_true(b.n_rows > 997);
	assert_string_equal(bench_resolve(&b, bench_frame(slot, b.points[0].symbol_offset, true))
				    ->frames[0]
				    .function,
			    names[b.points[0].name]);
	assert_non_null(symbolizer_build_id(b.symbolizer, slot));
	assert_int_equal(bench_stats(&b).failed, 0);
	assert_int_equal(bench_stats(&b).killed, 0);
	assert_true(bench_close(&b));
}

/* What every frame of the fixture's "middle" must be, wherever its debug information is. */
static void check_middle(struct bench *b, uint16_t slot, uint64_t offset, uint64_t size)
{
	unsigned int inlined = 0;

	for (uint64_t at = offset; at < offset + size; at++) {
		const struct frame_list *list = bench_resolve(b, bench_frame(slot, at, true));
		const struct frame *last = &list->frames[list->n - 1];

		assert_string_equal(last->function, "middle");
		assert_int_equal(last->kind, FRAME_NATIVE);
		assert_false(last->approximate);
		assert_true(ends_with(last->file, "/program.c"));
		assert_true(last->line >= 7 && last->line <= 11);
		if (list->n == 1)
			continue;
		inlined++;
		assert_int_equal(list->n, 2);
		assert_string_equal(list->frames[0].function, "inner");
		assert_int_equal(list->frames[0].kind, FRAME_INLINED);
		assert_true(list->frames[0].line == 4 || list->frames[0].line == 5);
		assert_int_equal(last->line, 9);
	}
	assert_true(inlined > 0);
}

static void test_inlined(void **state)
{
	static const char *const compilers[] = { "gcc -O2 -g", "gcc -O2 -gdwarf-4 -gz=zlib",
						 "clang -O2 -g", "clang -O2 -gdwarf-4" };
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(compilers); i++) {
		struct bench b;
		uint64_t size, offset;
		uint16_t slot;

		if (!fixture_compile(dir, "program", "c", fixture_source, compilers[i])) {
			print_message("  no %s here\n", compilers[i]);
			continue;
		}
		bench_open(&b, NULL);
		offset = fixture_function(path, "middle", &size);
		slot = bench_add(&b, path, -EBADF);
		check_middle(&b, slot, offset, size);
		assert_true(bench_close(&b));
	}
	fixture_remove(dir);
}

/* A static function of a stripped program, by way of each place of its debug file. */
static void test_debug_files(void **state)
{
	static const char *const places[] = {
		"mv program.debug keep",
		"mkdir -p .debug && mv program.debug .debug/keep",
		"mkdir -p root/usr/lib/debug/$PWD && mv program.debug root/usr/lib/debug/$PWD/keep",
		("d=root/usr/lib/debug/.build-id/$(cut -c1-2 id) && mkdir -p $d && "
		 "mv program.debug $d/$(cut -c3- id).debug"),
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	_cleanup_free_ char *root = fixture_path(dir, "root");

	(void)state;
	for (size_t i = 0; i <= ARRAY_SIZE(places); i++) {
		uint64_t size, offset;
		uint16_t slot;
		struct bench b;
		int root_fd = -EBADF;

		if (!fixture_run("rm -rf '%s'/* '%s'/.debug", dir, dir) ||
		    !fixture_compile(dir, "program", "c", fixture_source,
				     "gcc -O2 -g -Wl,--build-id")) {
			fixture_remove(dir);
			skip();
		}
		offset = fixture_function(path, "middle", &size);
		assert_true(fixture_run(
			"cd '%s' && objcopy --only-keep-debug program program.debug && "
			"mv program.debug keep && strip program && "
			"objcopy --add-gnu-debuglink=keep program && mv keep program.debug && "
			"readelf -n program | sed -n 's/.*Build ID: //p' > id && mkdir root",
			dir));
		if (i < ARRAY_SIZE(places))
			assert_true(fixture_run("cd '%s' && %s", dir, places[i]));
		bench_open(&b, NULL);
		if (i >= 2)
			root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		/* Beside the file means beside it in the target's own root. */
		slot = bench_add(&b, path, root_fd);
		if (i < ARRAY_SIZE(places)) {
			check_middle(&b, slot, offset, size);
		} else {
			const struct frame_list *list =
				bench_resolve(&b, bench_frame(slot, offset, true));

			/* Not found: nothing covers the address. */
			assert_true(list->frames[0].approximate);
			assert_null(list->frames[0].file);
		}
		assert_int_equal(bench_stats(&b).killed, 0);
		assert_true(bench_close(&b));
	}
	fixture_remove(dir);
}

/* A debug file of another build is refused. */
static void test_wrong_debug_file(void **state)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	const struct frame_list *list;
	uint64_t offset;
	struct bench b;

	(void)state;
	if (!fixture_compile(dir, "program", "c", fixture_source, "gcc -O1 -g") ||
	    !fixture_run("cd '%s' && objcopy --only-keep-debug program keep", dir) ||
	    !fixture_compile(dir, "program", "c", fixture_source, "gcc -O2 -g")) {
		fixture_remove(dir);
		skip();
	}
	offset = fixture_function(path, "middle", NULL);
	assert_true(fixture_run("cd '%s' && mv keep other && objcopy --only-keep-debug program "
				"keep && strip program && objcopy --add-gnu-debuglink=keep program "
				"&& mv other keep",
				dir));
	bench_open(&b, NULL);
	list = bench_resolve(&b, bench_frame(bench_add(&b, path, -EBADF), offset, true));
	assert_true(list->frames[0].approximate);
	assert_null(list->frames[0].file);
	assert_true(bench_close(&b));
	fixture_remove(dir);
}

/* Shared parts that dwz moved to a third file: inlined functions' names are there. */
static void test_alt_file(void **state)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	uint64_t size, offset;
	struct bench b;

	(void)state;
	if (!fixture_compile(dir, "program", "c", fixture_source, "gcc -O2 -g") ||
	    !fixture_run("cd '%s' && cp program twin && for f in program twin; do "
			 "objcopy --only-keep-debug $f $f.debug; done && "
			 "dwz -m shared.debug -M '%s/shared.debug' program.debug twin.debug "
			 "2>/dev/null && readelf -S program.debug | grep -q gnu_debugaltlink",
			 dir, dir)) {
		fixture_remove(dir);
		skip();
	}
	offset = fixture_function(path, "middle", &size);
	assert_true(fixture_run("cd '%s' && strip program && "
				"objcopy --add-gnu-debuglink=program.debug program",
				dir));
	bench_open(&b, NULL);
	check_middle(&b, bench_add(&b, path, -EBADF), offset, size);
	assert_true(bench_close(&b));
	fixture_remove(dir);
}

/* A compressed symbol table in the stripped file itself. */
static void test_mini_debug(void **state)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	const struct frame_list *list;
	uint64_t offset;
	struct bench b;

	(void)state;
	if (!fixture_compile(dir, "program", "c", fixture_source, "gcc -O2 -g") ||
	    !fixture_run("cd '%s' && objcopy -g program mini && xz -k mini", dir)) {
		fixture_remove(dir);
		skip();
	}
	offset = fixture_function(path, "middle", NULL);
	assert_true(fixture_run("cd '%s' && strip program && "
				"objcopy --add-section .gnu_debugdata=mini.xz program",
				dir));
	bench_open(&b, NULL);
	list = bench_resolve(&b, bench_frame(bench_add(&b, path, -EBADF), offset, true));
	assert_string_equal(list->frames[0].function, "middle");
	assert_false(list->frames[0].approximate);
	assert_null(list->frames[0].file);
	assert_true(bench_close(&b));
	fixture_remove(dir);
}

static void test_cplusplus(void **state)
{
	static const char source[] = "namespace leak { struct Session {\n"
				     "__attribute__((noinline, used)) int open(const char *s)\n"
				     "{ return s[0]; } }; }\n"
				     "int main() { leak::Session s; return s.open(\"x\"); }\n";
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	const struct frame_list *list;
	uint64_t offset;
	struct bench b;

	(void)state;
	if (!fixture_compile(dir, "program", "cc", source, "g++ -O1 -g")) {
		fixture_remove(dir);
		skip();
	}
	offset = fixture_function(path, "_ZN4leak7Session4openEPKc", NULL);
	bench_open(&b, NULL);
	list = bench_resolve(&b, bench_frame(bench_add(&b, path, -EBADF), offset, true));
	assert_string_equal(list->frames[0].function, "leak::Session::open(char const*)");
	assert_true(list->frames[0].line == 2 || list->frames[0].line == 3);
	assert_true(bench_close(&b));
	fixture_remove(dir);
}

/* What has no linkage name is told apart by its scopes. */
static void test_scopes(void **state)
{
	static const char source[] =
		"volatile int sink;\n"
		"namespace leak { namespace { struct Session {\n"
		"__attribute__((always_inline)) int open(int x) { sink = x; return sink; } }; }\n"
		"__attribute__((noinline, used)) int outer(int x)\n"
		"{ auto g = [](int y) { return y; }; auto f = [x](int y) "
		"__attribute__((always_inline)) { sink = x + y; return sink; "
		"};\n"
		"Session s; return g(f(s.open(x))); } }\n"
		"int main() { return leak::outer(23); }\n";
	/* clang does write linkage names. */
	static const struct {
		const char *compiler, *open, *lambda;
	} cases[] = {
		{ "g++ -O2 -g", "leak::(anonymous namespace)::Session::open",
		  "leak::outer(int)::{lambda#2}::operator()" },
		{ "clang++ -O2 -g", "leak::(anonymous namespace)::Session::open(int)", NULL },
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int opens = 0, lambdas = 0;
		uint64_t offset, size;
		struct bench b;
		uint16_t slot;

		if (!fixture_compile(dir, "program", "cc", source, cases[i].compiler)) {
			print_message("  no %s here\n", cases[i].compiler);
			continue;
		}
		offset = fixture_function(path, "_ZN4leak5outerEi", &size);
		bench_open(&b, NULL);
		slot = bench_add(&b, path, -EBADF);
		for (uint64_t at = offset; at < offset + size; at++) {
			const struct frame_list *list =
				bench_resolve(&b, bench_frame(slot, at, true));
			const char *name = list->frames[0].function;

			assert_string_equal(list->frames[list->n - 1].function, "leak::outer(int)");
			if (list->n == 1)
				continue;
			assert_int_equal(list->n, 2);
			if (strstr(name, "operator()")) {
				lambdas++;
				if (cases[i].lambda)
					assert_string_equal(name, cases[i].lambda);
			} else {
				opens++;
				assert_string_equal(name, cases[i].open);
			}
		}
		assert_true(lambdas > 0);
		assert_true(opens > 0);
		assert_true(bench_close(&b));
	}
	fixture_remove(dir);
}

/* Of a full table only what other files could call: not a local function that has the name. */
static void test_hooks_of_program(void **state)
{
	static const char *const names[] = { "malloc", "hidden_by_chance", "outer", "sink" };
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	struct bench b;

	(void)state;
	if (!fixture_compile(dir, "program", "c", fixture_source, "gcc -O2 -g")) {
		fixture_remove(dir);
		skip();
	}
	bench_open(&b, NULL);
	assert_int_equal(bench_hooks(&b, bench_add(&b, path, -EBADF), names, ARRAY_SIZE(names)), 0);
	assert_int_equal(b.n_points, 2);
	for (size_t i = 0; i < b.n_points; i++) {
		const char *name = names[b.points[i].name];

		assert_true(strcmp(name, "malloc") == 0 || strcmp(name, "outer") == 0);
		assert_int_equal(b.points[i].symbol_offset, fixture_function(path, name, NULL));
	}
	assert_true(bench_close(&b));
	fixture_remove(dir);
}

/*
 * A program without libraries: what the linker made local counts if nothing else has the name, and
 * if it can be nothing else.
 */
static void test_hooks_of_static_program(void **state)
{
	static const char *const names[] = { "malloc", "free",	  "calloc",
					     "cfree",  "realloc", "valloc" };
	/* __libc_NAME says which of two it is; cfree may be anything, realloc any of two. */
	static const char source[] =
		"	.macro function name\n	.type \\name, @function\n\\name: ret\n"
		"	.size \\name, . - \\name\n	.endm\n"
		"	.text\n	.globl _start\n	.globl free\n"
		"	function _start\n	function free\n	function cfree\n"
		"	.type calloc, @function\ncalloc:\n	function __libc_calloc\n"
		"	.type valloc, @function\nvalloc:\n	function __libc_valloc\n";
	static const char other[] = "	.text\n	.type calloc, @function\ncalloc: ret\n"
				    "	.type malloc, @function\nmalloc: ret\n"
				    "	.type free, @function\nfree: ret\n"
				    "	.type realloc, @function\nrealloc: ret\n";
	static const char third[] = "	.text\n	.type realloc, @function\nrealloc: ret\n";
	static const struct {
		const char *link;
		unsigned int expected; /* names, as bits */
	} cases[] = {
		{ "gcc -nostdlib -static", 0x27 },
		{ "gcc -nostdlib -static-pie", 0x27 },
		{ "gcc -nostdlib -pie -Wl,-dynamic-linker,/lib/ld.so", 0x02 },
		{ "gcc -nostdlib -shared", 0x02 },
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench b;
		unsigned int seen = 0;

		if (!fixture_compile(dir, "other", "s", other, "gcc -c") ||
		    !fixture_compile(dir, "third", "s", third, "gcc -c") ||
		    !fixture_compile(dir, "first", "s", source, "gcc -c") ||
		    !fixture_run("cd '%s' && %s -o program other third first", dir,
				 cases[i].link)) {
			fixture_remove(dir);
			skip();
		}
		bench_open(&b, NULL);
		assert_int_equal(
			bench_hooks(&b, bench_add(&b, path, -EBADF), names, ARRAY_SIZE(names)), 0);
		for (size_t j = 0; j < b.n_points; j++) {
			assert_false(seen & 1u << b.points[j].name);
			seen |= 1u << b.points[j].name;
			if (b.points[j].name == 2)
				assert_int_equal(b.points[j].symbol_offset,
						 fixture_function(path, "__libc_calloc", NULL));
		}
		assert_int_equal(seen, cases[i].expected);
		assert_true(bench_close(&b));
	}
	fixture_remove(dir);
}

/* More files than the child keeps open, in turns. */
static void test_many_files(void **state)
{
	struct bench b;
	uint64_t frames[2 * 23],
		offset = fixture_function("/proc/self/exe", "test_many_files", NULL);

	(void)state;
	bench_open(&b, NULL);
	for (size_t i = 0; i < 23; i++) {
		uint16_t slot = bench_add(&b, "/proc/self/exe", -EBADF);

		frames[2 * i] = bench_frame(slot, offset, true);
		frames[2 * i + 1] = bench_frame(slot, offset + 1, true);
	}
	for (int part = 0; part < 2; part++) {
		for (size_t i = 0; i < 23; i++) {
			const struct frame_list *list = bench_resolve(&b, frames[2 * i + part]);

			assert_string_equal(list->frames[list->n - 1].function, "test_many_files");
		}
	}
	assert_int_equal(bench_stats(&b).failed, 0);
	assert_int_equal(bench_stats(&b).children, 1);
	assert_true(bench_close(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_libc),
		cmocka_unit_test(test_inlined),
		cmocka_unit_test(test_debug_files),
		cmocka_unit_test(test_wrong_debug_file),
		cmocka_unit_test(test_alt_file),
		cmocka_unit_test(test_mini_debug),
		cmocka_unit_test(test_cplusplus),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_hooks_of_program),
		cmocka_unit_test(test_hooks_of_static_program),
		cmocka_unit_test(test_many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
