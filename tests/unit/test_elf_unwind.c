// SPDX-License-Identifier: GPL-2.0-or-later
/* Unwind tables against libdw's own answers, and against each other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <elfutils/libdw.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "elf/cfi.h"
#include "elf/unwind_compile.h"
#include "elf/unwind_table.h"
#include "fixtures/elf.h"

static int compile_file(const char *path, struct unwind_table **ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = unwind_table_compile(fd, ret);

	close(fd);
	return r;
}

static void check_table(const struct unwind_table *t)
{
	assert_true(t->n_rows > 0);
	assert_int_equal(t->start % 512, 0);
	for (uint32_t i = 0; i < t->n_rows; i++) {
		const struct unwind_row *row = &t->rows[i];

		assert_true(i == 0 || t->rows[i - 1].pc < row->pc);
		assert_true(UNWIND_RULE(row) <= RULE_NO_CFI);
		assert_ptr_equal(unwind_table_lookup(t, row->pc), row);
		if (i + 1 < t->n_rows)
			assert_ptr_equal(unwind_table_lookup(t, t->rows[i + 1].pc - 1), row);
	}
	for (uint32_t b = 0; b < t->n_buckets; b++) {
		uint32_t pc = t->start + 512 * b;

		assert_true(t->buckets[b] <= t->buckets[b + 1]);
		assert_true(t->buckets[b] == 0 || t->rows[t->buckets[b] - 1].pc < pc);
		assert_true(t->rows[t->buckets[b]].pc >= pc);
	}
	assert_int_equal(t->buckets[t->n_buckets], t->n_rows);
	assert_null(unwind_table_lookup(t, t->start + 512 * t->n_buckets));
	/* A table ends where nothing is known any more. */
	assert_int_equal(t->rows[t->n_rows - 1].rule, RULE_NO_CFI);
}

static bool has_function_before(Dwarf_CFI *cfi, uint64_t vaddr)
{
	for (uint64_t back = 1; back <= 15; back++) {
		_cleanup_free_ Dwarf_Frame *frame = NULL;

		if (dwarf_cfi_addrframe(cfi, vaddr - back, &frame) == 0)
			return true;
	}
	return false;
}

/* The row for an address is what libdw says when it is asked directly. */
static void compare_with_libdw(const char *path, const struct unwind_table *t, unsigned int samples)
{
	struct image *image = NULL;
	unsigned int known = 0;
	Dwarf_CFI *cfi;
	uint64_t seed = 11;

	assert_int_equal(image_open(open(path, O_RDONLY | O_CLOEXEC), &image), 0);
	cfi = dwarf_getcfi_elf(image->elf);
	assert_non_null(cfi);
	for (unsigned int i = 0; i < samples; i++) {
		uint32_t span = 512 * t->n_buckets;
		uint32_t pc = t->start + fixture_random(&seed) % span;
		const struct unwind_row *row = unwind_table_lookup(t, pc);
		_cleanup_free_ Dwarf_Frame *frame = NULL;
		struct unwind_row direct;
		uint64_t vaddr;

		if (!image_offset_to_vaddr(image, pc, &vaddr))
			continue;
		if (dwarf_cfi_addrframe(cfi, vaddr, &frame) != 0) {
			/* Between functions: the last one's row goes on through the padding. */
			assert_true(!row || row->rule == RULE_NO_CFI ||
				    has_function_before(cfi, vaddr));
			continue;
		}
		known++;
		cfi_row(frame, &direct);
		assert_non_null(row);
		assert_int_equal(row->rule, direct.rule);
		assert_int_equal(row->cfa_off8, direct.cfa_off8);
		assert_int_equal(row->rbp_off8, direct.rbp_off8);
	}
	assert_true(known > samples / 2);
	dwarf_cfi_end(cfi);
	image_free(image);
}

static void test_real_files(void **state)
{
	static const char *const paths[] = { "/proc/self/exe", LIBC_PATH,
					     "/lib/x86_64-linux-gnu/libstdc++.so.6" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct unwind_table *t = NULL;

		if (access(paths[i], R_OK) < 0)
			continue;
		assert_int_equal(compile_file(paths[i], &t), 0);
		check_table(t);
		compare_with_libdw(paths[i], t, 997);
		unwind_table_free(t);
	}
}

static unsigned int count_rule(const struct unwind_table *t, enum unwind_rule rule)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < t->n_rows; i++)
		n += t->rows[i].rule == rule;
	return n;
}

