// SPDX-License-Identifier: GPL-2.0-or-later
/* Images and symbol indices: made by hand, and of files that are there. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "elf/image.h"
#include "elf/symbols.h"
#include "fixtures/elf.h"

static void test_lookup(void **state)
{
	/* As in a table: not sorted, with aliases, one inside another, one without a size. */
	struct symbol list[] = {
		{ .vaddr = 0x2000, .size = 0x100, .name = "outer", .binding = STB_GLOBAL },
		{ .vaddr = 0x2040, .size = 0x10, .name = "label", .binding = STB_LOCAL },
		{ .vaddr = 0x1000, .size = 0x50, .name = "__libc_malloc", .binding = STB_GLOBAL },
		{ .vaddr = 0x1000,
		  .size = 0x50,
		  .name = "malloc@@GLIBC_2.2.5",
		  .binding = STB_GLOBAL },
		{ .vaddr = 0x1000, .size = 0x50, .name = "m", .binding = STB_LOCAL },
		{ .vaddr = 0x3000, .size = 0, .name = "assembly", .binding = STB_LOCAL },
	};
	static const struct {
		uint64_t vaddr;
		const char *name; /* NULL: none */
		bool exact;
	} rows[] = {
		{ 0xfff, NULL, false },
		{ 0x1000, "malloc@@GLIBC_2.2.5", true },
		{ 0x104f, "malloc@@GLIBC_2.2.5", true },
		{ 0x1050, "malloc@@GLIBC_2.2.5", false },
		{ 0x2000, "outer", true },
		{ 0x203f, "outer", true },
		{ 0x2040, "label", true },
		{ 0x204f, "label", true },
		{ 0x2050, "outer", true },
		{ 0x20ff, "outer", true },
		{ 0x2100, "label", false },
		{ 0x3000, "assembly", false },
		{ UINT64_MAX, "assembly", false },
	};
	struct symbols symbols = { .n = ARRAY_SIZE(list) };
	bool exact;

	(void)state;
	symbols.list = malloc(sizeof(list));
	assert_non_null(symbols.list);
	memcpy(symbols.list, list, sizeof(list));
	symbols_sort(&symbols);
	assert_int_equal(symbols.n, 4);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct symbol *s = symbols_lookup(&symbols, rows[i].vaddr, 0, &exact);

		assert_int_equal(exact, rows[i].exact);
		if (rows[i].name)
			assert_string_equal(s->name, rows[i].name);
		else
			assert_null(s);
	}
	/* The nearest one must not be in another segment. */
	assert_null(symbols_lookup(&symbols, 0x4000, 0x3001, &exact));
	symbols_done(&symbols);
	assert_null(symbols_lookup(&symbols, 0x1000, 0, &exact));
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(symbol_name_length("malloc"), 6);
	assert_int_equal(symbol_name_length("malloc@@GLIBC_2.2.5"), 6);
	assert_int_equal(symbol_name_length("malloc@GLIBC_2.2.5"), 6);
	assert_int_equal(symbol_name_length("@odd"), 4);
	assert_int_equal(symbol_name_length(""), 0);
}

static int count(const struct symbol *symbol, void *userdata)
{
	(void)symbol;
	++*(size_t *)userdata;
	return 0;
}

