// SPDX-License-Identifier: GPL-2.0-or-later
/* Which code counts as code that keeps frame pointers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "elf/frame_pointers.h"
#include "fixtures/elf.h"

#define FUNCTIONS 7

static bool keeps_frame_pointers(const char *path)
{
	struct image *image = NULL;
	bool found;

	assert_int_equal(image_open(open(path, O_RDONLY | O_CLOEXEC), &image), 0);
	found = frame_pointers_by_prologue(image);
	image_free(image);
	return found;
}

/* A library of functions that begin with @code, @n of them, and then call one of the others. */
static bool assemble(const char *dir, const char *code, const char *suffix, unsigned int n)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fprintf(f, "	.text\nnobody: ret\n	nop\n");
	for (unsigned int i = 0; i < n; i++)
		fprintf(f,
			"	.globl f%u%s\n	.type f%u%s, @function\nf%u%s:\n%s\n"
			"	call nobody\n	.skip 17, 0x90\n1:	ret\n"
			"	.size f%u%s, . - f%u%s\n",
			i, suffix, i, suffix, i, suffix, code, i, suffix, i, suffix);
	assert_int_equal(fclose(f), 0);
	return fixture_compile(dir, "library", "s", text, "gcc -shared -nostdlib");
}

static void test_prologues(void **state)
{
	static const struct {
		const char *code;
		bool expected;
	} cases[] = {
		{ "push %rbp; mov %rsp, %rbp", true },
		{ "endbr64; push %rbp; mov %rsp, %rbp", true },
		{ "push %rbp; .byte 0x48, 0x8b, 0xec", true },
		{ "push %rbp; lea 7(%rdi), %rdi; mov %rsp, %rbp; push %rbx", true },
		{ "push %rbp; .rept 7; inc %eax; .endr; mov %rsp, %rbp", true },
		{ "test %rdi, %rdi; je 1f; push %rbp; mov %rsp, %rbp", true },
		{ "test %rdi, %rdi; je 2f; ret; 2: push %rbp; mov %rsp, %rbp", true },
		{ "mov %rdi, %r10; push %rbp; mov %rsp, %rbp", true },
		{ "lea 8(%rsp), %r10; and $-32, %rsp; push -8(%r10); push %rbp; mov %rsp, %rbp",
		  true },
		{ "lea 8(%rsp), %r10; and $-32, %rsp; inc %eax; push -8(%r10); push %rbp; inc %eax;"
		  "mov %rsp, %rbp; push %r10",
		  true },
		{ "nop", false },
		{ "push %rbp", false },
		{ "sub $8, %rsp", false },
		{ "push %rbp; mov %rdi, %rbp", false },
		{ "push %rbp; xor %ebp, %ebp; mov %rsp, %rbp", false },
		{ "push %rbp; push %rbx; mov %rsp, %rbp", false },
		{ "push %rbp; sub $16, %rsp; mov %rsp, %rbp", false },
		{ "push %rbp; je 1f; mov %rsp, %rbp", false },
		{ "push %rbp; .rept 23; inc %eax; .endr; mov %rsp, %rbp", false },
		{ "push %rbx; push %rbp; mov %rsp, %rbp", false },
		{ "push %rbp; mov %esp, %ebp", false },
		{ "push %rbp; call nobody; mov %rsp, %rbp", false },
		{ "lea 8(%rsp), %r10; and $-32, %rsp; push %rbp; mov %rsp, %rbp", false },
		{ "lea 8(%rsp), %r10; and $-32, %rsp; push -16(%r10); push %rbp; mov %rsp, %rbp",
		  false },
		{ "lea 8(%rsp), %r10; and $-32, %rsp; inc %r10; push -8(%r10); push %rbp;"
		  "mov %rsp, %rbp",
		  false },
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "library");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!assemble(dir, cases[i].code, "", FUNCTIONS)) {
			fixture_remove(dir);
			skip();
		}
		if (keeps_frame_pointers(path) != cases[i].expected)
			fail_msg("%s", cases[i].code);
	}
	fixture_remove(dir);
}

/* Too few, and parts of functions, which are none. */
static void test_sample(void **state)
{
	static const struct {
		const char *suffix;
		unsigned int n;
		bool expected;
	} cases[] = {
		{ "", 4, false },
		{ "", 5, true },
		{ "", 1009, true },
		{ ".cold", 23, false },
		{ ".cold.3", 23, false },
		{ ".part.0", 23, false },
		{ ".constprop.0", 23, true },
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "library");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!assemble(dir, "push %rbp; mov %rsp, %rbp", cases[i].suffix, cases[i].n)) {
			fixture_remove(dir);
			skip();
		}
		if (keeps_frame_pointers(path) != cases[i].expected)
			fail_msg("%u functions f%s", cases[i].n, cases[i].suffix);
	}
	fixture_remove(dir);
}

static void test_compilers(void **state)
{
	static const struct {
		const char *compiler;
		bool expected;
	} cases[] = {
		{ "gcc -O0 -fno-omit-frame-pointer", true },
		{ "gcc -O2 -fno-omit-frame-pointer", true },
		{ "gcc -O3 -fno-omit-frame-pointer -fcf-protection", true },
		{ "gcc -Os -fno-omit-frame-pointer", true },
		{ "clang -O2 -fno-omit-frame-pointer", true },
		{ "gcc -O2 -fomit-frame-pointer", false },
		{ "gcc -O3 -fomit-frame-pointer", false },
		{ "gcc -Os -fomit-frame-pointer", false },
		{ "clang -O2 -fomit-frame-pointer", false },
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!fixture_compile(dir, "program", "c", fixture_source, cases[i].compiler)) {
			print_message("  no %s here\n", cases[i].compiler);
			continue;
		}
		if (keeps_frame_pointers(path) != cases[i].expected)
			fail_msg("%s", cases[i].compiler);
	}
	fixture_remove(dir);
}

/* Libraries as distributions build them use rbp for whatever they like. */
static void test_libraries(void **state)
{
	static const char *const paths[] = {
		LIBC_PATH,
		"/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/lib/x86_64-linux-gnu/libdw.so.1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (access(paths[i], R_OK) == 0)
			assert_false(keeps_frame_pointers(paths[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prologues),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_compilers),
		cmocka_unit_test(test_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
