// SPDX-License-Identifier: GPL-2.0-or-later
/* Readable names, the table of names, and where debug files are looked for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../bpf/abi.h"
#include "fixtures/elf.h"
#include "symbolize/debug_files.h"
#include "symbolize/demangle.h"
#include "symbolize/names.h"

static void test_demangle(void **state)
{
	static const struct {
		const char *mangled;
		const char *expected;
	} rows[] = {
		{ "malloc", "malloc" },
		{ "", "" },
		{ "_", "_" },
		{ "_Z", "_Z" },
		{ "_Zombie", "_Zombie" },
		{ "_ZN4leak7Session4openEPKc", "leak::Session::open(char const*)" },
		{ "_ZN12_GLOBAL__N_14workEv", "(anonymous namespace)::work()" },
		{ "_ZN4leak7Session4openEPKc.cold",
		  "leak::Session::open(char const*) [clone .cold]" },
		{ "_Znwm", "operator new(unsigned long)" },
		{ "_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write" },
		{ "_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$8grow_one17hb1f1b9e12a2c3d4eE",
		  "alloc::raw_vec::RawVec<T,A>::grow_one" },
		{ "_RNvCs15kBYyAo9fc_7mycrate7example", "mycrate::example" },
		{ "_Runner", "_Runner" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *name = demangle(rows[i].mangled, strlen(rows[i].mangled));

		assert_string_equal(name, rows[i].expected);
	}
	/* Only the given length counts: what follows is a version. */
	{
		_cleanup_free_ char *name = demangle("_Znwm@@GLIBCXX_3.4", 5);

		assert_string_equal(name, "operator new(unsigned long)");
	}
}

static int add_text(struct names_builder *b, const char *function, const char *file, uint32_t flags)
{
	struct name_answer answer = {
		.line = 23,
		.function_bytes = (uint32_t)strlen(function),
		.file_bytes = (uint32_t)strlen(file),
		.flags = flags,
	};
	_cleanup_free_ char *text = NULL;
	int n = asprintf(&text, "%s%s", function, file);

	assert_true(n >= 0);
	return names_builder_add(b, &answer, (const uint8_t *)text, (size_t)n);
}

static void test_names(void **state)
{
	static const struct names_file file = { .module = "/lib/a.so", .build_id = "abcd" };
	struct names *names = names_new();
	struct names_builder b = { 0 };
	const struct frame_list *list, *first;
	const uint64_t frame = 7ull << FRAME_SLOT_SHIFT | 0x1234 | FRAME_EXACT;

	(void)state;
	assert_non_null(names);
	assert_null(names_find(names, frame));
	assert_false(names_is_final(names, frame));
	assert_int_equal(names_add_unknown(names, frame, &file, true), 0);
	first = names_find(names, frame);
	assert_int_equal(first->n, 1);
	assert_null(first->frames[0].function);
	assert_int_equal(first->frames[0].offset, 0x1234);
	assert_string_equal(first->frames[0].module, "/lib/a.so");
	assert_false(names_is_final(names, frame));

	assert_int_equal(add_text(&b, "inner\033[31m\xff", "a\nb.c", NAME_INLINED), 0);
	assert_int_equal(add_text(&b, "gr\xc3\xbc\xc3\x9f", "", 0), 0);
	assert_int_equal(names_add(names, frame, &file, &b), 0);
	assert_int_equal(b.n, 0);
	list = names_find(names, frame);
	assert_true(names_is_final(names, frame));
	assert_int_equal(list->n, 2);
	/* Nothing of it moves a terminal's cursor. */
	assert_string_equal(list->frames[0].function, "inner?[31m?");
	assert_string_equal(list->frames[0].file, "a?b.c");
	assert_int_equal(list->frames[0].kind, FRAME_INLINED);
	assert_int_equal(list->frames[0].line, 23);
	assert_string_equal(list->frames[1].function, "gr\xc3\xbc\xc3\x9f");
	assert_null(list->frames[1].file);
	assert_int_equal(list->frames[1].line, 0);
	assert_int_equal(list->frames[1].kind, FRAME_NATIVE);
	assert_string_equal(list->frames[1].build_id, "abcd");
	/* The old list is still there; names are not lost to a later failure. */
	assert_null(first->frames[0].function);
	assert_int_equal(names_add_unknown(names, frame, &file, true), 0);
	assert_ptr_equal(names_find(names, frame), list);
	assert_true(names_is_final(names, frame));

	/* A failure that is final replaces one that was not. */
	assert_int_equal(names_add_unknown(names, frame + 1, &file, true), 0);
	assert_int_equal(names_add_unknown(names, frame + 1, &file, false), 0);
	assert_true(names_is_final(names, frame + 1));

	for (int i = 0; i < INLINE_DEPTH_MAX; i++)
		assert_int_equal(add_text(&b, "f", "", NAME_INLINED), 0);
	assert_int_equal(add_text(&b, "f", "", 0), -EBADMSG);
	names_builder_reset(&b);
	names_free(names);
}

