// SPDX-License-Identifier: GPL-2.0-or-later
/* What the symbolizer says of hooked functions: places, and who calls whom, in real allocators. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <gnu/libc-version.h>

#include "elf/placement.h"
#include "fixtures/symbolizer.h"

#define MUSL_PATH	"/lib/ld-musl-x86_64.so.1"
#define JEMALLOC_PATH	"/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
#define TCMALLOC_PATH	"/usr/lib/x86_64-linux-gnu/libtcmalloc.so.4"
#define TCMALLOC_2_PATH "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"
#define MIMALLOC_PATH	"/usr/lib/x86_64-linux-gnu/libmimalloc.so.2"

enum name {
	MALLOC,
	CALLOC,
	REALLOC,
	REALLOCARRAY,
	POSIX_MEMALIGN,
	ALIGNED_ALLOC,
	MEMALIGN,
	VALLOC,
	PVALLOC,
	FREE,
	N_NAMES,
};

static const char *const names[N_NAMES] = {
	"malloc",	 "calloc",   "realloc", "reallocarray", "posix_memalign",
	"aligned_alloc", "memalign", "valloc",	"pvalloc",	"free",
};

#define BIT(name) (1u << (name))

/* As the allocators of Debian 12 are. */
struct allocator {
	const char *path;
	unsigned int calls;    /* the names whose functions call others, as bits */
	unsigned int does_not; /* and those whose do not */
};

static const struct allocator allocators[] = {
	/* realloc(NULL, n) is malloc(n); all aligned ones are that for small alignments. */
	{ LIBC_PATH,
	  BIT(REALLOC) | BIT(REALLOCARRAY) | BIT(POSIX_MEMALIGN) | BIT(ALIGNED_ALLOC) |
		  BIT(MEMALIGN) | BIT(VALLOC) | BIT(PVALLOC),
	  BIT(MALLOC) | BIT(CALLOC) | BIT(FREE) },
	/* Calls by the PLT, so that a program's own malloc comes first. */
	{ MUSL_PATH,
	  BIT(CALLOC) | BIT(REALLOCARRAY) | BIT(POSIX_MEMALIGN) | BIT(MEMALIGN) | BIT(VALLOC),
	  BIT(MALLOC) | BIT(REALLOC) | BIT(ALIGNED_ALLOC) | BIT(FREE) },
	{ JEMALLOC_PATH, 0,
	  BIT(MALLOC) | BIT(CALLOC) | BIT(REALLOC) | BIT(POSIX_MEMALIGN) | BIT(ALIGNED_ALLOC) |
		  BIT(MEMALIGN) | BIT(VALLOC) | BIT(FREE) },
	{ TCMALLOC_PATH, BIT(POSIX_MEMALIGN) | BIT(VALLOC) | BIT(PVALLOC),
	  BIT(MALLOC) | BIT(CALLOC) | BIT(ALIGNED_ALLOC) | BIT(MEMALIGN) },
	{ TCMALLOC_2_PATH, BIT(POSIX_MEMALIGN) | BIT(VALLOC) | BIT(PVALLOC),
	  BIT(MALLOC) | BIT(CALLOC) | BIT(ALIGNED_ALLOC) | BIT(MEMALIGN) | BIT(FREE) },
	/* mi_free and mi_realloc are free and realloc. */
	{ MIMALLOC_PATH, BIT(REALLOC) | BIT(REALLOCARRAY),
	  BIT(MALLOC) | BIT(CALLOC) | BIT(ALIGNED_ALLOC) | BIT(FREE) },
};

/* Which names were found, and which of them call others, as bits. */
static void ask(struct bench *b, const char *path, unsigned int *ret_found, unsigned int *ret_calls)
{
	*ret_found = *ret_calls = 0;
	assert_int_equal(bench_hooks(b, bench_add(b, path, -EBADF), names, ARRAY_SIZE(names)), 0);
	for (size_t i = 0; i < b->n_points; i++) {
		const struct hook_point *p = &b->points[i];

		*ret_found |= BIT(p->name);
		if (p->flags & HOOK_CALLS_HOOKS)
			*ret_calls |= BIT(p->name);
		assert_int_equal(!!(p->flags & HOOK_EMULATED),
				 placement_is_emulated(p->instruction, sizeof(p->instruction)));
		assert_true(p->words[0] >= 'a' && p->words[0] <= 'z');
	}
}

static void test_allocators(void **state)
{
	struct bench b;

	(void)state;
	if (strcmp(gnu_get_libc_version(), "2.36") != 0) {
		print_message("# skip: not Debian 12, whose allocators are known\n");
		skip();
	}
	bench_open(&b, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(allocators); i++) {
		const struct allocator *a = &allocators[i];
		unsigned int found, calls;

		if (access(a->path, R_OK) < 0) {
			print_message("  no %s here\n", a->path);
			continue;
		}
		print_message("  %s\n", a->path);
		ask(&b, a->path, &found, &calls);
		assert_int_equal(found & (a->calls | a->does_not), a->calls | a->does_not);
		assert_int_equal(calls & a->calls, a->calls);
		assert_int_equal(calls & a->does_not, 0);
	}
	assert_int_equal(bench_stats(&b).killed, 0);
	assert_true(bench_close(&b));
}

