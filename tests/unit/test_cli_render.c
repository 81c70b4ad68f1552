// SPDX-License-Identifier: GPL-2.0-or-later
/* From JSON to text: exact output for good answers, no harm from bad ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/render.h"
#include "cli/report.h"
#include "target/target.h"
#include "render_fixture.h"

static const struct render_options plain = { .legend = true, .hints = true };

/* A site as the daemon describes it; quotes are single here. */
#define SITE                                                                                       \
	"{'site_id':'a1','leak_id':'b2','target':'4242-1','live_bytes':1463552,'live_count':1463," \
	"'average_bytes':1000,'allocated_bytes':2202009,'allocated_count':2101,'freed_bytes':7,"   \
	"'freed_count':3,'error_bytes':0,'oldest_seconds':7384.5,'stack_status':'no_table',"       \
	"'trend':{'verdict':'quiet','bytes_per_hour':12897484.8,"                                  \
	"'bytes_per_hour_error':419430.4,'confidence':null,'since':null},'frames':["               \
	"{'kind':'native','function':'operator new(unsigned long)','file':null,'line':null,"       \
	"'module':'/usr/lib/libstdc++.so.6','offset':4660,'approximate':true},"                    \
	"{'kind':'inlined','function':'make_node','file':'/src/list.h','line':7,"                  \
	"'module':'/srv/server','offset':5,'approximate':false},"                                  \
	"{'kind':'native','function':'leak_handler','file':'/src/server.c','line':87,"             \
	"'module':'/srv/server','offset':5,'approximate':false},"                                  \
	"{'kind':'native','function':null,'file':null,'line':null,'module':'/lib/libfoo.so',"      \
	"'offset':4660,'approximate':true},"                                                       \
	"{'kind':'python','function':'loop','file':'/srv/app.py','line':11,'module':null},"        \
	"{'kind':'native','function':null,'module':null,'offset':139637976727552}]}"

/* Of the site; never cut: it is for editors, too. */
#define TRACEBACK                                                  \
	"    Traceback (most recent call last):\n"                 \
	"    stack cut here: no unwind table\n"                    \
	"      Module \"<unknown>\", offset 0x7f0000000000\n"      \
	"      File \"/srv/app.py\", line 11, in loop\n"           \
	"      Module \"/lib/libfoo.so\", offset 0x1234\n"         \
	"      File \"/src/server.c\", line 87, in leak_handler\n" \
	"      File \"/src/list.h\", line 7, in make_node\n"       \
	"      Module \"/usr/lib/libstdc++.so.6\", in operator new(unsigned long)\n"

#define COVERAGE                                                       \
	"{'from_start':true,'allocations_seen':2101,'frees_seen':638," \
	"'frees_of_unknown_blocks':17,'failed_allocations':1,"         \
	"'lost':{'live_full':0,'sites_full':23,'missed_free':1},"      \
	"'truncated_stacks':{'depth':0,'no_table':5}}"

#define TARGET                                                                                 \
	"{'id':'4242-1','pid':4242,'comm':'server','exe':'/srv/server','unit':null,"           \
	"'container':null,'mode':'exact','state':'traced','error':null,'rss_bytes':123457789," \
	"'limit_bytes':2147483648,'live_bytes':1463552,'live_count':1463,'coverage':" COVERAGE "}"

#define LIST                                                                                       \
	"{'sites':[" SITE "],'total':23,'limit':1,'sum':{'live_bytes':5242880,'live_count':5003,"  \
	"'allocated_bytes':9437184,'allocated_count':7777},'hidden':{'live_bytes':1234,"           \
	"'live_count':3,'allocated_count':3,'sites':2},'by':'stack','sort':'live','target':'4242-" \
	"1'}"

static int print_list(FILE *out, const json_t *value, const struct render_options *o)
{
	static const struct render_listing listing = { .by = NULL };
	int r = render_sites(out, value, &listing, o);

	render_sums(out, value, &listing, o);
	return r;
}

static int print_difference(FILE *out, const json_t *value, const struct render_options *o)
{
	static const struct render_listing listing = {
		.is_difference = true,
		.several_targets = true,
	};
	int r = render_sites(out, value, &listing, o);

	render_sums(out, value, &listing, o);
	return r;
}

static int print_coverage(FILE *out, const json_t *value, const struct render_options *o)
{
	render_coverage(out, value, o);
	return 0;
}

static int print_coverage_sum(FILE *out, const json_t *value, const struct render_options *o)
{
	json_auto_t *sum = render_coverage_sum(value);

	assert_non_null(sum);
	render_coverage(out, sum, o);
	return 0;
}

