// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaks and events as text: exact output for good answers, no harm from bad ones. */
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
#include "base/utf8.h"
#include "cli/leak.h"
#include "cli/render_leaks.h"
#include "cli/text.h"
#include "render_fixture.h"

#define NOW 1795626634000ull /* 2026-11-25 17:10:34 UTC */

static const struct render_options plain = { .legend = true, .hints = true };

/* Leaks as the daemon describes them; quotes are single here. */
#define FRAMES                                                                             \
	"'frames':[{'kind':'native','function':'operator new(unsigned long)','file':null," \
	"'line':null,'module':'/usr/lib/libstdc++.so.6','offset':4660},"                   \
	"{'kind':'native','function':'leak_handler','file':'/src/server.c','line':87,"     \
	"'module':'/srv/server','offset':5},"                                              \
	"{'kind':'native','function':'main','file':'/src/server.c','line':140,"            \
	"'module':'/srv/server','offset':7}]"

#define LEAK                                                                                    \
	"{'id':'9f2c41d0e7a83b15','service':'nginx.service','scope':'stack','state':'leaking'," \
	"'severity':'critical','told':true,'opened_at':'2026-11-25T15:10:34.000Z',"             \
	"'changed_at':'2026-11-25T15:10:34.000Z','closed_at':null,'times_told':2,"              \
	"'target':'4242-1','pid':4242,'uid':33,'comm':'nginx','exe':'/usr/sbin/nginx',"         \
	"'unit':'nginx.service','cgroup':null,'container':null," FRAMES ",'n_stacks':1,"        \
	"'live_bytes':62914560,'leaked_bytes':58720256,'leaked_blocks':8210,'error_bytes':0,"   \
	"'bytes_per_hour':2097152,'bytes_per_hour_low':1572864,'bytes_per_hour_high':2621440,"  \
	"'since':'2026-11-25T05:10:34.000Z','limit':{'headroom_bytes':1073741824,"              \
	"'seconds_to_limit':7800.5,'seconds_to_limit_low':6000,'seconds_to_limit_high':9000,"   \
	"'reached_at':'2026-11-25T19:20:34.500Z'},'confidence':0.974,"                          \
	"'confidence_word':'almost certain','channel':'cohorts','hold':null,"                   \
	"'evidence':['Survivors in 14 of 14 intervals of 2 h.','The rate is steady, 0.97.',"    \
	"'One path misses its free().'],'hint':'One path misses its free().',"                  \
	"'would_disprove':'A free of these by 20:00.','growth_bytes':190000000,"                \
	"'explained_bytes':171000000,"                                                          \
	"'bars':[{'from':'2026-11-25T10:00:00.000Z','births':20,'blocks':10,'bytes':2160}],"    \
	"'acknowledged':false,'note':null,'suppressed_by':null,'mark':null,"                    \
	"'numbers':{'lives':0,'lost_share':0}}"

#define SUSPECT                                                                               \
	"{'id':'9f2c41d0e7b00000','service':'/usr/bin/redis-server','scope':'frames',"        \
	"'state':'suspect','severity':'low','told':false,'closed_at':null,'target':'77-2',"   \
	"'pid':77,'comm':'redis','exe':'/usr/bin/redis-server','unit':null," FRAMES ","       \
	"'n_stacks':3,'leaked_bytes':1024,'bytes_per_hour':null,'limit':{},'confidence':0.8," \
	"'acknowledged':false,'suppressed_by':null}"

#define STOPPED                                                                          \
	"{'id':'0a00000000000000','service':'cron.service','scope':'process',"           \
	"'state':'stopped','severity':'medium','told':true,"                             \
	"'closed_at':'2026-11-25T16:00:00Z','target':null,'pid':9,'comm':'cron','unit':" \
	"'cron.service'," FRAMES ",'n_stacks':7,'leaked_bytes':9007199254740993,"        \
	"'bytes_per_hour':1e12,'limit':{'seconds_to_limit':null},'confidence':1,"        \
	"'acknowledged':true,'note':'known','suppressed_by':null,'mark':'true'}"

static int print_leak(FILE *out, const json_t *value, const struct render_options *o)
{
	const struct leak_context context = { .now_ms = NOW };

	return render_leak(out, value, &context, o);
}

