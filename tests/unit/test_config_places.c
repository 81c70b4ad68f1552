// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files of configuration count, and in what order. */
#include "config_fixture.h"

static void test_nothing_is_fine(void **state)
{
	struct config c;

	load(*state, &c);
	check_fine(&c);
	assert_int_equal(c.files.n, 0);
	assert_int_equal(c.options.monitor.tick_ns, 0);
	assert_true(c.options.monitor.watch_host);
	config_done(&c);
}

static void test_main_file_of_first_folder(void **state)
{
	struct fixture *f = *state;
	struct config c;

	put_file(f, 2, "seep.conf", "[Daemon]\nTick=7s\nMaxFrames=7\n");
	load(f, &c);
	assert_int_equal(c.options.monitor.tick_ns, 7000000000);
	config_done(&c);
	put_file(f, 1, "seep.conf", "[Daemon]\nTick=5s\n");
	load(f, &c);
	check_fine(&c);
	assert_int_equal(c.files.n, 1);
	assert_int_equal(c.options.monitor.tick_ns, 5000000000);
	/* Not merged: of main files one counts. */
	assert_int_equal(c.options.monitor.max_frames, 0);
	config_done(&c);
}

static void test_drop_ins_by_name(void **state)
{
	struct fixture *f = *state;
	static const char *const order[] = { "2/seep.conf", "0/seep.conf.d/10-a.conf",
					     "2/seep.conf.d/20-b.conf", "1/seep.conf.d/30-c.conf" };
	struct config c;

	put_file(f, 2, "seep.conf", "[Daemon]\nMaxFrames=11\nMaxTargets=13\nTick=17s\n");
	put_file(f, 1, "seep.conf.d/30-c.conf", "[Daemon]\nTick=19s\n");
	put_file(f, 2, "seep.conf.d/20-b.conf", "[Daemon]\nMaxFrames=23\nTick=29s\n");
	put_file(f, 0, "seep.conf.d/10-a.conf", "[Daemon]\nMaxFrames=31\n");
	/* Masked by the one of the same name, in a folder before. */
	put_file(f, 2, "seep.conf.d/10-a.conf", "[Daemon]\nMaxTargets=37\n");
	/* None of them are drop-ins. */
	put_file(f, 0, "seep.conf.d/.hidden.conf", "[Daemon]\nMaxTargets=41\n");
	put_file(f, 0, "seep.conf.d/90.conf.dpkg-old", "[Daemon]\nMaxTargets=41\n");
	load(f, &c);
	check_fine(&c);
	assert_int_equal(c.files.n, ARRAY_SIZE(order));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_non_null(strstr(c.files.paths[i], order[i]));
	assert_int_equal(c.options.monitor.max_frames, 23);
	assert_int_equal(c.options.monitor.max_targets, 13);
	assert_int_equal(c.options.monitor.tick_ns, 19000000000);
	config_done(&c);
}

static void test_masks(void **state)
{
	struct fixture *f = *state;
	char path[256];
	struct config c;

	put_file(f, 2, "seep.conf.d/10-a.conf", "[Daemon]\nMaxFrames=11\n");
	put_file(f, 2, "seep.conf.d/20-b.conf", "[Daemon]\nMaxTargets=13\n");
	put_file(f, 2, "targets.d/shop.conf", "[Target]\nSelector=comm=shop\n");
	put_file(f, 0, "seep.conf.d/10-a.conf", "");
	snprintf(path, sizeof(path), "%s/seep.conf.d/20-b.conf", f->paths[0]);
	assert_int_equal(symlink("/dev/null", path), 0);
	put_file(f, 1, "targets.d/shop.conf", "# nothing\n");
	load(f, &c);
	check_fine(&c);
	assert_int_equal(c.options.monitor.max_frames, 0);
	assert_int_equal(c.options.monitor.max_targets, 0);
	assert_int_equal(c.rules.n, 0);
	config_done(&c);
}

static void test_unreadable_files(void **state)
{
	struct fixture *f = *state;
	static const char *const expected[] = {
		"10-folder.conf: cannot be read: Is a directory",
		"20-fifo.conf: cannot be read: Invalid argument",
		"30-gone.conf: cannot be read: No such file",
	};
	char path[256];
	struct config c;

	make_folders(f, 0, "seep.conf.d/");
	snprintf(path, sizeof(path), "%s/seep.conf.d/10-folder.conf", f->paths[0]);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/seep.conf.d/20-fifo.conf", f->paths[0]);
	assert_int_equal(mkfifo(path, 0644), 0);
	snprintf(path, sizeof(path), "%s/seep.conf.d/30-gone.conf", f->paths[0]);
	assert_int_equal(symlink("/nowhere/at/all", path), 0);
	load(f, &c);
	check_problems(&c, expected, ARRAY_SIZE(expected));
	config_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_is_fine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_main_file_of_first_folder, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drop_ins_by_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_masks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unreadable_files, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