static void verdicts_are_told(void **state)
{
	(void)state;
	expect(print_list,
	       "{'sites':[{'live_bytes':7,'live_count':1,'average_bytes':7,'allocated_bytes':7,"
	       "'allocated_count':1,'trend':{'verdict':'leaking','bytes_per_hour':7,"
	       "'confidence':0.97}}],'total':1,'by':'stack'}",
	       &plain,
	       "#1  live 7 B in 1 block (avg 7 B)   +7.0 B/h   leaking (97 %)   allocated 7 B in "
	       "1\n"
	       "Live: 7 B in 1 block; allocated 7 B in 1 call\n");
}

static void stacks_are_listed(void **state)
{
	(void)state;
	expect(print_list, LIST, &plain,
	       "#1  live 1.4 MiB in 1,463 blocks (avg 1000 B)   +12.3 MiB/h \u00b10.4   "
	       "allocated 2.1 MiB in 2,101   oldest 2 h 3 min\n"
	       "    at operator new(unsigned long) in libstdc++.so.6 (approximate)\n"
	       "    at make_node (list.h:7) [inlined]\n"
	       "    at leak_handler (server.c:87)\n"
	       "    at libfoo.so+0x1234\n"
	       "    at loop (app.py:11) [python]\n"
	       "    at 0x7f0000000000 (unknown)\n"
	       "    stack cut here: no unwind table\n"
	       "Live: 5.0 MiB in 5,003 blocks; allocated 9.0 MiB in 7,777 calls\n"
	       "22 more stacks: --limit 23 shows all\n"
	       "Hidden by filters: 2 sites with 1.2 KiB in 3 blocks\n");
}

static int print_traceback(FILE *out, const json_t *value, const struct render_options *o)
{
	static const struct render_listing listing = { .by = "stack" };
	struct render_options traceback = *o;

	traceback.traceback = true;
	return render_sites(out, value, &listing, &traceback);
}

static void tracebacks_have_the_most_recent_call_last(void **state)
{
	const struct render_options narrow = { .columns = 31, .ascii = true };

	(void)state;
	for (int i = 0; i < 2; i++)
		expect(print_traceback, "[" SITE "]", i ? &narrow : &plain,
		       i ? "#1  live 1.4 MiB in 1,463 blocks (avg 1000 B)   +12.3 MiB/h +/-0.4   "
			   "allocated 2.1 MiB in 2,101   oldest 2 h 3 min\n" TRACEBACK :
			   "#1  live 1.4 MiB in 1,463 blocks (avg 1000 B)   "
			   "+12.3 MiB/h \u00b10.4   "
			   "allocated 2.1 MiB in 2,101   oldest 2 h 3 min\n" TRACEBACK);
	expect(print_traceback,
	       "[{'live_bytes':1,'live_count':1,'stack_status':'complete','frames':["
	       "{'kind':'python','function':'f\\u001b','file':'<string>','line':null}]}]",
	       &plain,
	       "#1  live 1 B in 1 block (avg 0 B)   allocated 0 B in 0\n"
	       "    Traceback (most recent call last):\n"
	       "      File \"<string>\", in f?\n");
	expect(print_traceback, "[{'live_bytes':1,'live_count':1,'frames':[]}]", &plain,
	       "#1  live 1 B in 1 block (avg 0 B)   allocated 0 B in 0\n");
}

static void narrow_terminals_get_cut_names_and_whole_numbers(void **state)
{
	const struct render_options o = { .columns = 31, .ascii = true };

	(void)state;
	expect(print_list, "[" SITE "]", &o,
	       "#1  live 1.4 MiB in 1,463 blocks (avg 1000 B)   +12.3 MiB/h +/-0.4   "
	       "allocated 2.1 MiB in 2,101   oldest 2 h 3 min\n"
	       "    at operator new(unsigned...\n"
	       "    at make_node (list.h:7) ...\n"
	       "    at leak_handler (server....\n"
	       "    at libfoo.so+0x1234\n"
	       "    at loop (app.py:11) [pyt...\n"
	       "    at 0x7f0000000000 (unknown)\n"
	       "    stack cut here: no unwind table\n"
	       "Live: 1.4 MiB in 1,463 blocks; allocated 2.1 MiB in 2,101 calls\n");
}