static void a_table(void **state)
{
	(void)state;
	expect(render_leaks, "[" LEAK "," SUSPECT "," STOPPED "]", &plain,
	       "LEAK         STATE    SEVERITY              RATE    LEAKED    LIMIT IN   SURE  "
	       "SERVICE        WHERE\n"
	       "9f2c41d0e7a  leaking  critical        +2.0 MiB/h  56.0 MiB  2 h 10 min   97 %  "
	       "nginx.service  leak_handler (server.c:87)\n"
	       "9f2c41d0e7b  suspect  low                      -   1.0 KiB           -   80 %  "
	       "redis-server   leak_handler (server.c:87), 3 stacks\n"
	       "0a000000000  stopped  acknowledged  +931.3 GiB/h   8.0 PiB           -  100 %  "
	       "cron.service   the whole process\n");
}

static void suspects_are_dimmed(void **state)
{
	const struct render_options colour = { .colour = true };

	(void)state;
	expect(render_leaks, "[" LEAK "," SUSPECT "]", &colour,
	       "\033[33m9f2c41d0e7a  leaking  critical  +2.0 MiB/h  56.0 MiB  2 h 10 min  97 %"
	       "  nginx.service  leak_handler (server.c:87)\033[0m\n"
	       "\033[2m9f2c41d0e7b  suspect  low                -   1.0 KiB           -  80 %"
	       "  redis-server   leak_handler (server.c:87), 3 stacks\033[0m\n");
}

static void one_leak(void **state)
{
	(void)state;
	expect(print_leak, LEAK, &plain,
	       "9f2c41d0e7a83b15  leaking, critical   nginx.service   nginx (pid 4242, target "
	       "4242-1)\n"
	       "\n"
	       "Where       this call stack:\n"
	       "    at operator new(unsigned long) in libstdc++.so.6\n"
	       "==> at leak_handler (server.c:87)\n"
	       "    at main (server.c:140)\n"
	       "How fast    +2.0 MiB/h, half of the time between +1.5 MiB/h and +2.5 MiB/h\n"
	       "Lost so far 56.0 MiB in 8,210 blocks, of 60.0 MiB that are live from here\n"
	       "Since       2026-11-25 05:10 UTC, 12 h 0 min ago\n"
	       "Until       the memory limit is reached 2026-11-25 19:20 UTC, in 2 h 10 min "
	       "(between 1 h 40 min and 2 h 30 min); 1.0 GiB are left\n"
	       "How sure    97 %, almost certain, because\n"
	       "            - Survivors in 14 of 14 intervals of 2 h.\n"
	       "            - The rate is steady, 0.97.\n"
	       "Wrong if    A free of these by 20:00.\n"
	       "Hint        One path misses its free().\n"
	       "Told        2026-11-25 15:10 UTC, 2 h 0 min ago, 2 times\n"
	       "\n"
	       "Blocks by the time of their birth: solid ones live, grey ones were freed\n"
	       "  10:00 "
	       "\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588"
	       "\u2588\u2591\u2591\u2591\u2591\u2591\u2591\u2591\u2591\u2591\u2591\u2591\u2591"
	       "\u2591"
	       "\u2591 10 of 20 live, 2.1 KiB\n");
}

/* All of the forecast is as of now, however long ago the evaluation was. */
static void forecast_of_an_old_evaluation(void **state)
{
	json_auto_t *leak = parse(LEAK);
	_cleanup_free_ char *text = NULL;

	(void)state;
	/* Half an hour later than the daemon had thought when it said 7800.5 s. */
	assert_int_equal(json_object_set_new(json_object_get(leak, "limit"), "seconds_to_limit",
					     json_real(7800.5 + 1800)),
			 0);
	text = print(print_leak, leak, &plain);
	assert_non_null(strstr(text, "in 2 h 10 min (between 1 h 10 min and 2 h 0 min); "));
}

static void nothing_is_left(void **state)
{
	json_auto_t *leak = parse(LEAK);
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(json_object_set_new(json_object_get(leak, "limit"), "headroom_bytes",
					     json_integer(0)),
			 0);
	text = print(print_leak, leak, &plain);
	assert_non_null(
		strstr(text, "\nUntil       the memory limit is reached, nothing is left\n"));
}

