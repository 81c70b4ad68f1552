// SPDX-License-Identifier: GPL-2.0-or-later
/* target/selector.c: what is understood, and which processes of a made-up /proc are meant. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "fake_proc.h"
#include "target/selector.h"

#define PF_KTHREAD 0x00200000

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		enum selector_kind kind;
		const char *pattern; /* NULL: pid 23 */
		bool is_glob;
	} cases[] = {
		{ "23", SELECTOR_PID, NULL, false },
		{ "pid=23", SELECTOR_PID, NULL, false },
		{ "/usr/bin/app", SELECTOR_EXE, "/usr/bin/app", false },
		{ "/usr/*/app", SELECTOR_EXE, "/usr/*/app", true },
		{ "/opt/a=b", SELECTOR_EXE, "/opt/a=b", false },
		{ "*/app", SELECTOR_EXE, "*/app", true },
		{ "exe=app", SELECTOR_EXE, "app", false },
		{ "exe=/x=y", SELECTOR_EXE, "/x=y", false },
		{ "nginx.service", SELECTOR_UNIT, "nginx.service", false },
		{ "session-*.scope", SELECTOR_UNIT, "session-*.scope", true },
		{ "system.slice", SELECTOR_UNIT, "system.slice", false },
		{ "unit=nginx", SELECTOR_UNIT, "nginx.service", false },
		{ "unit=nginx*", SELECTOR_UNIT, "nginx*", true },
		{ ".service", SELECTOR_COMM, ".service", false },
		{ "nginx", SELECTOR_COMM, "nginx", false },
		{ "23x", SELECTOR_COMM, "23x", false },
		{ "comm=23", SELECTOR_COMM, "23", false },
		{ "comm=a=b", SELECTOR_COMM, "a=b", false },
		{ "a name with blanks and more", SELECTOR_COMM, "a name with bla", false },
		{ "a*name with blanks and more", SELECTOR_COMM, "a*name with blanks and more",
		  true },
		{ "cmd=*worker*", SELECTOR_CMD, "*worker*", true },
		{ "cgroup=/a/[bc]", SELECTOR_CGROUP, "/a/[bc]", true },
		{ "container=0123aB", SELECTOR_CONTAINER, "0123aB", false },
		{ "container=" ID64, SELECTOR_CONTAINER, ID64, false },
		{ "gr\xc3\xbc\xc3\x9f", SELECTOR_COMM, "gr\xc3\xbc\xc3\x9f", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(selector_freep) struct selector *s = NULL;
		const char *why = NULL;

		if (selector_parse(cases[i].text, &s, &why) != 0)
			fail_msg("%s: %s", cases[i].text, why);
		assert_int_equal(s->kind, cases[i].kind);
		assert_string_equal(s->text, cases[i].text);
		assert_int_equal(selector_is_lasting(s), s->kind != SELECTOR_PID);
		assert_int_equal(s->is_glob, cases[i].is_glob);
		if (cases[i].pattern)
			assert_string_equal(s->pattern, cases[i].pattern);
		else
			assert_int_equal(s->pid, 23);
	}
}

static void test_refuse(void **state)
{
	static const char *const cases[] = {
		"",
		"0",
		"4194305",
		"99999999999999999999",
		"pid=",
		"pid=x",
		"pid=-1",
		"pid=1 ",
		"foo=bar",
		"Pid=1",
		"=x",
		"comm=",
		"cmd=",
		"container=12345",
		"container=12345g",
		"container=" ID64 "0",
		"a\nb",
		"a\tb",
		"a\x7f",
		"a\xff",
		"a\xc0\xaf",
		"\x1b[31m",
		"bin/app",
		"./app",
		"exe=bin/app",
	};
	struct selector *s = NULL;
	const char *why;
	char longest[514];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		why = NULL;
		if (selector_parse(cases[i], &s, &why) != -EINVAL)
			fail_msg("\"%s\" was taken", cases[i]);
		assert_non_null(why);
		assert_int_equal(selector_parse(cases[i], &s, NULL), -EINVAL);
		assert_null(s);
	}
	memset(longest, 'x', 513);
	longest[513] = '\0';
	assert_int_equal(selector_parse(longest, &s, &why), -EINVAL);
	longest[512] = '\0';
	assert_int_equal(selector_parse(longest, &s, &why), 0);
	selector_free(s);
}

