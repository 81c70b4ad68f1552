// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration: what is wrong with it, what it sets, and every key. */
#include "config_fixture.h"

#include "base/similar.h"
#include "daemon/whole_file.h"

/* --- what is wrong ---------------------------------------------------------------------------------- */

static void test_all_mistakes_are_told(void **state)
{
	struct fixture *f = *state;
	static const char *const expected[] = {
		"seep.conf:1: Tick= stands before the first section",
		"seep.conf:3: [Daemon] has no Tik=; did you mean Tick=?",
		"seep.conf:4: MaxFrames=: '128' is not a number from 1 to 127",
		"seep.conf:5: [Daemon] has no Suppressions=; there is Suppressions= in [Alerts]",
		"seep.conf:6: [Daemon] has no Xyzzy=",
		"seep.conf:7: neither [Section] nor Key=value nor a comment",
		"seep.conf:8: there is no section [Budgets]; did you mean [Budget]?",
		"seep.conf:10: a section must stand alone on its line",
		"seep.conf:13: Target=: '0' is not a percentage",
		"seep.conf:14: SamplingInterval=: '7' is not a size from 1K to 1G",
		"seep.conf:16: the line has 300 bytes, at most 196 are taken",
		"seep.conf:17: the line is not printable UTF-8",
		"seep.conf:18: there is no section [Target]; targets stand in files of targets.d",
		"seep.conf:21: Command=: 'mail' is not the absolute path of a command",
		"seep.conf:22: User=: there is no user 'nobody-at-all'",
		"seep.conf:23: User=: 'root' is root, who must not run it",
		"seep.conf:25: Listen=: '0.0.0.0:80' is not a loopback address",
		"seep.conf:27: OperateGroup=: there is no group 'no-such-group'",
	};
	char text[2048], longest[301];
	struct config c;

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	snprintf(text, sizeof(text),
		 "Tick=3s\n[Daemon]\nTik=3s\nMaxFrames=128\nSuppressions=/x\nXyzzy=1\nnonsense\n"
		 "[Budgets]\nAnything=goes\n[Budget\nTarget=9\n[Budget]\nTarget="
		 "0\nSamplingInterval=7\n"
		 "\tTotal = 4%% ; as is\n%s\n\x80\n[Target]\nSelector=x\n[Alerts]\nCommand=mail\n"
		 "User=nobody-at-all\nUser=root\n[Http]\nListen=0.0.0.0:80\n[Access]\n"
		 "OperateGroup=no-such-group\n",
		 longest);
	put_file(f, 0, "seep.conf", text);
	load(f, &c);
	check_problems(&c, expected, ARRAY_SIZE(expected));
	assert_float_equal(c.options.monitor.total_budget_ratio, 0.04, 1e-9);
	config_done(&c);
}

static void test_targets(void **state)
{
	struct fixture *f = *state;
	const struct target_rule *rule;
	struct config c;

	put_file(f, 0, "targets.d/20-shop.conf",
		 "[Target]\nSelector=shop.service\nSelector=comm=worker\nBudget=1%\nFollow=yes\n"
		 "Limit=2G\nConfidence=95\nLeastBlocks=17\nLongestToLimit=1h\n"
		 "[Target]\nMode=sampled\nSamplingInterval=128K\nSelector=exe=/usr/bin/billing\n");
	put_file(f, 2, "targets.d/10-base.conf", "[Target]\nSelector=cron\nMode=exact\nMode=\n");
	load(f, &c);
	check_fine(&c);
	assert_int_equal(c.rules.n, 4);
	assert_string_equal(c.rules.list[0].selector, "cron");
	assert_int_equal(c.rules.list[0].how.mode, TRACK_GOVERNED);
	for (size_t i = 1; i < 3; i++) {
		rule = &c.rules.list[i];
		assert_int_equal(rule->how.mode, TRACK_GOVERNED);
		assert_float_equal(rule->how.budget_ratio, 0.01, 1e-9);
		assert_true(rule->how.follow);
		assert_true(rule->how.is_configured);
		assert_int_equal(rule->how.limit_bytes, 2147483648);
		assert_float_equal(rule->how.thresholds.least_confidence, 0.95, 1e-9);
		assert_int_equal(rule->how.thresholds.least_blocks, 17);
		assert_int_equal(rule->how.thresholds.longest_to_limit_ns, 3600000000000);
	}
	rule = target_rules_find(&c.rules, "exe=/usr/bin/billing");
	assert_non_null(rule);
	assert_int_equal(rule->how.mode, TRACK_SAMPLED);
	assert_int_equal(rule->how.sampling_interval, 131072);
	assert_false(rule->how.follow);
	assert_int_equal(rule->line, 13);
	config_done(&c);
}