/* Candidates in order: what was opened is told by what is in it. */
static char next_candidate(struct debug_search *s, char *folder)
{
	char c = 0;
	int fd = -EBADF;

	if (debug_search_next(s, &fd, folder) < 0)
		return '-';
	assert_int_equal(read(fd, &c, 1), 1);
	close(fd);
	return c;
}

static void test_search(void **state)
{
	size_t before = fixture_count_descriptors();
	char *dir = fixture_directory(), folder[PATH_MAX];
	_cleanup_free_ char *program = fixture_path(dir, "opt/program");
	struct file file = { .path = (char *)"/opt/program" };
	struct debug_search s;

	(void)state;
	assert_true(
		fixture_run("cd '%s' && mkdir -p opt/.debug usr/lib/debug/.build-id/ab "
			    "usr/lib/debug/opt && printf 1 > usr/lib/debug/.build-id/ab/cdef.debug "
			    "&& printf 2 > opt/link && printf 3 > opt/.debug/link && "
			    "printf 4 > usr/lib/debug/opt/link && printf p > opt/program && "
			    "printf a > usr/lib/debug/alt && printf s > secret",
			    dir));
	file.fd = open(program, O_RDONLY | O_CLOEXEC);
	file.root_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(file.fd >= 0 && file.root_fd >= 0);

	debug_search_init(&s, &file, "abcdef", "link");
	assert_int_equal(next_candidate(&s, folder), '1');
	assert_string_equal(folder, "/usr/lib/debug/.build-id/ab");
	assert_int_equal(next_candidate(&s, folder), '2');
	assert_string_equal(folder, "/opt");
	assert_int_equal(next_candidate(&s, folder), '3');
	assert_int_equal(next_candidate(&s, folder), '4');
	assert_int_equal(next_candidate(&s, folder), '-');
	assert_int_equal(next_candidate(&s, folder), '-');

	/* No id; a link to the file itself; links that are paths; too short an id. */
	debug_search_init(&s, &file, "", "link");
	assert_int_equal(next_candidate(&s, folder), '2');
	debug_search_init(&s, &file, "", "program");
	assert_int_equal(next_candidate(&s, folder), '-');
	debug_search_init(&s, &file, "", "../secret");
	assert_int_equal(next_candidate(&s, folder), '-');
	debug_search_init(&s, &file, "", "..");
	assert_int_equal(next_candidate(&s, folder), '-');
	debug_search_init(&s, &file, "ab", "");
	assert_int_equal(next_candidate(&s, folder), '-');

	/* The other link is a path, absolute or from where the debug file was. */
	debug_search_init_alt(&s, &file, "/usr/lib/debug/.build-id/ab", "", "../../alt");
	assert_int_equal(next_candidate(&s, folder), 'a');
	assert_int_equal(next_candidate(&s, folder), '-');
	debug_search_init_alt(&s, &file, "", "", "/usr/lib/debug/alt");
	assert_int_equal(next_candidate(&s, folder), 'a');
	debug_search_init_alt(&s, &file, "", "", "../secret");
	assert_int_equal(next_candidate(&s, folder), 's');
	debug_search_init_alt(&s, &file, "/", "", "../../../../../../etc/passwd");
	assert_int_equal(next_candidate(&s, folder), '-');
	debug_search_init_alt(&s, &file, "/", "", "/usr/lib/debug/../../../etc/passwd");
	assert_int_equal(next_candidate(&s, folder), '-');

	/* What others may not read is only read for a file of the same user. */
	assert_true(fixture_run("chmod 600 '%s/opt/link' '%s/opt/.debug/link'", dir, dir));
	debug_search_init(&s, &file, "", "link");
	assert_int_equal(next_candidate(&s, folder), '2');
	if (fchown(file.fd, 65534, 65534) == 0) {
		debug_search_init(&s, &file, "", "link");
		assert_int_equal(next_candidate(&s, folder), '4');
	}
	close(file.fd);
	close(file.root_fd);
	fixture_remove(dir);
	assert_int_equal(fixture_count_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demangle),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
