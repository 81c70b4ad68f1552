// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl check: one line and an exit code for Nagios and its relatives. */
#include "cli/verbs.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/api.h"
#include "cli/field.h"
#include "cli/leak.h"
#include "cli/options.h"
#include "cli/pick.h"
#include "cli/render_leaks.h"
#include "cli/text.h"
#include "target/selector.h"

/* Of the plugin interface, not of seepctl. */
enum check_status {
	CHECK_OK = 0,
	CHECK_WARNING = 1,
	CHECK_CRITICAL = 2,
	CHECK_UNKNOWN = 3,
};

/* So many are named; the line should fit a message. */
#define NAMED_MAX 3

static const struct option_set check_options = {
	.verb = "check",
	.operands = "[SELECTOR]",
	.about = "Says in one line, as Nagios plugins do, whether something leaks:\n"
		 "\n"
		 "  0 OK        nothing\n"
		 "  1 WARNING   a suspect, or a leak of low or medium severity: the memory limit "
		 "is\n"
		 "              more than three days away\n"
		 "  2 CRITICAL  a leak of high or critical severity\n"
		 "  3 UNKNOWN   seepd does not answer, is not healthy, or watches no such process\n"
		 "\n"
		 "What was acknowledged or suppressed does not count.",
	.examples = "  seepctl check\n"
		    "  seepctl check nginx.service",
	.max_operands = 1,
};

struct check {
	enum check_status status;
	uint64_t alerts, suspects;
	double bytes_per_hour;	 /* of all of them */
	double seconds_to_limit; /* NAN: none is in sight */
	char *text;		 /* owned: what is said, without what Nagios does not take */
};

static void check_done(struct check *c)
{
	free(c->text);
}

static const char *status_word(enum check_status status)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

	return words[status];
}

static bool is_severe(const json_t *leak)
{
	const char *severity = field_text_or(leak, "severity", "");

	return strcmp(severity, "high") == 0 || strcmp(severity, "critical") == 0;
}

static bool is_live_suspect(const json_t *leak)
{
	return leak_is_suspect(leak) && !field_true(leak, "acknowledged") &&
	       !field_text(leak, "suppressed_by");
}

static void count(struct check *c, const json_t *leaks)
{
	const json_t *leak;
	size_t i;

	c->seconds_to_limit = (double)NAN;
	json_array_foreach(leaks, i, leak) {
		double rate = field_number(leak, "bytes_per_hour");
		double seconds = field_number(json_object_get(leak, "limit"), "seconds_to_limit");

		if (!leak_is_open(leak)) {
			c->suspects += is_live_suspect(leak);
			continue;
		}
		c->alerts++;
		c->bytes_per_hour += isnan(rate) ? 0 : rate;
		c->seconds_to_limit = fmin(c->seconds_to_limit, seconds);
		if (is_severe(leak))
			c->status = CHECK_CRITICAL;
	}
	if (c->status == CHECK_OK && c->alerts + c->suspects > 0)
		c->status = CHECK_WARNING;
}

/* "nginx.service leaks +12.3 MiB/h at leak_handler (server.c:87), limit in 2 h 10 min" */
static int put_leak(FILE *out, const json_t *leak)
{
	const struct render_options plain = { .ascii = true };
	double seconds = field_number(json_object_get(leak, "limit"), "seconds_to_limit");
	_cleanup_free_ char *place = NULL;
	bool is_leak;
	int r;

	r = render_leak_place(leak, true, &place);
	if (r < 0)
		return r;
	text_put_clean(out, field_text_or(leak, "service", "?"), true);
	/* Near the limit, growth is told without the claim that it is a leak. */
	is_leak = strcmp(field_text_or(leak, "state", ""), "exhaustion") != 0;
	(void)fprintf(out, " %s %s at %s", is_leak ? "leaks" : "grows",
		      render_leak_rate(leak, &plain).text, place);
	if (!isnan(seconds))
		(void)fprintf(out, ", limit in %s", format_duration(seconds, false).text);
	return 0;
}