static void colours_mark_the_blamed_frame(void **state)
{
	const struct render_options o = { .colour = true };

	(void)state;
	expect(print_list,
	       "[{'live_bytes':7,'live_count':1,'frames':[{'function':'operator new(unsigned "
	       "long)'},"
	       "{'function':'f'},{'function':'g'}]}]",
	       &o,
	       "\033[1m#1  live 7 B in 1 block (avg 0 B)   allocated 0 B in 0\033[0m\n"
	       "    at \033[2moperator new(unsigned long)\033[0m\n"
	       "    at \033[1mf\033[0m\n"
	       "    at g\n"
	       "Live: 7 B in 1 block; allocated 0 B in 0 calls\n");
}

static void other_groupings_are_tables(void **state)
{
#define GROUP(by, frame)                                                                  \
	"{'by':'" by "','sites':[{'live_bytes':2048,'live_count':2,'average_bytes':1024," \
	"'allocated_bytes':4096,'allocated_count':5,'frames':[" frame "]}],'total':1}"
#define SUMS "Live: 2.0 KiB in 2 blocks; allocated 4.0 KiB in 5 calls\n"
	static const struct {
		const char *json;
		const char *place;
	} cases[] = {
		{ GROUP("line", "{'function':'f','file':'/a/b.c','line':7,'module':'/m'}"),
		  "f (/a/b.c:7)" },
		{ GROUP("line", "{'function':'f','module':'/lib/m','approximate':true}"),
		  "f in /lib/m (approximate)" },
		{ GROUP("function", "{'function':'f','file':'/a/b.c','module':'/lib/m'}"),
		  "f in /lib/m" },
		{ GROUP("function", "{'function':null,'module':'/lib/m','offset':null}"),
		  "/lib/m" },
		{ GROUP("file", "{'file':'/a/b.c','module':'/lib/m'}"), "/a/b.c" },
		{ GROUP("file", "{'file':null,'module':'/lib/m'}"), "/lib/m" },
		{ GROUP("module", "{'module':'/lib/m'}"), "/lib/m" },
		{ GROUP("module", "{'module':null}"), "-" },
		{ GROUP("line", "{}"), "(unknown)" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		json_auto_t *value = parse(cases[i].json);
		_cleanup_free_ char *text = print(print_list, value, &plain);
		char expected[512];

		snprintf(expected, sizeof(expected),
			 "   LIVE  BLOCKS  AVERAGE  GROWTH  ALLOCATED  CALLS  WHERE\n"
			 "2.0 KiB       2  1.0 KiB       -    4.0 KiB      5  %s\n" SUMS,
			 cases[i].place);
		assert_string_equal(text, expected);
	}
}

static void changes_have_signs(void **state)
{
	(void)state;
	expect(print_difference,
	       "{'by':'stack','total':1,'sites':[{'target':'7-1','live_bytes':-2048,'live_count':-"
	       "2,"
	       "'allocated_bytes':1024,'allocated_count':1,'freed_bytes':3072,'freed_count':3,"
	       "'frames':[]}],'sum':{'live_bytes':-2048,'live_count':-2,'allocated_bytes':1024,"
	       "'allocated_count':1}}",
	       &plain,
	       "#1  -2.0 KiB in -2 blocks   allocated 1.0 KiB in 1   freed 3.0 KiB in 3   "
	       "target 7-1\n"
	       "Change: -2.0 KiB in -2 blocks; allocated 1.0 KiB in 1 call\n");
	expect(print_difference, "{'sites':[],'total':0}", &plain, "Nothing has changed.\n");
	expect(print_list, "{'sites':[],'total':0}", &plain, "No allocation was seen yet.\n");
}

static void what_was_missed_is_said(void **state)
{
	(void)state;
	expect(print_coverage, COVERAGE, &plain,
	       "Coverage: 2,101 allocations and 638 frees seen; tracing began with the "
	       "process.\n"
	       "  23 blocks not taken: no room for more sites\n"
	       "  1 free not seen: a new block stood at the same address\n"
	       "  5 blocks under stacks cut short: no unwind table\n"
	       "  17 frees of blocks that are not known: from before the attach, or lost\n"
	       "  1 allocation that returned no block\n");
	expect(print_coverage, "{'from_start':false,'allocations_seen':1,'lost':{'live_full':0}}",
	       &plain,
	       "Coverage: 1 allocation and 0 frees seen; blocks from before the attach are not "
	       "included; nothing was lost.\n");
	expect(print_coverage, "{'lost':{'a_later_reason':2}}", &plain,
	       "Coverage: 0 allocations and 0 frees seen; blocks from before the attach are not "
	       "included.\n"
	       "  2 lost: a_later_reason\n");
	expect(print_coverage_sum,
	       "[{'coverage':" COVERAGE
	       "},{'coverage':{'from_start':false,'allocations_seen':9223372036854775807,"
	       "'lost':{'sites_full':6,'note':1}}},{}]",
	       &plain,
	       "Coverage: 9,223,372,036,854,775,807 allocations and 638 frees seen; blocks from "
	       "before "
	       "the attach are not included (1 of 2 targets were seen from their start).\n"
	       "  29 blocks not taken: no room for more sites\n"
	       "  1 free not seen: a new block stood at the same address\n"
	       "  1 note lost: a fork, exec, exit or file may be missing\n"
	       "  5 blocks under stacks cut short: no unwind table\n"
	       "  17 frees of blocks that are not known: from before the attach, or lost\n"
	       "  1 allocation that returned no block\n");
}

/* Every reason that the daemon can give has words of its own. */
static void no_reason_is_without_words(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < LOSS_REASONS; i++) {
		json_auto_t *value =
			json_pack("{s:{s:i}}", "lost", loss_reason_name((enum loss_reason)i), 3);
		_cleanup_free_ char *text = print(print_coverage, value, &plain);
		char bare[64];

		assert_non_null(strstr(text, "\n  3 "));
		snprintf(bare, sizeof(bare), "lost: %s\n", loss_reason_name((enum loss_reason)i));
		assert_null(strstr(text, bare));
	}
	for (i = STACK_COMPLETE + 1; i < STACK_STATUSES; i++) {
		const char *name = stack_status_name((enum stack_status)i);

		assert_string_not_equal(render_cut_reason(name), name);
	}
}