static void test_mistakes_in_targets(void **state)
{
	struct fixture *f = *state;
	static const char *const expected[] = {
		"a.conf:1: Selector= stands before the first section",
		"a.conf:4: 'comm=a' is a target already, by ",
		"a.conf:5: 'pid=none' names no process",
		"a.conf:6: [Target] has no Modus=; did you mean Mode=?",
		"a.conf:2: Budget= goes with Mode=governed only",
		"a.conf:9: the section has no Selector=",
		"a.conf:10: there is no section [Daemon] here, only [Target]",
		"b.conf:2: 'comm=a' is a target already, by ",
	};
	struct config c;

	put_file(f, 0, "targets.d/a.conf",
		 "Selector=x\n[Target]\nSelector=comm=a\nSelector=comm=a\nSelector=pid=none\n"
		 "Modus=exact\nMode=exact\nBudget=3\n[Target]\n[Daemon]\nTick=3s\n");
	put_file(f, 0, "targets.d/b.conf", "[Target]\nSelector=comm=a\n");
	load(f, &c);
	check_problems(&c, expected, ARRAY_SIZE(expected));
	config_done(&c);
}

static void test_suppressions_are_checked(void **state)
{
	struct fixture *f = *state;
	char text[256];
	struct config c;

	put_file(f, 0, "list.supp", "leak:fine\nrace:other\n");
	snprintf(text, sizeof(text), "[Alerts]\nSuppressions=%s/list.supp\n", f->paths[0]);
	put_file(f, 0, "seep.conf", text);
	load(f, &c);
	assert_int_equal(c.problems.n, 1);
	assert_non_null(strstr(c.problems.lines[0], "list.supp:2: "));
	config_done(&c);
}

/* An empty value is as if nothing had been said, of all kinds. */
static void test_empty_takes_back(void **state)
{
	struct fixture *f = *state;
	struct config c;

	put_file(
		f, 0, "seep.conf",
		"[Daemon]\nTick=3s\nAutoTrack=yes\nLinks=perf\nLogLevel=debug\n[Budget]\nTarget=9\n"
		"[Alerts]\nCommand=/bin/true\n");
	put_file(f, 0, "seep.conf.d/a.conf",
		 "[Daemon]\nTick=\nAutoTrack=\nLinks=\nLogLevel=\n[Budget]\nTarget=\n"
		 "[Alerts]\nCommand=\n");
	load(f, &c);
	check_fine(&c);
	assert_int_equal(c.options.monitor.tick_ns, 0);
	assert_false(c.options.monitor.auto_track);
	assert_int_equal(c.options.links, 0);
	assert_int_equal(c.options.log_level, 0);
	assert_true(c.options.monitor.budget_ratio == 0);
	assert_null(c.options.on_alert);
	config_done(&c);
}

static void test_problems_are_bounded(void **state)
{
	struct fixture *f = *state;
	char *text = calloc(1, 4096);
	struct config c;

	for (size_t i = 0; i < PROBLEMS_MAX + 3; i++)
		strcat(text, "nonsense\n");
	put_file(f, 0, "seep.conf", text);
	free(text);
	load(f, &c);
	assert_int_equal(c.problems.n, PROBLEMS_MAX);
	assert_int_equal(c.problems.left_out, 3);
	config_done(&c);
}

/* --- the command line ------------------------------------------------------------------------------- */