static int put_message(FILE *out, const struct check *c, const json_t *leaks)
{
	const json_t *leak;
	size_t named = 0, i;
	int r;

	if (c->alerts + c->suspects == 0) {
		(void)fputs("nothing leaks", out);
		return 0;
	}
	(void)fputs(format_plural(c->alerts, "alert", false).text, out);
	if (c->suspects)
		(void)fprintf(out, ", %s", format_plural(c->suspects, "suspect", false).text);
	json_array_foreach(leaks, i, leak) {
		if (!leak_is_open(leak) || named == NAMED_MAX)
			continue;
		(void)fputs(named++ ? "; " : ": ", out);
		r = put_leak(out, leak);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A bar begins the figures, and a message has one line: neither may come from a name. */
static void replace(char *text, char what, char with)
{
	for (char *at = strchr(text, what); at; at = strchr(at, what))
		*at = with;
}

static int describe(struct check *c, const json_t *leaks)
{
	size_t size;
	FILE *out = open_memstream(&c->text, &size);
	bool failed;
	int r;

	if (!out)
		return -ENOMEM;
	r = put_message(out, c, leaks);
	failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed)
		return -ENOMEM;
	replace(c->text, '|', '/');
	return r;
}

static int print(const struct check *c, const struct cli_context *context)
{
	_cleanup_(json_decrefp) json_t *o = NULL;

	if (!context->json) {
		(void)printf("SEEP %s - %s", status_word(c->status), c->text);
		if (c->status != CHECK_UNKNOWN)
			(void)printf(" | alerts=%" PRIu64 ";;;0 suspects=%" PRIu64
				     ";;;0 bytes_per_hour=%.0fB;;;",
				     c->alerts, c->suspects, c->bytes_per_hour);
		if (c->status != CHECK_UNKNOWN && !isnan(c->seconds_to_limit))
			(void)printf(" seconds_to_limit=%.0fs;;;0", c->seconds_to_limit);
		(void)fputc('\n', stdout);
		return c->status;
	}
	o = json_pack("{s:s,s:i,s:s,s:I,s:I,s:f,s:o}", "status", status_word(c->status), "code",
		      (int)c->status, "message", c->text, "alerts", (json_int_t)c->alerts,
		      "suspects", (json_int_t)c->suspects, "bytes_per_hour", c->bytes_per_hour,
		      "seconds_to_limit",
		      isnan(c->seconds_to_limit) ? json_null() : json_real(c->seconds_to_limit));
	return o && cli_print_json(o) == CLI_OK ? (int)c->status : CHECK_UNKNOWN;
}

/* @why: what is printed to standard output; the details have gone to standard error. */
static int give_up(const struct cli_context *context, const char *why)
{
	_cleanup_(check_done) struct check c = {
		.status = CHECK_UNKNOWN,
		.seconds_to_limit = (double)NAN,
		.text = strdup(why),
	};

	return c.text ? print(&c, context) : CHECK_UNKNOWN;
}

static bool is_traced(const json_t *target)
{
	return strcmp(field_text_or(target, "state", ""), "traced") == 0;
}

/* Whether a process is traced that @text means: else silence would mean nothing. */
static bool is_watched(const json_t *targets, const char *text)
{
	_cleanup_(selector_freep) struct selector *s = NULL;
	const json_t *target;
	size_t i;

	(void)selector_parse(text, &s, NULL);
	json_array_foreach(targets, i, target)
		if (is_traced(target) && (strcmp(field_text_or(target, "id", ""), text) == 0 ||
					  (s && pick_means(s, target))))
			return true;
	return false;
}

/* Asks; NULL in *ret_why: all is there. */
static void ask(const struct cli_context *context, const char *text, json_t **ret_leaks,
		const char **ret_why)
{
	_cleanup_(json_decrefp) json_t *info = NULL;
	_cleanup_(json_decrefp) json_t *targets = NULL;

	*ret_why = "seepd could not be asked";
	if (api_call(context, "GET", "/v1/info", NULL, &info) != CLI_OK ||
	    leak_list(context, NULL, ret_leaks) != CLI_OK)
		return;
	if (text && api_call(context, "GET", "/v1/targets", NULL, &targets) != CLI_OK)
		return;
	*ret_why = NULL;
	if (json_is_false(json_object_get(info, "is_healthy")))
		*ret_why = "the last reading of seepd is overdue";
	else if (text && !is_watched(json_object_get(targets, "targets"), text))
		*ret_why = "no such process is traced";
	else if (leak_select_or_explain(json_object_get(*ret_leaks, "leaks"), text) != CLI_OK)
		*ret_why = "that names no process";
}

int cli_check(int argc, char **argv, const struct cli_context *parent)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	_cleanup_(check_done) struct check c = { .status = CHECK_OK };
	struct cli_context context = *parent;
	struct operands operands;
	const char *why;
	int code;

	if (!options_begin(&check_options, argc, argv, NULL, &context, &operands, &code))
		return code == CLI_OK ? CHECK_OK : CHECK_UNKNOWN;
	ask(&context, operands.n ? operands.items[0] : NULL, &answer, &why);
	if (why)
		return give_up(&context, why);
	count(&c, json_object_get(answer, "leaks"));
	if (describe(&c, json_object_get(answer, "leaks")) < 0)
		return give_up(&context, "out of memory");
	return print(&c, &context);
}
