// SPDX-License-Identifier: GPL-2.0-or-later
/* Python frames get the names of their code; and interpreters' files are read by the child. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixtures/python.h"
#include "fixtures/symbolizer.h"
#include "python/code.h"

static uint64_t python_frame(uint32_t code, uint32_t unit)
{
	return FRAME_EXACT | FRAME_SLOT_PYTHON << FRAME_SLOT_SHIFT |
	       (uint64_t)code << FRAME_CODE_SHIFT | unit;
}

/* Two code units on the first line, then two on the seventh behind it. */
static struct python_code *code_of(const char *file, const char *name)
{
	static const uint8_t table[] = { 0xe9, 0x00, 0xe9, 0x0e };
	struct python_code *code = calloc(1, sizeof(*code));

	assert_non_null(code);
	code->file = file ? strdup(file) : NULL;
	code->name = name ? strdup(name) : NULL;
	code->first_line = 40;
	code->kind = PYTHON_LOCATIONS;
	code->table = malloc(sizeof(table));
	assert_non_null(code->table);
	memcpy(code->table, table, sizeof(table));
	code->n = sizeof(table);
	return code;
}

static void test_names_come_with_the_code(void **state)
{
	const struct frame_list *list, *early;
	struct bench b;

	(void)state;
	bench_open(&b, NULL);
	/* Before it is known: a frame without names, which is asked for in vain. */
	early = bench_resolve(&b, python_frame(23, 3));
	assert_int_equal(early->frames[0].kind, FRAME_PYTHON);
	assert_null(early->frames[0].function);
	assert_true(early->frames[0].approximate);

	assert_int_equal(
		symbolizer_add_code(b.symbolizer, 23, code_of("/srv/cache.py", "Cache.put")), 0);
	list = symbolizer_lookup(b.symbolizer, python_frame(23, 3));
	assert_int_equal(list->n, 1);
	assert_int_equal(list->frames[0].kind, FRAME_PYTHON);
	assert_string_equal(list->frames[0].function, "Cache.put");
	assert_string_equal(list->frames[0].file, "/srv/cache.py");
	assert_int_equal(list->frames[0].line, 47);
	assert_int_equal(list->frames[0].offset, 7);
	assert_null(list->frames[0].module);
	assert_false(list->frames[0].approximate);
	assert_ptr_equal(symbolizer_lookup(b.symbolizer, python_frame(23, 3)), list);
	/* What was handed out stays what it was. */
	assert_null(early->frames[0].function);

	list = symbolizer_lookup(b.symbolizer, python_frame(23, 0));
	assert_int_equal(list->frames[0].line, 40);
	assert_int_equal(list->frames[0].offset, 0);
	/* Behind the table's end: the function's first line. */
	list = symbolizer_lookup(b.symbolizer, python_frame(23, 1000));
	assert_int_equal(list->frames[0].line, 40);

	assert_int_equal(symbolizer_add_code(b.symbolizer, 23, code_of("other.py", "other")),
			 -EEXIST);
	assert_int_equal(symbolizer_add_code(b.symbolizer, 24, code_of(NULL, NULL)), 0);
	list = symbolizer_lookup(b.symbolizer, python_frame(24, 0));
	assert_null(list->frames[0].function);
	assert_int_equal(list->frames[0].line, 0);
	assert_true(list->frames[0].approximate);
	assert_int_equal(bench_stats(&b).children, 0);
	assert_true(bench_close(&b));
}

struct answer {
	int error;
	bool came;
	struct python_file file;
};

static void on_python(int error, const struct python_file *file, void *userdata)
{
	struct answer *a = userdata;

	a->error = error;
	a->came = true;
	if (file)
		a->file = *file;
}

static void test_file(void **state)
{
	struct answer a = { 0 };
	struct bench b;
	uint16_t slot;

	(void)state;
	if (access(python_program(), X_OK) != 0)
		skip();
	bench_open(&b, NULL);
	slot = bench_add(&b, "/bin/true", -EBADF);
	assert_int_equal(symbolizer_read_python(b.symbolizer, slot, on_python, &a), 0);
	assert_int_equal(symbolizer_drain(b.symbolizer, DEADLINE_NS), 0);
	assert_true(a.came);
	assert_int_equal(a.error, -ENOENT);
	assert_int_equal(symbolizer_read_python(b.symbolizer, 4000, on_python, &a), -ENOENT);

	/* Debian's is one file with everything in it. */
	slot = bench_add(&b, python_program(), -EBADF);
	a.came = false;
	assert_int_equal(symbolizer_read_python(b.symbolizer, slot, on_python, &a), 0);
	assert_int_equal(symbolizer_drain(b.symbolizer, DEADLINE_NS), 0);
	assert_true(a.came);
	if (a.error == 0) {
		assert_true(python_file_is_sane(&a.file));
		assert_true(a.file.eval[0][1] > a.file.eval[0][0]);
		assert_true(a.file.version || a.file.minor);
	}
	assert_true(bench_close(&b));
}

static void test_insane_files(void **state)
{
	struct python_file f = { .runtime = 1, .type_type = 1, .code_type = 1 };

	(void)state;
	assert_true(python_file_is_sane(&f));
	f.eval[1][0] = 7;
	assert_false(python_file_is_sane(&f));
	f.eval[1][1] = UINT64_MAX;
	assert_false(python_file_is_sane(&f));
	f.eval[1][0] = f.eval[1][1] = 0;
	f.minor = UINT32_MAX;
	assert_false(python_file_is_sane(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_come_with_the_code),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_insane_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
