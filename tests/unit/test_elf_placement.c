// SPDX-License-Identifier: GPL-2.0-or-later
/* Where probes go: handmade functions, and the allocator of the C library that is there. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <gnu/libc-version.h>

#include "elf/placement.h"
#include "fixtures/elf.h"

struct row {
	const char *what;
	const char *code; /* hex */
	bool skips_null;
	size_t expected;
};

static size_t decode(const char *hex, uint8_t *bytes, size_t size)
{
	size_t n = 0;
	unsigned int byte;
	int used;

	while (n < size && sscanf(hex, "%2x%n", &byte, &used) == 1) {
		bytes[n++] = (uint8_t)byte;
		hex += used;
	}
	return n;
}

static void test_tables(void **state)
{
	static const struct row rows[] = {
		{ "push at once", "55 4889e5 c3", false, 0 },
		{ "push r12 at once", "4154 c3", false, 0 },
		{ "endbr64, push", "f30f1efa 55 c3", false, 4 },
		{ "endbr64, push r15", "f30f1efa 4157 c3", false, 4 },
		{ "jmp at once", "eb00 c3", false, 0 },
		{ "endbr64, jmp", "f30f1efa e900000000 c3", false, 4 },
		{ "sub rsp first", "4883ec08 55 c3", false, 0 },
		{ "writes rdi", "4889f7 55 c3", false, 0 },
		{ "writes edi", "31ff 55 c3", false, 0 },
		{ "writes dil", "40b701 55 c3", false, 0 },
		{ "writes dh", "b601 55 c3", false, 0 },
		{ "writes r9d", "4531c9 55 c3", false, 0 },
		{ "writes rbp", "4889e5 55 c3", false, 0 },
		{ "pops", "58 55 c3", false, 0 },
		{ "writes rax and r10", "4889f8 4c8d5708 55 c3", false, 7 },
		{ "string move", "f3a4 55 c3", false, 0 },
		{ "indirect call", "ffd0 55 c3", false, 0 },
		{ "indirect jump", "ffe0 55 c3", false, 0 },
		{ "returns", "c3 55", false, 0 },
		{ "system call", "0f05 55 c3", false, 0 },
		{ "jcc is a place", "4885ff 7401 90 c3", false, 3 },
		{ "null branch is passed", "4885ff 7402 55 c3 c3", true, 5 },
		{ "long null branch is passed", "4885ff 0f8402000000 55 c3 c3", true, 9 },
		{ "cmp $0 too", "4883ff00 7402 55 c3 c3", true, 6 },
		{ "endbr64 before it", "f30f1efa 4885ff 7402 55 c3 c3", true, 9 },
		{ "jne is not passed", "4885ff 7502 55 c3 c3", true, 3 },
		{ "test of another register", "4885f6 7402 55 c3 c3", true, 3 },
		{ "test of 32 bits", "85ff 7402 55 c3 c3", true, 2 },
		{ "nothing behind the null branch", "4885ff 7406 4883ec08 c3 c3", true, 3 },
		{ "nothing at all", "4889f8 c3", false, 0 },
		{ "loop back to the place", "4889f8 55 ebfd c3", false, 0 },
		{ "loop back over it", "4889f8 4889f0 55 ebf9 c3", false, 0 },
		{ "loop back to the start", "4889f8 55 ebfa c3", false, 3 },
		{ "loop behind it", "4889f8 55 90 ebfd c3", false, 3 },
		{ "loop between the two places", "4885ff 7404 55 ebfd c3 c3", true, 3 },
		{ "32 bytes in",
		  "4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 31c0 55 "
		  "c3",
		  false, 32 },
		{ "33 bytes in",
		  "4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 4889f8 55",
		  false, 0 },
		{ "cut in an instruction", "4889f8 4889", false, 0 },
		{ "no code", "", false, 0 },
		{ "no instruction", "06 55", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char packed[256] = "";
		uint8_t bytes[64];
		size_t n = 0, size;

		for (const char *c = rows[i].code; *c; c++) {
			if (*c != ' ')
				packed[n++] = *c;
		}
		size = decode(packed, bytes, sizeof(bytes));
		print_message("  %s\n", rows[i].what);
		assert_int_equal(placement_find(bytes, size, rows[i].skips_null), rows[i].expected);
	}
}

static void test_emulated(void **state)
{
	static const struct {
		const char *code;
		bool expected;
	} rows[] = {
		{ "50", true },		 { "57", true },
		{ "4150", true },	 { "4157", true },
		{ "4158", false },	 { "4050", false },
		{ "41", false },	 { "90", true },
		{ "f390", false },	 { "eb00", true },
		{ "eb", false },	 { "e900000000", true },
		{ "e8000000", false },	 { "e800000000", true },
		{ "7400", true },	 { "0f8400000000", true },
		{ "0f84000000", false }, { "66e900000000", false },
		{ "0f1f00", false },	 { "58", false },
		{ "c3", false },	 { "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[16];
		size_t size = decode(rows[i].code, bytes, sizeof(bytes));

		assert_int_equal(placement_is_emulated(bytes, size), rows[i].expected);
	}
}

static void test_words(void **state)
{
	static const struct {
		const char *code, *expected;
	} rows[] = {
		{ "4154", "pushq %r12" },
		{ "90", "nop" },
		{ "f30f1efa", "endbr64" },
		{ "eb10", "jmp 0x1012" },
		{ "0f84f8ffffff", "je 0xffe" },
		{ "488b05f9ffffff", "movq -7(%rip), %rax" },
		{ "06", "" },
		{ "e8", "" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[16];
		size_t size = decode(rows[i].code, bytes, sizeof(bytes)),
		       length = strlen(rows[i].expected);

		/* Cut wherever there is no more room, and with its NUL. */
		for (size_t room = 1; room < 32; room++) {
			size_t kept = length < room ? length : room - 1;
			_cleanup_free_ char *text = malloc(room);

			assert_non_null(text);
			placement_describe(bytes, size, 0x1000, text, room);
			assert_int_equal(strlen(text), kept);
			assert_memory_equal(text, rows[i].expected, kept);
		}
	}
}

static void test_libc(void **state)
{
	static const struct {
		const char *name;
		bool skips_null;
		size_t expected;
	} rows[] = {
		{ "malloc", false, 0 },	  { "calloc", false, 0 },
		{ "realloc", false, 0 },  { "free", true, 9 },
		{ "free", false, 3 },	  { "posix_memalign", false, 7 },
		{ "memalign", false, 7 }, { "aligned_alloc", false, 7 },
	};
	bool is_known = strcmp(gnu_get_libc_version(), "2.36") == 0;
	int fd;

	(void)state;
	if (access(LIBC_PATH, R_OK) < 0)
		skip();
	fd = open(LIBC_PATH, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t size, offset = fixture_function(LIBC_PATH, rows[i].name, &size);
		_cleanup_free_ uint8_t *code = malloc(size);
		size_t place;

		assert_non_null(code);
		assert_int_equal(pread(fd, code, size, (off_t)offset), size);
		place = placement_find(code, size, rows[i].skips_null);
		/* Whatever the version: a place is an emulated instruction, or the start. */
		assert_true(place == 0 || placement_is_emulated(code + place, size - place));
		if (is_known)
			assert_int_equal(place, rows[i].expected);
	}
	close(fd);
}

/* No code makes it read beyond its end or place a probe outside of it. */
static void test_random(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 4999; i++) {
		size_t size = fixture_random(&seed) % 67, place;
		char words[23];
		_cleanup_free_ uint8_t *code = malloc(size + 1);

		assert_non_null(code);
		for (size_t k = 0; k < size; k++)
			code[k] = (uint8_t)fixture_random(&seed);
		code = realloc(code, size ? size : 1);
		place = placement_find(code, size, i % 2);
		assert_true(place <= 32 && (place == 0 || place < size));
		placement_describe(code, size, fixture_random(&seed), words, sizeof(words));
		for (const char *c = words; *c; c++)
			assert_true(*c >= ' ' && *c <= '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables), cmocka_unit_test(test_emulated),
		cmocka_unit_test(test_words),  cmocka_unit_test(test_libc),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