static void one_that_is_over(void **state)
{
	(void)state;
	expect(print_leak, STOPPED, &plain,
	       "0a00000000000000  stopped, medium   cron.service   cron (pid 9)\n"
	       "\n"
	       "Where       the whole process: too many places share the growth; the largest:\n"
	       "    at operator new(unsigned long) in libstdc++.so.6\n"
	       "==> at leak_handler (server.c:87)\n"
	       "    at main (server.c:140)\n"
	       "How fast    +931.3 GiB/h\n"
	       "Lost so far 8.0 PiB in 0 blocks\n"
	       "Since       -\n"
	       "Until       no limit is in sight\n"
	       "Over        2026-11-25 16:00 UTC, 1 h 10 min ago\n"
	       "How sure    100 %\n"
	       "Told        nobody\n"
	       "Known       acknowledged: known\n"
	       "Marked      true\n");
}

/* Sentences are broken between words, at the width of the terminal. */
static void narrow_terminal(void **state)
{
	const struct render_options narrow = { .columns = 40, .ascii = true };
	json_auto_t *leak = parse(LEAK);
	_cleanup_free_ char *text = print(print_leak, leak, &narrow);

	(void)state;
	assert_non_null(strstr(text, "            - Survivors in 14 of 14\n"
				     "              intervals of 2 h.\n"));
	for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
		bool is_sentence = strncmp(at, "            ", 12) == 0 ||
				   strncmp(at, "Until ", 6) == 0 || strncmp(at, "Lost ", 5) == 0;

		assert_true(!is_sentence || strcspn(at, "\n") <= narrow.columns);
	}
	assert_non_null(strstr(text, "\nUntil       the memory limit is reached\n"
				     "            2026-11-25 19:20 UTC, in 2 h\n"));
	for (const char *c = text; *c; c++)
		assert_true((unsigned char)*c < 0x80);
}