/* The words are those of the place, and say what the disassembler of binutils does. */
static void test_words(void **state)
{
	struct bench b;
	bool is_known = strcmp(gnu_get_libc_version(), "2.36") == 0;
	unsigned int found, calls, checked = 0;

	(void)state;
	if (access(LIBC_PATH, R_OK) < 0)
		skip();
	bench_open(&b, NULL);
	ask(&b, LIBC_PATH, &found, &calls);
	for (size_t i = 0; i < b.n_points; i++) {
		const struct hook_point *p = &b.points[i];

		if (p->name == FREE) {
			assert_true(!is_known || p->probe_offset == p->symbol_offset + 9);
			assert_true(!is_known || strcmp(p->words, "pushq %rbp") == 0);
			checked++;
		} else if (p->name == REALLOCARRAY) {
			assert_true(!is_known || !(p->flags & HOOK_EMULATED));
			assert_true(!is_known || strcmp(p->words, "movq %rsi, %rax") == 0);
			checked++;
		}
	}
	assert_int_equal(checked, 2);
	assert_true(bench_close(&b));
}

/*
 * One allocator built in many ways. realloc calls malloc in a function of its own, memalign jumps to
 * aligned_alloc; what free calls ends in abort.
 */
static const char source[] =
	"typedef unsigned long size_t;\n"
	"volatile int sink;\n"
	"__attribute__((noinline)) void *malloc(size_t n);\n"
	"__attribute__((noinline)) void *aligned_alloc(size_t a, size_t n);\n"
	"__attribute__((noreturn)) void stop(void);\n"
	"__attribute__((visibility(\"hidden\"), noinline, noreturn)) void fail(void)\n"
	"{ sink = *(int *)malloc(23); stop(); }\n"
	"static __attribute__((noinline)) void *move(void *p, size_t n)\n"
	"{ void *q = malloc(n); sink = *(int *)p; return q; }\n"
	"void *malloc(size_t n) { sink = (int)n; return (void *)&sink; }\n"
	"void free(void *p) { if (p && sink == 7) fail(); sink = 1; }\n"
	"void *calloc(size_t m, size_t n) { char *p = malloc(m * n); if (p) *p = 0; return p; }\n"
	"void *realloc(void *p, size_t n) { p = move(p, n); sink = 2; return p; }\n"
	"void *aligned_alloc(size_t a, size_t n) { sink = (int)(a + n); return (void *)&sink; }\n"
	"void *memalign(size_t a, size_t n) { return aligned_alloc(a, n); }\n"
	"void *valloc(size_t n) { void *(*volatile f)(size_t) = malloc; return f(n); }\n"
	"void stop(void) { for (;;) sink = 3; }\n"
	"int main(void) { return 0; }\n"
	"void _start(void) { stop(); }\n";

static void check_build(struct bench *b, const char *path, unsigned int expected)
{
	const unsigned int all = BIT(MALLOC) | BIT(CALLOC) | BIT(REALLOC) | BIT(ALIGNED_ALLOC) |
				 BIT(MEMALIGN) | BIT(VALLOC) | BIT(FREE);
	unsigned int found, calls;

	ask(b, path, &found, &calls);
	assert_int_equal(found, all);
	assert_int_equal(calls, expected);
}

static void test_builds(void **state)
{
	static const char *const builds[] = {
		"-O2 -shared -fPIC",
		"-O1 -shared -fPIC -fcf-protection -Wl,-z,now",
		"-O0 -shared -fPIC",
		"-O2 -shared -fPIC -fno-plt",
		"-Os -shared -fPIC -Wl,-Bsymbolic",
		"-O2 -pie -fPIE",
		"-O2 -static -no-pie -fno-pie",
		"-O2 -static-pie -fPIE",
	};
	static const char *const compilers[] = { "gcc", "clang" };
	static const char without[] =
		"gcc -O2 -shared -fPIC -fno-builtin -nostdlib -fno-asynchronous-unwind-tables";
	const unsigned int expected = BIT(CALLOC) | BIT(REALLOC) | BIT(MEMALIGN);
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "allocator");
	unsigned int built = 0;
	struct bench b;

	(void)state;
	bench_open(&b, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(builds) * ARRAY_SIZE(compilers); i++) {
		_cleanup_free_ char *command = NULL;

		assert_true(asprintf(&command, "%s %s -fno-builtin -nostdlib",
				     compilers[i % ARRAY_SIZE(compilers)],
				     builds[i / ARRAY_SIZE(compilers)]) > 0);
		(void)unlink(path);
		if (!fixture_compile(dir, "allocator", "c", source, command)) {
			print_message("  cannot %s\n", command);
			continue;
		}
		print_message("  %s\n", command);
		built++;
		check_build(&b, path, expected);
	}
	/* Nothing tells that free's last part ends where the next function starts. */
	(void)unlink(path);
	if (fixture_compile(dir, "allocator", "c", source, without))
		check_build(&b, path, expected | BIT(FREE));
	assert_true(bench_close(&b));
	fixture_remove(dir);
	if (built == 0)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allocators),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_builds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
