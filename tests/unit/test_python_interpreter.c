// SPDX-License-Identifier: GPL-2.0-or-later
/* The interpreter in a live process is found, and what is none is not taken for one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fixtures/python.h"
#include "python/interpreter.h"

static void test_addresses(void **state)
{
	static const char text[] = "import sys\n"
				   "print(sys.version_info[1], sys.version_info[2], id(type),"
				   " id(type((lambda: 0).__code__)), id(dict), flush=True)\n"
				   "sys.stdin.read()\n";
	unsigned int minor, micro;
	uint64_t type, code, dict, thread;
	struct python_interpreter i;
	struct python_process p;
	const char *why;

	(void)state;
	if (!python_start(text, &p))
		skip();
	assert_int_equal(fscanf(p.out, "%u %u %" SCNu64 " %" SCNu64 " %" SCNu64, &minor, &micro,
				&type, &code, &dict),
			 5);
	assert_int_equal(python_interpreter_find(p.pid, &i, &why), 0);
	assert_int_equal(i.layout.minor, minor);
	if (minor >= 11)
		assert_int_equal(i.micro, micro);
	assert_int_equal(i.type_type, type);
	assert_int_equal(i.code_type, code);
	assert_int_equal(i.dict_type, dict);
	assert_true(i.eval[0][1] > i.eval[0][0]);
	assert_true(i.thread_slot[0] != 0);
	/* In read() no thread has the GIL. */
	if (minor <= 11) {
		struct timespec pause = { .tv_nsec = 1000000 };

		do {
			assert_int_equal(python_read_u64(&i.memory, i.running, &thread), 0);
			(void)nanosleep(&pause, NULL);
		} while (thread != 0);
	}
	python_end(&p);
	assert_int_equal(python_interpreter_find(p.pid, &i, &why), -ESRCH);
}

static void test_no_python(void **state)
{
	struct python_interpreter i;
	const char *why;

	(void)state;
	assert_int_equal(python_interpreter_find(getpid(), &i, &why), -ENOENT);
}

static void test_paths(void **state)
{
	(void)state;
	assert_true(python_is_interpreter_path("/usr/bin/python3.11"));
	assert_true(python_is_interpreter_path("/usr/lib/libpython3.9.so.1.0"));
	assert_false(python_is_interpreter_path("/usr/lib/python3/a.cpython-311-x86_64.so"));
	assert_false(python_is_interpreter_path("/usr/lib/python3/lib-dynload/libc.so.6"));
	assert_false(python_is_interpreter_path(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_no_python),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