static void test_arguments_win(void **state)
{
	struct fixture *f = *state;
	const char *argv[] = { "seepd", "--config", f->paths[0], "--tick", "3s",
			       "-t",	"nginx",    "-v",	 NULL };
	struct config c;
	int status;

	put_file(f, 0, "seep.conf", "[Daemon]\nTick=5s\nMaxFrames=7\nLogLevel=error\n");
	/* As at a reload: again, with the same arguments. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(config_read(8, (char **)argv, &c, &status), 1);
		check_fine(&c);
		assert_int_equal(c.options.monitor.tick_ns, 3000000000);
		assert_int_equal(c.options.monitor.max_frames, 7);
		assert_int_equal(c.options.log_level, LOG_LEVEL_DEBUG);
		assert_int_equal(c.options.n_selectors, 1);
		assert_string_equal(c.options.selectors[0], "nginx");
		config_done(&c);
	}
}

static void test_bad_arguments(void **state)
{
	static const char *const bad[][2] = {
		{ "--tick", "3" },	 { "--tick", "" },     { "--max-frames", "0" },
		{ "--ring-size", "5K" }, { "--links", "tcp" }, { "--http", "192.0.2.1:80" },
		{ "--budget", "101" },	 { "--socket", "" },   { "--on-alert", "true" },
	};
	struct config c;
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *argv[] = { "seepd", bad[i][0], bad[i][1], NULL };

		if (config_read(3, (char **)argv, &c, &status) != 0 || status != EXIT_STATUS_USAGE)
			fail_msg("%s '%s' was taken", bad[i][0], bad[i][1]);
		config_done(&c);
	}
}

static void test_one_file(void **state)
{
	struct fixture *f = *state;
	char path[256];
	struct config c;

	put_file(f, 0, "mine.conf", "[Daemon]\nTick=5s\n");
	put_file(f, 0, "targets.d/a.conf", "[Target]\nSelector=comm=a\n");
	snprintf(path, sizeof(path), "%s/mine.conf", f->paths[0]);
	assert_int_equal(config_load(path, &c), 0);
	check_fine(&c);
	assert_int_equal(c.files.n, 1);
	assert_int_equal(c.options.monitor.tick_ns, 5000000000);
	config_done(&c);
	assert_int_equal(config_load("/nowhere/at/all", &c), 0);
	assert_int_equal(c.problems.n, 1);
	config_done(&c);
}

/* --- what is shipped -------------------------------------------------------------------------------- */

static char *read_shipped(const char *path)
{
	char *text;
	size_t n;

	assert_int_equal(whole_file_read(path, 1 << 20, &text, &n), 0);
	return text;
}

/* Whether @key stands in the part of @text from the line @section up to the next such line. */
static bool has_key(const char *text, const char *section, const char *next, const char *key)
{
	const char *from = strstr(text, section), *at, *to;

	if (!from)
		return false;
	from += strlen(section);
	to = strstr(from, next);
	at = strstr(from, key);
	return at && (!to || at < to);
}

static void test_every_key_is_shipped_and_told(void **state)
{
	char *shipped = read_shipped("systemd/seep.conf"),
	     *docs = read_shipped("docs/configuration.md");
	char section[64], key[64];

	(void)state;
	for (size_t i = 0; i < n_seepd_settings; i++) {
		const struct setting *s = &seepd_settings[i];

		snprintf(section, sizeof(section), "\n[%s]\n", s->section);
		snprintf(key, sizeof(key), "\n#%s=", s->key);
		if (!has_key(shipped, section, "\n[", key))
			fail_msg("systemd/seep.conf has no %s= in [%s]", s->key, s->section);
		snprintf(section, sizeof(section), "\n### [%s]\n", s->section);
		snprintf(key, sizeof(key), "\n| `%s=` |", s->key);
		if (!has_key(docs, section, "\n##", key))
			fail_msg("docs/configuration.md has no %s= in [%s]", s->key, s->section);
	}
	for (size_t i = 0; i < n_target_settings; i++) {
		snprintf(key, sizeof(key), "\n| `%s=` |", target_settings[i].key);
		if (!has_key(docs, "\n## Targets\n", "\n## ", key))
			fail_msg("docs/configuration.md has no %s= of targets",
				 target_settings[i].key);
	}
	free(shipped);
	free(docs);
}

/* As it is, and with every key in force: nothing in it is wrong, or unknown. */
static void test_shipped_file_is_right(void **state)
{
	char *shipped = read_shipped("systemd/seep.conf");
	struct fixture *f = *state;
	struct config c;

	put_file(f, 0, "seep.conf", shipped);
	load(f, &c);
	check_fine(&c);
	config_done(&c);
	for (char *at = shipped; (at = strstr(at, "\n#")); at++)
		if (at[2] >= 'A' && at[2] <= 'Z')
			at[1] = ' ';
	put_file(f, 0, "seep.conf", shipped);
	load(f, &c);
	for (size_t i = 0; i < c.problems.n; i++)
		if (!strstr(c.problems.lines[i], "there is no group 'seep'"))
			fail_msg("%s", c.problems.lines[i]);
	assert_int_equal(c.options.monitor.tick_ns, 10000000000);
	assert_int_equal(c.options.monitor.max_blocks, 1048576);
	assert_float_equal(c.options.monitor.thresholds.least_confidence, 0.8, 1e-9);
	config_done(&c);
	free(shipped);
}

static void test_similar_words(void **state)
{
	(void)state;
	assert_int_equal(similar_distance("Tick", "Tick"), 0);
	assert_int_equal(similar_distance("tick", "Tick"), 0);
	assert_int_equal(similar_distance("Tcik", "Tick"), 1);
	assert_int_equal(similar_distance("Tik", "Tick"), 1);
	assert_int_equal(similar_distance("Ti", "Tick"), SIMILAR_NOT);
	assert_int_equal(similar_distance("MaxBlock", "MaxBlocks"), 1);
	assert_int_equal(similar_distance("", "Tick"), SIMILAR_NOT);
	assert_int_equal(similar_distance("SamplingIntervalSamplingInterval", "Tick"), SIMILAR_NOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_mistakes_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_targets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mistakes_in_targets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_suppressions_are_checked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty_takes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_problems_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_arguments_win, set_up, tear_down),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test_setup_teardown(test_one_file, set_up, tear_down),
		cmocka_unit_test(test_every_key_is_shipped_and_told),
		cmocka_unit_test_setup_teardown(test_shipped_file_is_right, set_up, tear_down),
		cmocka_unit_test(test_similar_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
