// SPDX-License-Identifier: GPL-2.0-or-later
/* The parser of the command line, its help, and the table of verbs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/grouping.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "heap/group.h"

struct values {
	bool flag;
	const char *text;
	const char *choice;
	uint64_t number;
	uint64_t size;
	uint64_t time;
	struct option_list list;
};

static const char *const words[] = { "red", "green", NULL };

static const struct cli_option table[] = {
	{ "flag", 'f', OPTION_FLAG, offsetof(struct values, flag), NULL, NULL, 0, 0, "a flag" },
	{ "text", 't', OPTION_TEXT, offsetof(struct values, text), "TEXT", NULL, 0, 0, "a text" },
	{ "choice", 0, OPTION_CHOICE, offsetof(struct values, choice), NULL, words, 0, 0, "words" },
	{ "number", 'n', OPTION_NUMBER, offsetof(struct values, number), "N", NULL, 1, 1000,
	  "a number" },
	{ "size", 0, OPTION_SIZE, offsetof(struct values, size), "BYTES", NULL, 4096, 1 << 20,
	  "a size" },
	{ "for", 0, OPTION_DURATION, offsetof(struct values, time), "TIME", NULL, 1000000000, 0,
	  "a time" },
	{ "list", 'l', OPTION_LIST, offsetof(struct values, list), "GLOB", NULL, 0, 0, "a list" },
};

static const struct option_set set = {
	.verb = "verb",
	.operands = "[A [B]]",
	.about = "About this verb.",
	.examples = "  seepctl verb x",
	.options = table,
	.n_options = ARRAY_SIZE(table),
	.max_operands = 2,
};

static const struct option_set command_set = {
	.verb = "run",
	.operands = "COMMAND...",
	.options = table,
	.n_options = ARRAY_SIZE(table),
	.min_operands = 1,
	.max_operands = SIZE_MAX,
	.stop_at_operand = true,
};

#define MAX_ARGUMENTS 80

struct result {
	struct values values;
	struct cli_context context;
	struct operands operands;
	char why[OPTIONS_WHY_BYTES];
	char *argv[MAX_ARGUMENTS];
	int r;
};

/* @arguments ends with NULL; they are not written to, only moved. */
static void parse(const struct option_set *s, const char *const *arguments, struct result *ret)
{
	int argc = 0;

	memset(ret, 0, sizeof(*ret));
	ret->argv[argc++] = (char *)"verb";
	while (arguments[argc - 1]) {
		ret->argv[argc] = (char *)arguments[argc - 1];
		argc++;
	}
	ret->r = options_parse(s, argc, ret->argv, &ret->values, &ret->context, &ret->operands,
			       ret->why);
}

static void every_form_of_an_option_is_taken(void **state)
{
	const char *const arguments[] = { "-ft",   "one",   "--number=23", "x",	     "--choice",
					  "green", "-j",    "-s/run",	   "--size", "64KiB",
					  "--for", "1m30s", "-la",	   "-l",     "b",
					  "--",	   "-y",    NULL };
	struct result r;

	(void)state;
	parse(&set, arguments, &r);
	assert_int_equal(r.r, 0);
	assert_true(r.values.flag);
	assert_string_equal(r.values.text, "one");
	assert_int_equal(r.values.number, 23);
	assert_string_equal(r.values.choice, "green");
	assert_int_equal(r.values.size, 65536);
	assert_int_equal(r.values.time, 90000000000ull);
	assert_true(r.context.json);
	assert_false(r.context.quiet);
	assert_string_equal(r.context.socket_path, "/run");
	assert_int_equal(r.values.list.n, 2);
	assert_string_equal(r.values.list.items[0], "a");
	assert_string_equal(r.values.list.items[1], "b");
	assert_int_equal(r.operands.n, 2);
	assert_string_equal(r.operands.items[0], "x");
	assert_string_equal(r.operands.items[1], "-y");
	/* What is executed must not go on with the arguments that were moved away. */
	assert_null(r.operands.items[2]);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *arguments[4];
		const char *why;
	} cases[] = {
		{ { "--flat" }, "unknown option '--flat'" },
		{ { "--fla" }, "unknown option '--fla'" },
		{ { "--=x" }, "unknown option '--'" },
		{ { "-fz" }, "unknown option '-z'" },
		{ { "--flag=yes" }, "--flag takes no value" },
		{ { "--text" }, "--text wants a value" },
		{ { "-ft" }, "-t wants a value" },
		{ { "--text=" }, "--text wants a value that is not empty" },
		{ { "--list", "" }, "--list wants a value that is not empty" },
		{ { "--choice", "blue" }, "--choice wants one of red, green, not 'blue'" },
		{ { "-n", "0" }, "--number wants a number from 1 to 1000, not '0'" },
		{ { "-n1001" }, "--number wants a number from 1 to 1000, not '1001'" },
		{ { "-n-1" }, "--number wants a number from 1 to 1000, not '-1'" },
		{ { "-n1x" }, "--number wants a number from 1 to 1000, not '1x'" },
		{ { "-n18446744073709551617" },
		  "--number wants a number from 1 to 1000, not '18446744073709551617'" },
		{ { "--size", "1Z" }, "--size wants a size such as 64K, 3M or 1GiB, not '1Z'" },
		{ { "--size", "1K" }, "--size: '1K' is too small" },
		{ { "--size", "3M" }, "--size: '3M' is too large" },
		{ { "--for", "5" }, "--for wants a time such as 30s, 5m or 1h30m, not '5'" },
		{ { "--for", "1ms" }, "--for: '1ms' is too small" },
		{ { "a", "b", "c" }, "surplus argument 'c'" },
		{ { "--color=blue" }, "--color wants one of auto, always, never, not 'blue'" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct result r;

		parse(&set, cases[i].arguments, &r);
		assert_string_equal(r.why, cases[i].why);
		assert_int_equal(r.r, -EINVAL);
	}
}