static void targets_are_listed(void **state)
{
	(void)state;
	expect(render_targets,
	       "[" TARGET ",{'id':'7-2','comm':'w','state':'failed','mode':'watch',"
	       "'unit':'w.service','exe':'/w','error':'no\\nprobes'}]",
	       &plain,
	       "TARGET  NAME    STATE   MODE      LIVE  BLOCKS        RSS  LOST  OF\n"
	       "4242-1  server  traced  exact  1.4 MiB   1,463  117.7 MiB    24  /srv/server\n"
	       "7-2     w       failed  watch        -       0          -     0  w.service\n"
	       "7-2: no?probes\n");
	expect(render_targets, "[]", &plain, "");
}

#define MEMORY                                                                              \
	"{'memory':{'anonymous_bytes':94371840,'swap_bytes':0,'usage_bytes':400556032,"     \
	"'limit_bytes':536870912,'limit_of':'cgroup','headroom_bytes':136314880},"          \
	"'reconciliation':{'verdict':'retained','text':'The allocator\\u001b retains it.'," \
	"'seconds':5400.5,'growth_bytes':2097152,'explained_bytes':1048576,"                \
	"'retained_bytes':1048576,'day':{'seconds':86400,'growth_bytes':-1024,"             \
	"'explained_bytes':0,'retained_bytes':0}}}"

static int print_memory(FILE *out, const json_t *value, const struct render_options *o)
{
	render_memory(out, value, o);
	return 0;
}

static int print_retained(FILE *out, const json_t *value, const struct render_options *o)
{
	render_retained(out, value, o);
	return 0;
}

static void memory_is_told(void **state)
{
	(void)state;
	expect(print_memory, MEMORY, &plain,
	       "memory: 90.0 MiB anonymous, 0 B swapped out\n"
	       "limit: 512.0 MiB (its cgroup's), 382.0 MiB used, 130.0 MiB left\n"
	       "growth since the watch began, 1 h 30 min: +2.0 MiB, explained by live blocks "
	       "1.0 MiB, retained 1.0 MiB\n"
	       "growth of the last day, 1 d 0 h: -1.0 KiB, explained by live blocks 0 B, "
	       "retained 0 B\n"
	       "The allocator? retains it.\n");
	expect(print_memory,
	       "{'memory':{'anonymous_bytes':7,'limit_of':null},'reconciliation':null}", &plain,
	       "memory: 7 B anonymous, 0 B swapped out\n");
	expect(print_memory,
	       "{'limit_bytes':1048576,'memory':{'anonymous_bytes':7,'limit_bytes':4194304,"
	       "'limit_of':'host','usage_bytes':0,'headroom_bytes':4194304}}",
	       &plain,
	       "memory: 7 B anonymous, 0 B swapped out\n"
	       "limit: 4.0 MiB (the host's), 0 B used, 4.0 MiB left\n"
	       "judged by a limit that was given: 1.0 MiB\n");
	expect(print_memory, "{'memory':7,'reconciliation':[]}", &plain, "");
	expect(print_retained, MEMORY, &plain, "The allocator? retains it.\n");
	expect(print_retained, "{'reconciliation':{'verdict':'explained','text':'x'}}", &plain, "");
	expect(print_retained, "{'reconciliation':{'verdict':'retained'}}", &plain, "");
}