static void fake_process(const struct fake *f, int pid, const char *comm, const char *exe,
			 const char *cmdline, const char *cgroup)
{
	char name[64];

	fake_stat(f, pid, comm, 'S', 0, 1009);
	snprintf(name, sizeof(name), "%d/exe", pid);
	if (exe)
		fake_link(f, name, exe);
	snprintf(name, sizeof(name), "%d/cmdline", pid);
	fake_text(f, name, cmdline);
	snprintf(name, sizeof(name), "%d/cgroup", pid);
	fake_text(f, name, cgroup);
}

static void fake_processes(struct fake *f)
{
	fake_process(f, 11, "nginx", "/usr/sbin/nginx", "nginx: master process",
		     "0::/system.slice/nginx.service\n");
	fake_process(f, 13, "nginx", "/usr/sbin/nginx (deleted)", "nginx: worker process",
		     "0::/system.slice/nginx.service/x\n");
	fake_process(f, 17, "a-very-long-nam", "/opt/a-very-long-name", "x",
		     "0::/user.slice/user@1000.service/app.slice/app-x.scope\n");
	fake_process(f, 19, "foo) Z ", "/opt/foo\nbar\xff", "foo", "0::/docker/" ID64 "\n");
	fake_process(f, 23, "kthread", NULL, "", "0::/\n");
	fake_stat(f, 23, "kthread", 'S', PF_KTHREAD, 1);
	fake_process(f, 29, "zombie", NULL, "", "0::/system.slice/nginx.service\n");
	fake_stat(f, 29, "zombie", 'Z', 0, 1);
	/* A kernel thread by its looks alone. */
	fake_process(f, 31, "imageless", NULL, "", "0::/\n");
	/* Files missing: going away, or hidden. */
	fake_stat(f, 37, "bare", 'S', 0, 1);
	fake_text(f, "41/cmdline", "no stat");
	fake_text(f, "43/stat", "43 (nginx) damaged");
	fake_process(f, 47, "x", "/opt/other", "other", "");
	fake_stat(f, 53, "\xff\xfe", 'S', 0, 1);
}

static void check_found(const struct fake *f, const char *text, const char *expected)
{
	_cleanup_(selector_freep) struct selector *s = NULL;
	_cleanup_free_ pid_t *pids = NULL;
	char found[256] = "";
	size_t used = 0;
	size_t n;

	assert_int_equal(selector_parse(text, &s, NULL), 0);
	assert_int_equal(selector_find(s, f->root, &pids, &n), 0);
	for (size_t i = 0; i < n; i++) {
		used += (size_t)snprintf(found + used, sizeof(found) - used, i ? " %d" : "%d",
					 (int)pids[i]);
		assert_int_equal(selector_matches(s, f->root, pids[i]), 1);
	}
	if (strcmp(found, expected) != 0)
		fail_msg("%s: found \"%s\" instead of \"%s\"", text, found, expected);
}