static void test_special_rules(void **state)
{
	struct unwind_table *t = NULL;
	uint64_t offset;

	(void)state;
	if (access(LIBC_PATH, R_OK) < 0)
		skip();
	assert_int_equal(compile_file(LIBC_PATH, &t), 0);
	assert_true(count_rule(t, RULE_PLT) >= 1);
	assert_true(count_rule(t, RULE_SIGNAL) >= 1);
	assert_true(count_rule(t, RULE_END) >= 1);
	assert_true(count_rule(t, RULE_RSP) > 997);
	/* At a function's first instruction only the return address is on the stack. */
	offset = fixture_function(LIBC_PATH, "malloc", NULL);
	assert_int_equal(unwind_table_lookup(t, (uint32_t)offset)->rule, RULE_RSP);
	assert_int_equal(unwind_table_lookup(t, (uint32_t)offset)->cfa_off8, 1);
	assert_int_equal(unwind_table_lookup(t, (uint32_t)offset)->rbp_off8, RBP_SAME);
	for (uint32_t i = 0; i < t->n_rows; i++) {
		if (t->rows[i].rule == RULE_PLT)
			assert_true(t->rows[i].cfa_off8 == 11 || t->rows[i].cfa_off8 == 10);
	}
	unwind_table_free(t);
}

static void assert_same_rules(const struct unwind_table *a, const struct unwind_table *b,
			      uint64_t from, uint64_t size)
{
	for (uint32_t pc = (uint32_t)from; pc < from + size; pc++) {
		const struct unwind_row *x = unwind_table_lookup(a, pc);
		const struct unwind_row *y = unwind_table_lookup(b, pc);

		assert_non_null(x);
		assert_non_null(y);
		assert_int_equal(x->rule, y->rule);
		assert_int_equal(x->cfa_off8, y->cfa_off8);
		assert_int_equal(x->rbp_off8, y->rbp_off8);
	}
}

/* Without the linker's table, and with the debugger's information only: the same rows. */
static void test_other_sources(void **state)
{
	static const char *const options[] = {
		"gcc -O2 -fomit-frame-pointer -g",
		"gcc -O2 -fomit-frame-pointer -g -Wl,--no-eh-frame-hdr",
		"gcc -O2 -fomit-frame-pointer -g -fno-asynchronous-unwind-tables",
		"gcc -O2 -fomit-frame-pointer -g -fno-asynchronous-unwind-tables -gz=zlib",
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	struct unwind_table *tables[ARRAY_SIZE(options)] = { 0 };
	uint64_t offset = 0, size = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct unwind_table *base = tables[0];
		uint64_t here, here_size;

		if (!fixture_compile(dir, "program", "c", fixture_source, options[i])) {
			fixture_remove(dir);
			skip();
		}
		assert_int_equal(compile_file(path, &tables[i]), 0);
		check_table(tables[i]);
		here = fixture_function(path, "outer", &here_size);
		if (base) {
			assert_int_equal(here_size, size);
			assert_int_equal(here, offset);
			assert_same_rules(base, tables[i], offset, size);
		}
		offset = here;
		size = here_size;
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		unwind_table_free(tables[i]);
	fixture_remove(dir);
}

static uint8_t rule_at(const struct unwind_table *t, uint64_t pc)
{
	const struct unwind_row *row = unwind_table_lookup(t, (uint32_t)pc);

	assert_non_null(row);
	return UNWIND_RULE(row);
}

/* Where the debugger knows the program and .eh_frame the start-up code, the table has both. */
static void check_merged(const char *path, const struct unwind_table *t)
{
	uint64_t start_size, size, start = fixture_function(path, "_start", &start_size),
				   outer = fixture_function(path, "outer", &size);

	check_table(t);
	assert_int_equal(rule_at(t, start), RULE_END);
	assert_int_equal(rule_at(t, start + start_size - 1), RULE_END);
	for (uint64_t pc = outer; pc < outer + size; pc++)
		assert_int_equal(rule_at(t, pc), RULE_RSP);
}

static void test_merged(void **state)
{
	/* Statically linked, .eh_frame has all of the C library. */
	static const char small[] = "volatile int sink;\n"
				    "__attribute__((noinline)) int outer(int x)\n"
				    "{ sink = x; return sink + 1; }\n"
				    "int main(void) { return outer(1) + outer(2); }\n";
	static const struct {
		const char *options;
		const char *source;
	} cases[] = {
		{ "", fixture_source }, { "-Wl,--no-eh-frame-hdr", fixture_source },
		{ "", small },		{ "-static", small },
		{ "-gz=zlib", small },
	};
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *compiler = NULL;
		struct unwind_table *t = NULL;

		assert_true(asprintf(&compiler,
				     "gcc -O2 -fomit-frame-pointer -g "
				     "-fno-asynchronous-unwind-tables %s",
				     cases[i].options) > 0);
		if (!fixture_compile(dir, "program", "c", cases[i].source, compiler)) {
			print_message("  no %s here\n", compiler);
			continue;
		}
		assert_int_equal(compile_file(path, &t), 0);
		check_merged(path, t);
		unwind_table_free(t);
	}
	fixture_remove(dir);
}