static void test_self(void **state)
{
	struct image *image = NULL;
	struct symbols symbols = { 0 };
	uint64_t offset, vaddr;
	size_t n = 0;
	bool exact;

	(void)state;
	assert_int_equal(image_open(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), &image), 0);
	assert_true(image->n_segments > 1);
	assert_true(image->build_id_bytes == 20 || image->build_id_bytes == 0);
	assert_true(image_has_section(image, ".text"));
	assert_false(image_has_section(image, ".bss"));
	assert_false(image_has_section(image, ".nothing"));
	assert_int_equal(symbols_walk(image->elf, SHT_SYMTAB, count, &n), 0);
	assert_int_equal(symbols_add(&symbols, image->elf, SHT_SYMTAB), 0);
	symbols_sort(&symbols);
	assert_true(symbols.n > 7 && symbols.n <= n);
	for (size_t i = 0; i < symbols.n; i++) {
		const struct symbol *s = &symbols.list[i];

		assert_true(i == 0 || symbols.list[i - 1].vaddr <= s->vaddr);
		assert_true(image_vaddr_to_offset(image, s->vaddr, &offset));
		assert_true(image_offset_to_vaddr(image, offset, &vaddr));
		assert_int_equal(vaddr, s->vaddr);
		if (s->size > 0)
			assert_non_null(symbols_lookup(&symbols, s->vaddr, 0, &exact));
		assert_true(s->size == 0 || exact);
	}
	symbols_done(&symbols);
	image_free(image);
}

/* Everything that is no ELF file of this machine is refused, and no descriptor stays. */
static void test_refused(void **state)
{
	static const struct {
		size_t at; /* a byte of a good file that is changed */
		uint8_t value;
	} changes[] = {
		{ EI_MAG0, 0 }, { EI_CLASS, ELFCLASS32 }, { EI_DATA, ELFDATA2MSB },
		{ 18, EM_386 }, { 18, EM_AARCH64 },
	};
	size_t before = fixture_count_descriptors();
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "file");
	struct image *image = NULL;
	uint8_t head[4099];
	int fd;

	(void)state;
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, head, sizeof(head)), sizeof(head));
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		uint8_t good = head[changes[i].at];

		head[changes[i].at] = changes[i].value;
		fixture_write(path, head, sizeof(head));
		head[changes[i].at] = good;
		assert_int_equal(image_open(open(path, O_RDONLY | O_CLOEXEC), &image), -ENOEXEC);
	}
	for (size_t size = 0; size < 64; size++) {
		fixture_write(path, head, size);
		assert_int_equal(image_open(open(path, O_RDONLY | O_CLOEXEC), &image), -ENOEXEC);
	}
	assert_int_equal(image_open(open("/etc/passwd", O_RDONLY | O_CLOEXEC), &image), -ENOEXEC);
	assert_int_equal(image_open(-EBADF, &image), -EBADF);
	assert_null(image);
	fixture_remove(dir);
	assert_int_equal(fixture_count_descriptors(), before);
}

static void test_debug_link(void **state)
{
	char *dir = fixture_directory();
	_cleanup_free_ char *path = fixture_path(dir, "program");
	_cleanup_free_ char *debug_path = fixture_path(dir, "program.debug");
	struct image *image = NULL, *debug = NULL;
	uint32_t wanted = 0, crc = 1;

	(void)state;
	if (!fixture_compile(dir, "program", "c", fixture_source, "gcc -O2 -g") ||
	    !fixture_run("cd '%s' && objcopy --only-keep-debug program program.debug && "
			 "strip program && objcopy --add-gnu-debuglink=program.debug program",
			 dir)) {
		fixture_remove(dir);
		skip();
	}
	assert_int_equal(image_open(open(path, O_RDONLY | O_CLOEXEC), &image), 0);
	assert_int_equal(image_open(open(debug_path, O_RDONLY | O_CLOEXEC), &debug), 0);
	assert_string_equal(image_debug_link(image, &wanted), "program.debug");
	assert_int_equal(image_crc(debug, &crc), 0);
	assert_int_equal(crc, wanted);
	assert_int_equal(image->build_id_bytes, debug->build_id_bytes);
	assert_memory_equal(image->build_id, debug->build_id, image->build_id_bytes);
	assert_null(image_debug_link(debug, &wanted));
	assert_false(symbols_has_table(image->elf, SHT_SYMTAB));
	assert_true(symbols_has_table(debug->elf, SHT_SYMTAB));
	/* Code is not in the debug file. */
	assert_false(image_has_section(debug, ".text"));
	image_free(image);
	image_free(debug);
	fixture_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),	   cmocka_unit_test(test_names),
		cmocka_unit_test(test_self),	   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_debug_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