static void history_is_drawn(void **state)
{
	json_auto_t *history = parse(
		"{'from':'2026-11-25T12:00:00Z','to':'2026-11-25T15:00:00Z','points':["
		"{'time':'2026-11-25T12:00:00Z','live_bytes':0,'rss_bytes':null},"
		"{'time':'2026-11-25T15:00:00Z','live_bytes':1048576.0,'rss_bytes':2097152.0}]}");
	const struct render_options ascii = { .ascii = true, .columns = 36 };
	_cleanup_free_ char *text = NULL;
	size_t size, n = 7;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(render_history(out, history, "live_bytes", 2, &ascii, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(fflush(out), 0);
	assert_string_equal(text, "   1.0 MiB |          **********\n"
				  "       0 B |**********\n"
				  "           +--------------------\n"
				  "            12:00          15:00 UTC\n");
	assert_int_equal(render_history(out, history, "rss_bytes", 2, &ascii, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(render_history(out, NULL, "rss_bytes", 2, &ascii, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fclose(out), 0);
}

static void events_are_lines(void **state)
{
	(void)state;
	expect(render_event,
	       "{'id':'17','time':'2026-11-25T17:10:34.250Z','event':'opened','leak':" LEAK "}",
	       &plain,
	       "2026-11-25T17:10:34Z  opened       9f2c41d0e7a83b15  nginx.service  leak_handler "
	       "(server.c:87)  +2.0 MiB/h\n");
	expect(render_event, "{'id':'17','event':'gap','missed':1200}", &plain,
	       "1,200 events missed: they came faster than they were read, or are too old\n");
}

/* Members of other types, none at all, and text that would steer a terminal. */
static void bad_answers_do_no_harm(void **state)
{
	static const char *const bad[] = {
		"null",
		"7",
		"'x'",
		"[]",
		"{}",
		"[[],7,null,'x',{}]",
		"{'id':7,'frames':{},'limit':[],'bars':7,'evidence':'x','numbers':[]}",
		"{'id':'\\u001b[2J','state':'\\u001b[31m','service':'a\\nb','comm':'\\u202e',"
		"'severity':'\\u0007','told':true,'frames':[7,{'function':'\\u001b]0;x\\u0007'}],"
		"'evidence':['\\u001b[1m',7,null],'would_disprove':'\\u001bc','note':'\\u001b[0m',"
		"'acknowledged':true,'suppressed_by':'\\n','mark':'\\u0000x','target':'\\u009b1m',"
		"'event':'\\u001b[5m','leak':{'id':'\\u001b[5m','service':'\\r'},"
		"'bytes_per_hour':1e308,'confidence':-7,'leaked_bytes':-1,'error_bytes':-5,"
		"'limit':{'seconds_to_limit':1e300,'seconds_to_limit_low':-1,"
		"'seconds_to_limit_high':1e99,'reached_at':'yesterday','headroom_bytes':1e300},"
		"'bars':[{'from':7,'births':-1,'blocks':'x','bytes':1e308},7,null]}",
	};
	const print_fn prints[] = { render_leaks, print_leak, render_event };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad) * ARRAY_SIZE(prints); i++) {
		_cleanup_free_ char *json = NULL, *text = NULL;
		json_t *value = NULL;
		char *zero;

		json = strdup(bad[i / ARRAY_SIZE(prints)]);
		zero = strstr(json, "\\u0000");
		if (zero)
			memcpy(zero, "\\u0001", 6);
		value = parse(json);
		text = print(prints[i % ARRAY_SIZE(prints)], value, &plain);
		assert_true(utf8_is_valid(text, strlen(text)));
		for (const char *c = text; *c; c++)
			assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
		assert_null(strstr(text, "\u202e"));
		json_decref(value);
	}
}

static void ids_are_told_apart(void **state)
{
	static const struct {
		const char *json;
		size_t digits;
	} rows[] = {
		{ "[]", 8 },
		{ "[{'id':'1111111111111111'}]", 8 },
		{ "[{'id':'1111111111111111'},{'id':'2111111111111111'}]", 8 },
		{ "[{'id':'1111111111111111'},{'id':'1111111211111111'}]", 8 },
		{ "[{'id':'1111111111111111'},{'id':'1111111121111111'}]", 9 },
		{ "[{'id':'1111111111111112'},{'id':'0'},{'id':'1111111111111111'}]", 16 },
		{ "[{'id':'1111111111111111'},{'id':'1111111111111111'},7]", 8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_auto_t *leaks = parse(rows[i].json);

		assert_int_equal(render_id_digits(leaks), rows[i].digits);
	}
}

static void leaks_are_selected(void **state)
{
	static const struct {
		const char *text;
		size_t n; /* of the three */
		int r;
	} rows[] = {
		{ "nginx.service", 1, 0 },
		{ "unit=*.service", 2, 0 },
		{ "nginx", 1, 0 }, /* its comm */
		{ "/usr/bin/redis-server", 1, 0 },
		{ "exe=/usr/*", 2, 0 },
		{ "77", 1, 0 },
		{ "77-2", 1, 0 },
		{ "77-3", 0, 0 },
		{ "nosuch", 0, 0 },
		{ "cmd=*", 3, -EINVAL },
		{ "", 3, -EINVAL },
		{ "colour=red", 3, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		json_auto_t *leaks = parse("[" LEAK "," SUSPECT "," STOPPED "]");
		const char *why = NULL;

		assert_int_equal(leak_select(leaks, rows[i].text, &why), rows[i].r);
		if (json_array_size(leaks) != rows[i].n)
			fail_msg("%s: %zu", rows[i].text, json_array_size(leaks));
		assert_true(rows[i].r == 0 || why);
	}
}

static void open_ones(void **state)
{
	json_auto_t *leak = parse(LEAK), *suspect = parse(SUSPECT), *stopped = parse(STOPPED);

	(void)state;
	assert_true(leak_is_open(leak));
	assert_false(leak_is_open(suspect));
	assert_false(leak_is_open(stopped));
	assert_false(leak_is_open(NULL));
	assert_true(leak_is_suspect(suspect));
	assert_false(leak_is_suspect(leak));
	json_object_set_new(leak, "acknowledged", json_true());
	assert_false(leak_is_open(leak));
	json_object_set_new(leak, "acknowledged", json_false());
	json_object_set_new(leak, "suppressed_by", json_string("id"));
	assert_false(leak_is_open(leak));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table),
		cmocka_unit_test(suspects_are_dimmed),
		cmocka_unit_test(one_leak),
		cmocka_unit_test(forecast_of_an_old_evaluation),
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(one_that_is_over),
		cmocka_unit_test(narrow_terminal),
		cmocka_unit_test(history_is_drawn),
		cmocka_unit_test(events_are_lines),
		cmocka_unit_test(bad_answers_do_no_harm),
		cmocka_unit_test(ids_are_told_apart),
		cmocka_unit_test(leaks_are_selected),
		cmocka_unit_test(open_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