static void test_find(void **state)
{
	static const struct {
		const char *text;
		const char *pids;
	} cases[] = {
		{ "11", "11" },
		{ "12", "" },
		{ "23", "" }, /* kernel thread */
		{ "29", "" }, /* zombie */
		{ "nginx", "11 13" },
		{ "ngin", "" },
		{ "ng*", "11 13" },
		{ "a-very-long-name-indeed", "17" },
		{ "a-very-long-nam", "17" },
		{ "a-very-long-na", "" },
		{ "a-very-long-nam?", "" },
		{ "comm=foo) Z ", "19" },
		{ "comm=??", "" }, /* neither executable nor command line */
		{ "*", "11 13 17 19 47" },
		{ "kthread", "" },
		{ "zombie", "" },
		{ "imageless", "" },
		{ "/usr/sbin/nginx", "11 13" },
		{ "/usr/*", "11 13" },
		{ "*/a-very*", "17" },
		{ "exe=nginx", "11 13" },
		{ "exe=a-very*", "17" },
		{ "exe=*foo?bar?", "19" },
		{ "/usr/sbin/ngin", "" },
		{ "cmd=*worker*", "13" },
		{ "cmd=nginx: master process", "11" },
		{ "cmd=nginx", "" },
		{ "nginx.service", "11 13" },
		{ "unit=nginx", "11 13" },
		{ "system.slice", "11 13" },
		{ "unit=user@*", "17" },
		{ "unit=app-x.scope", "17" },
		{ "unit=x", "" },
		{ "cgroup=/system.slice/nginx.service", "11" },
		{ "cgroup=/system.slice/*", "11 13" },
		{ "container=012345", "19" },
		{ "container=0123456789ABCDEF", "19" },
		{ "container=" ID64, "19" },
		{ "container=123456", "" },
	};
	struct fake f = fake_new();

	(void)state;
	fake_processes(&f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_found(&f, cases[i].text, cases[i].pids);
	fake_done(&f);
}

/* A path means the file it leads to inside of the process's root, links and all. */
static void test_exe_by_file(void **state)
{
	struct fake f = fake_new();
	char path[PATH_MAX];

	(void)state;
	fake_stat(&f, 11, "python3", 'S', 0, 1);
	fake_text(&f, "11/cmdline", "python3");
	/* Two roots with different files under one name, and links that are absolute in there. */
	fake_text(&f, "rootA/usr/bin/python3.11", "A");
	fake_link(&f, "rootA/usr/bin/python3", "/usr/bin/python3.11");
	fake_link(&f, "rootA/usr/bin/python", "python3");
	fake_link(&f, "rootA/usr/bin/out", "../../../../rootB/usr/bin/python3.11");
	fake_text(&f, "rootB/usr/bin/python3.11", "B");
	fake_link(&f, "rootB/usr/bin/python3", "/usr/bin/python3.11");
	fake_path(&f, "rootA/usr/bin/python3.11", path);
	fake_link(&f, "11/exe", path);
	fake_path(&f, "rootA", path);
	fake_link(&f, "11/root", path);

	check_found(&f, "/usr/bin/python3.11", "11");
	check_found(&f, "/usr/bin/python3", "11");
	check_found(&f, "/usr/bin/python", "11");
	check_found(&f, "/usr/bin/nothing", "");
	check_found(&f, "/usr/bin", "");
	check_found(&f, "/usr/bin/out", "");
	/* Wildcards are compared with the name only. */
	check_found(&f, "/usr/bin/python?", "");

	fake_delete(&f, "11/root");
	check_found(&f, "/usr/bin/python3", "");
	fake_path(&f, "rootB", path);
	fake_link(&f, "11/root", path);
	check_found(&f, "/usr/bin/python3", "");
	fake_done(&f);
}

/* The real /proc: ourselves by all that we know of ourselves. */
static void test_self(void **state)
{
	static const char *const texts[] = { "/proc/self/exe", "comm=test_selector" };
	_cleanup_(selector_freep) struct selector *s = NULL;
	_cleanup_free_ pid_t *pids = NULL;
	bool found = false;
	size_t n;

	(void)state;
	assert_int_equal(selector_parse(texts[1], &s, NULL), 0);
	assert_int_equal(selector_matches(s, "/proc", getpid()), 1);
	assert_int_equal(selector_find(s, "/proc", &pids, &n), 0);
	for (size_t i = 0; i < n; i++)
		found |= pids[i] == getpid();
	assert_true(found);
	/* A link of the kernel's does not lead out of the target's root to ourselves. */
	s = selector_free(s);
	assert_int_equal(selector_parse(texts[0], &s, NULL), 0);
	assert_int_equal(selector_matches(s, "/proc", getpid()), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_find),  cmocka_unit_test(test_exe_by_file),
		cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