static void long_complaints_show_that_they_are_cut(void **state)
{
	char word[997];
	const char *const arguments[] = { "--choice", word, NULL };
	struct result r;

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	parse(&set, arguments, &r);
	assert_int_equal(r.r, -EINVAL);
	assert_int_equal(strlen(r.why), OPTIONS_WHY_BYTES - 1);
	assert_string_equal(r.why + OPTIONS_WHY_BYTES - 6, "ww...");
}

static void lists_have_an_end(void **state)
{
	const char *arguments[OPTION_LIST_MAX + 2];
	struct result r;
	size_t i;

	(void)state;
	for (i = 0; i <= OPTION_LIST_MAX; i++)
		arguments[i] = "-lx";
	arguments[OPTION_LIST_MAX] = NULL;
	parse(&set, arguments, &r);
	assert_int_equal(r.r, 0);
	assert_int_equal(r.values.list.n, OPTION_LIST_MAX);
	arguments[OPTION_LIST_MAX] = "-lx";
	arguments[OPTION_LIST_MAX + 1] = NULL;
	parse(&set, arguments, &r);
	assert_int_equal(r.r, -EINVAL);
	assert_string_equal(r.why, "--list can be given 30 times at most");
}

static void the_command_keeps_its_options(void **state)
{
	static const struct {
		const char *arguments[6];
		size_t n;
		bool flag;
	} cases[] = {
		{ { "-f", "ls", "-f", "--json", NULL }, 3, true },
		{ { "--", "ls", "-f", "--json", NULL }, 3, false },
		{ { "ls", "--", "-f", NULL }, 3, false },
		{ { "-f", "--", "--", "x", NULL }, 2, true },
	};
	const char *const nothing[] = { "-f", "--", NULL };
	struct result r;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		parse(&command_set, cases[i].arguments, &r);
		assert_int_equal(r.r, 0);
		assert_int_equal(r.operands.n, cases[i].n);
		assert_int_equal(r.values.flag, cases[i].flag);
		assert_false(r.context.json);
	}
	parse(&command_set, nothing, &r);
	assert_int_equal(r.r, -EINVAL);
	assert_string_equal(r.why, "COMMAND... is missing");
}

static void help_is_made_from_the_table(void **state)
{
	const char *const arguments[] = { "-f", "--help", "--nonsense", NULL };
	_cleanup_free_ char *text = NULL;
	size_t size = 0, n, i;
	struct result r;
	const struct cli_option *common = options_common(&n);
	FILE *f = open_memstream(&text, &size);

	(void)state;
	parse(&set, arguments, &r);
	assert_int_equal(r.r, 1);

	assert_non_null(f);
	options_print_help(f, &set);
	fclose(f);
	assert_non_null(
		strstr(text, "Usage: seepctl verb [OPTION...] [A [B]]\n\nAbout this verb.\n"));
	assert_non_null(strstr(text, "\n  -f, --flag                a flag\n"));
	assert_non_null(strstr(text, "\n      --choice red|green    words\n"));
	assert_non_null(strstr(text, "\n  -n, --number N            a number\n"));
	assert_non_null(strstr(text, "\nExamples:\n  seepctl verb x\n"));
	for (i = 0; i < n; i++)
		assert_non_null(strstr(text, common[i].help));
}

static void words_are_those_of_the_api(void **state)
{
	enum group_sort sort;
	enum group_by by;
	size_t i;

	(void)state;
	for (i = 0; grouping_by_words[i]; i++)
		assert_int_equal(group_by_parse(grouping_by_words[i], &by), 0);
	assert_int_equal(i, GROUP_BY_MODULE + 2); /* traceback is another word for stack */
	for (i = 0; grouping_sort_words[i]; i++)
		assert_int_equal(group_sort_parse(grouping_sort_words[i], &sort), 0);
	assert_int_equal(i, GROUP_SORT_ALLOCATED + 1);
}

static void misspelt_verbs_find_their_neighbour(void **state)
{
	static const struct {
		const char *name;
		const char *meant;
	} cases[] = {
		{ "stie", "sites" },
		{ "sits", "sites" },
		{ "targts", "targets" },
		{ "untrcak", "untrack" },
		{ "snap", "snapshot" },
		{ "dif", "diff" },
		{ "stauts", "status" },
		{ "traec", "trace" },
		{ "xyzzy", NULL },
		{ "", NULL },
		{ "x", NULL },
		{ "ab", NULL },
		{ "a_word_that_is_much_longer_than_any_verb", NULL },
	};
	size_t n, i;
	const struct cli_verb *verbs = cli_verbs(&n);

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct cli_verb *found = cli_verb_suggest(cases[i].name);

		if (!cases[i].meant) {
			assert_null(found);
			continue;
		}
		assert_non_null(found);
		assert_string_equal(found->name, cases[i].meant);
	}
	for (i = 0; i < n; i++)
		assert_ptr_equal(cli_verb_find(verbs[i].name), &verbs[i]);
	assert_null(cli_verb_find("sit"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_an_option_is_taken),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(long_complaints_show_that_they_are_cut),
		cmocka_unit_test(lists_have_an_end),
		cmocka_unit_test(the_command_keeps_its_options),
		cmocka_unit_test(help_is_made_from_the_table),
		cmocka_unit_test(words_are_those_of_the_api),
		cmocka_unit_test(misspelt_verbs_find_their_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