/* The same with the debugger's part in a file of its own. */
static void test_merged_debug_file(void **state)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	_cleanup_free_ char *full = fixture_path(dir, "full");
	_cleanup_free_ char *separate = fixture_path(dir, "separate");
	struct image *image = NULL, *debug = NULL;
	const struct unwind_row *row;
	struct unwind_table *t = NULL;

	(void)state;
	if (!fixture_compile(dir, "program", "c", fixture_source,
			     "gcc -O2 -fomit-frame-pointer -g -fno-asynchronous-unwind-tables") ||
	    !fixture_run("cd '%s' && cp program full && objcopy --only-keep-debug program separate "
			 "&& strip program",
			 dir)) {
		fixture_remove(dir);
		skip();
	}
	assert_int_equal(image_open(open(path, O_RDONLY | O_CLOEXEC), &image), 0);
	assert_int_equal(image_open(open(separate, O_RDONLY | O_CLOEXEC), &debug), 0);
	assert_int_equal(unwind_compile(image, debug, &t), 0);
	check_merged(full, t);
	t = unwind_table_free(t);
	/* Without it, start-up code is all that is known. */
	assert_int_equal(unwind_compile(image, NULL, &t), 0);
	assert_int_equal(rule_at(t, fixture_function(full, "_start", NULL)), RULE_END);
	row = unwind_table_lookup(t, (uint32_t)fixture_function(full, "outer", NULL));
	assert_true(!row || row->rule == RULE_NO_CFI);
	unwind_table_free(t);
	image_free(debug);
	image_free(image);
	fixture_remove(dir);
}

/* Padding before a function that leaves the stack alone is where a coroutine's stack ends. */
static void test_padding(void **state)
{
	static const char source[] = "	.text\n"
				     "	.globl first, bottom, framed\n"
				     "	.type first, @function\n"
				     "	.type bottom, @function\n"
				     "	.type framed, @function\n"
				     "	.p2align 4\n"
				     "first: .cfi_startproc\n"
				     "	push %rbx\n"
				     "	.cfi_def_cfa_offset 16\n"
				     "	pop %rbx\n"
				     "	.cfi_def_cfa_offset 8\n"
				     "	ret\n"
				     "	.cfi_endproc\n"
				     "	.p2align 4\n"
				     "bottom: .cfi_startproc\n"
				     "	mov %rbx, %rsp\n"
				     "	hlt\n"
				     "	.cfi_endproc\n"
				     "	.p2align 4\n"
				     "framed: .cfi_startproc\n"
				     "	push %rbx\n"
				     "	.cfi_def_cfa_offset 16\n"
				     "	pop %rbx\n"
				     "	.cfi_def_cfa_offset 8\n"
				     "	ret\n"
				     "	.cfi_endproc\n";
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "library");
	struct unwind_table *t = NULL;
	uint64_t first, bottom, framed;

	(void)state;
	if (!fixture_compile(dir, "library", "s", source, "gcc -shared -nostdlib")) {
		fixture_remove(dir);
		skip();
	}
	first = fixture_function(path, "first", NULL);
	bottom = fixture_function(path, "bottom", NULL);
	framed = fixture_function(path, "framed", NULL);
	assert_int_equal(compile_file(path, &t), 0);
	check_table(t);
	assert_int_equal(rule_at(t, first), RULE_RSP);
	assert_int_equal(rule_at(t, first + 2), RULE_RSP);
	assert_int_equal(rule_at(t, bottom - 1), RULE_END);
	assert_int_equal(rule_at(t, bottom), RULE_RSP);
	assert_int_equal(unwind_table_lookup(t, (uint32_t)bottom)->cfa_off8, 1);
	assert_int_equal(rule_at(t, framed - 1), RULE_RSP);
	unwind_table_free(t);
	fixture_remove(dir);
}

static void test_errors(void **state)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	struct unwind_table *t = NULL;

	(void)state;
	assert_int_equal(compile_file("/etc/passwd", &t), -ENOEXEC);
	assert_int_equal(compile_file("/dev/null", &t), -ENOEXEC);
	assert_int_equal(unwind_table_compile(-1, &t), -EBADF);
	if (fixture_compile(dir, "program", "c", "void _start(void) { for (;;) ; }\n",
			    "gcc -nostdlib -static -fno-asynchronous-unwind-tables"))
		assert_int_equal(compile_file(path, &t), -ENODATA);
	assert_null(t);
	fixture_remove(dir);
}