static void growth_is_part_of_the_coverage(void **state)
{
#define SEEN                                                                               \
	"Coverage: 0 allocations and 0 frees seen; blocks from before the attach are not " \
	"included; "                                                                       \
	"nothing was lost.\n"
	(void)state;
	expect(print_coverage, "{'growth_bytes':4194304,'explained_bytes':3145728}", &plain,
	       SEEN "Growth of memory since the watch began: 4.0 MiB; live blocks explain 3.0 MiB "
		    "of it (75 %).\n");
	expect(print_coverage, "{'growth_bytes':-4194304,'explained_bytes':0}", &plain, SEEN);
	expect(print_coverage, "{'growth_bytes':null,'explained_bytes':null}", &plain, SEEN);
	expect(print_coverage_sum,
	       "[{'coverage':{'growth_bytes':3145728,'explained_bytes':1048576}},"
	       "{'coverage':{'growth_bytes':null}},"
	       "{'coverage':{'growth_bytes':1048576,'explained_bytes':1048576}}]",
	       &plain,
	       SEEN "Growth of memory since the watch began: 4.0 MiB; live blocks explain 2.0 MiB "
		    "of it (50 %).\n");
}

static void suggestions_are_listed(void **state)
{
	(void)state;
	expect(render_suggestions,
	       "[{'pid':4242,'comm':'server','exe':'/srv/server','rss_bytes':123457789,"
	       "'bytes_per_hour':12897484.8,'seconds_to_limit':7384.5,"
	       "'since':'2026-11-25T17:10:34.686850Z','why':'It\\ngrows.'},"
	       "{'pid':7,'unit':'w.service','seconds_to_limit':null}]",
	       &plain,
	       " PID  NAME          RSS       GROWTH   TO LIMIT                        SINCE  OF\n"
	       "4242  server  117.7 MiB  +12.3 MiB/h  2 h 3 min  2026-11-25T17:10:34.686850Z  "
	       "/srv/server\n"
	       "   7  -             0 B            -          -                            -  "
	       "w.service\n"
	       "4242: It?grows.\n");
	expect(render_suggestions, "[]", &plain, "");
}

#define REPORT                                                                         \
	"{'target':" TARGET ",'sites':" LIST ",'duration_seconds':61.5,'children':["   \
	"{'target':{'id':'9-3','pid':9,'comm':'sh','coverage':{'allocations_seen':23," \
	"'lost':{'note':1}}},'sites':[]},"                                             \
	"{'target':{'id':'8-2','pid':8,'comm':'kid','live_count':1,'live_bytes':7},"   \
	"'sites':[{'live_bytes':7,'live_count':1,'average_bytes':7,'frames':["         \
	"{'function':'g','file':'k.c','line':3}]}]}]}"

static void reports_have_a_section_per_process(void **state)
{
	json_auto_t *report = parse(REPORT);
	_cleanup_free_ char *text = print(report_print, report, &plain);
	const char *first =
		strstr(text, "server (pid 4242, target 4242-1)  traced, exact  /srv/server\n"
			     "live 1.4 MiB in 1,463 blocks, resident 117.7 MiB of 2.0 GiB\n");
	const char *child = strstr(text, "\nchild kid (pid 8, target 8-2)\nlive 7 B in 1 block\n\n"
					 "#1  live 7 B in 1 block (avg 7 B)   allocated 0 B in 0\n"
					 "    at g (k.c:3)\n\nLive: 7 B in 1 block;");
	const char *clean = strstr(text, "\nchild sh (pid 9, target 9-3): nothing live after "
					 "23 allocations, 1 lost\n");
	const char *end = strstr(text, "\nWatched for 1 min 1 s.\n");

	(void)state;
	assert_ptr_equal(first, text);
	assert_non_null(strstr(text, "    at leak_handler (server.c:87)\n"));
	assert_non_null(strstr(text, "  23 blocks not taken: no room for more sites\n"));
	assert_true(child && clean && end && child < clean && clean < end);
	assert_int_equal(strlen(end), strlen("\nWatched for 1 min 1 s.\n"));
}