/* A file in memory, to be changed; *ret_at is where it is mapped. */
static int open_copy(const char *path, uint8_t **ret_at, size_t *ret_size)
{
	_cleanup_close_ int from = open(path, O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("copy", MFD_CLOEXEC);
	struct stat st;

	assert_true(from >= 0 && fd >= 0 && fstat(from, &st) == 0);
	assert_int_equal(sendfile(fd, from, NULL, (size_t)st.st_size), st.st_size);
	*ret_size = (size_t)st.st_size;
	*ret_at = mmap(NULL, *ret_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(*ret_at, MAP_FAILED);
	return fd;
}

/* The linker's table: behind a header of 12 bytes, pairs of words. */
static int32_t *table_of(uint8_t *at)
{
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)at;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(at + head->e_phoff);

	while (p->p_type != PT_GNU_EH_FRAME)
		p++;
	return (int32_t *)(at + p->p_offset + 12);
}

/* What the table names is what libdw executes, with and without section headers. */
static void test_table_that_lies(void **state)
{
	struct unwind_table *whole = NULL, *t = NULL;
	uint8_t *at;
	size_t size;
	int32_t *table, was;
	int fd = open_copy(LIBC_PATH, &at, &size);
	Elf64_Ehdr *head = (Elf64_Ehdr *)at;

	(void)state;
	table = table_of(at);
	was = table[2 * 17 + 1];
	assert_int_equal(unwind_table_compile(fd, &whole), 0);
	for (int has_sections = 1; has_sections >= 0; has_sections--) {
		if (!has_sections) {
			head->e_shoff = 0;
			head->e_shnum = head->e_shstrndx = 0;
		}
		assert_int_equal(unwind_table_compile(fd, &t), 0);
		assert_int_equal(t->n_rows, whole->n_rows);
		assert_memory_equal(t->rows, whole->rows, t->n_rows * sizeof(*t->rows));
		t = unwind_table_free(t);
		/* Inside of another entry; before the section; behind it. */
		for (int i = 0; i < 3; i++) {
			static const int32_t off[] = { 4, INT32_MIN / 2, INT32_MAX / 2 };

			table[2 * 17 + 1] = was + off[i];
			assert_int_equal(unwind_table_compile(fd, &t), -EBADMSG);
			assert_null(t);
		}
		table[2 * 17 + 1] = was;
	}
	unwind_table_free(whole);
	munmap(at, size);
	close(fd);
}

static void test_from_rows(void **state)
{
	static const struct {
		struct unwind_row rows[3];
		uint32_t n;
		int expected;
	} cases[] = {
		{ { { .pc = 0 } }, 0, -ENODATA },
		{ { { .pc = 0 }, { .pc = 1 }, { .pc = UINT32_MAX } }, 2, 0 },
		{ { { .pc = 700, .rule = RULE_RSP }, { .pc = 1999 }, { .pc = 2003 } }, 3, 0 },
		{ { { .pc = 7 }, { .pc = 7 } }, 2, -EBADMSG },
		{ { { .pc = 7 }, { .pc = 5 } }, 2, -EBADMSG },
		{ { { .pc = 7, .rule = RULE_NO_CFI + 1 } }, 1, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct unwind_row *rows = malloc(sizeof(cases[i].rows));
		struct unwind_table *t = NULL;

		assert_non_null(rows);
		memcpy(rows, cases[i].rows, sizeof(cases[i].rows));
		assert_int_equal(unwind_table_from_rows(rows, cases[i].n, &t), cases[i].expected);
		assert_int_equal(t != NULL, cases[i].expected == 0);
		if (t && t->rows[0].pc == 700) {
			assert_int_equal(t->start, 512);
			assert_int_equal(t->n_buckets, 3);
			assert_null(unwind_table_lookup(t, 699));
			assert_null(unwind_table_lookup(t, 511));
			assert_int_equal(unwind_table_lookup(t, 1998)->pc, 700);
			assert_int_equal(unwind_table_lookup(t, 2047)->pc, 2003);
			assert_null(unwind_table_lookup(t, 2048));
		}
		unwind_table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_files),
		cmocka_unit_test(test_special_rules),
		cmocka_unit_test(test_other_sources),
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_merged_debug_file),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_table_that_lies),
		cmocka_unit_test(test_from_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