static int print_everything(FILE *out, const json_t *value, const struct render_options *o)
{
	const json_t *target = json_object_get(value, "target");
	json_auto_t *several = json_pack("[O?,{}]", target);

	if (report_print(out, value, o) < 0 ||
	    print_list(out, json_object_get(value, "sites"), o) < 0 ||
	    print_difference(out, json_object_get(value, "sites"), o) < 0 ||
	    render_targets(out, several, o) < 0)
		return -1;
	return print_coverage_sum(out, several, o);
}

static void check_harmless(const json_t *report)
{
	_cleanup_free_ char *text = print(print_everything, report, &plain);
	const unsigned char *at;

	for (at = (const unsigned char *)text; *at; at++)
		if ((*at < ' ' && *at != '\n') || *at == 0x7f)
			fail_msg("control character 0x%02x in the output", *at);
}

static const char *const odd_values[] = {
	"null",
	"true",
	"-7",
	"9223372036854775807",
	"-9223372036854775808",
	"1e300",
	"''",
	"'\\u001b[2J\\u009b\\u202e\\n'",
	"[]",
	"{}",
	"[[[]]]",
	"{'sites':{'sites':[7]}}",
};

/* Puts each odd value, and nothing at all, in the place of each value below @node. */
static size_t damage(json_t *root, json_t *node)
{
	size_t n = 0, i, k;

	for (i = 0; i < (json_is_object(node) ? json_object_size(node) : json_array_size(node));
	     i++) {
		json_auto_t *keys = json_array();
		json_auto_t *old = NULL;
		const char *key = NULL, *name;
		json_t *value;

		json_object_foreach(node, name, value)
			json_array_append_new(keys, json_string(name));
		key = json_string_value(json_array_get(keys, i));
		old = json_incref(key ? json_object_get(node, key) : json_array_get(node, i));
		for (k = 0; k < ARRAY_SIZE(odd_values); k++, n++) {
			json_t *odd = parse(odd_values[k]);

			if (key)
				json_object_set_new(node, key, odd);
			else
				json_array_set_new(node, i, odd);
			check_harmless(root);
		}
		if (key)
			json_object_set(node, key, old);
		else
			json_array_set(node, i, old);
		n += damage(root, old);
	}
	return n;
}

static void odd_answers_do_no_harm(void **state)
{
	static const char *const groupings[] = { "stack", "line", "function", "\x1b[31m" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(groupings); i++) {
		json_auto_t *report = parse(REPORT);

		json_object_set_new(json_object_get(report, "sites"), "by",
				    json_string(groupings[i]));
		check_harmless(report);
		assert_true(damage(report, report) > 997);
	}
	for (i = 0; i < ARRAY_SIZE(odd_values); i++) {
		json_auto_t *value = parse(odd_values[i]);

		check_harmless(value);
	}
}

static int print_json(FILE *out, const json_t *value, const struct render_options *o)
{
	return render_json(out, value, o->indent_json);
}

static void json_is_short_or_indented(void **state)
{
	const struct render_options indented = { .indent_json = true };

	(void)state;
	expect(print_json, "{'b':0.1,'a':'\\u009b\u00e4'}", &plain,
	       "{\"b\": 0.1, \"a\": \"\xc2\x9b\u00e4\"}\n");
	expect(print_json, "{'b':0.1,'a':'\\u009b\u00e4'}", &indented,
	       "{\n  \"b\": 0.1,\n  \"a\": \"\\u009B\\u00E4\"\n}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_told),
		cmocka_unit_test(stacks_are_listed),
		cmocka_unit_test(tracebacks_have_the_most_recent_call_last),
		cmocka_unit_test(narrow_terminals_get_cut_names_and_whole_numbers),
		cmocka_unit_test(colours_mark_the_blamed_frame),
		cmocka_unit_test(other_groupings_are_tables),
		cmocka_unit_test(changes_have_signs),
		cmocka_unit_test(what_was_missed_is_said),
		cmocka_unit_test(no_reason_is_without_words),
		cmocka_unit_test(targets_are_listed),
		cmocka_unit_test(memory_is_told),
		cmocka_unit_test(growth_is_part_of_the_coverage),
		cmocka_unit_test(suggestions_are_listed),
		cmocka_unit_test(reports_have_a_section_per_process),
		cmocka_unit_test(odd_answers_do_no_harm),
		cmocka_unit_test(json_is_short_or_indented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
