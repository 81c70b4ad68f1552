// SPDX-License-Identifier: GPL-2.0-or-later
/* Evidence in words. See sentences.h. */
#include "alert/sentences.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alert/python_sentences.h"
#include "base/words.h"
#include "base/utf8.h"
#include "base/values.h"

/* Ratios without an old part are 99 (trend/window.h). */
#define NO_RATIO 99

/* Sentences on their way; after a failure nothing is added. */
struct list {
	json_t *array;
	int r;
};

__attribute__((format(printf, 2, 3))) static void add(struct list *list, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;
	int n;

	if (list->r < 0)
		return;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		text = NULL;
	list->r = text ? view_append(list->array, view_text(text)) : -ENOMEM;
}

static const char *plural(const struct alert *a)
{
	return a->python ? "objects of this kind" : "blocks from here";
}

static struct words ticks(const struct alert *a, double n)
{
	return words_duration(alert_seconds(a, n));
}

static void add_growth(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	const char *verb = alert_is_growing(a) ? "It grows" : "It grew";
	struct words since = words_time(e->until ? alert_wall_ms(a, e->since) : 0);
	double per_hour = alert_bytes_per_hour(a, e->bytes_per_tick);
	double low = alert_bytes_per_hour(a, e->bytes_per_tick_low);
	double high = alert_bytes_per_hour(a, e->bytes_per_tick_high);

	if (!(e->bytes_per_tick > 0))
		return;
	/* Quartiles that read the same say that it is steady, which has a sentence of its own. */
	if (strcmp(words_bytes(low).text, words_bytes(high).text) != 0)
		add(list, "%s by %s (%s in half of the intervals)%s%s.", verb,
		    words_rate(per_hour).text, words_rates(low, high, per_hour).text,
		    *since.text ? ", since " : "", since.text);
	else
		add(list, "%s by %s%s%s.", verb, words_rate(per_hour).text,
		    *since.text ? ", since " : "", since.text);
}

/* What is left of what was blamed. */
static void add_leaked(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	bool is_one = e->leaked_blocks < 1.5;

	if (e->leaked_blocks > 0)
		add(list, "%s with %s, %s since then, %s not been freed.",
		    sentences_things(a, e->leaked_blocks).text, words_bytes(e->leaked_bytes).text,
		    a->python ? "made" : "allocated",
		    a->state == TREND_CLOSED ? "had" :
		    is_one		     ? "has" :
					       "have");
}

static void add_presence(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	unsigned idle = e->window.n - e->presence.active;

	add(list, "Survivors in %u of %u intervals of %s.", e->presence.positive,
	    e->presence.active, ticks(a, e->window.width).text);
	if (e->window.n > e->presence.active)
		add(list, "%u more %s too few allocations to count.", idle,
		    idle == 1 ? "interval had" : "intervals had");
}

/* All that is known of how old these blocks get. */
static void add_lifetime(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	double old = e->freed_beyond + e->window.sum.blocks;
	struct words maturity = ticks(a, e->maturity);

	if (e->freed_beyond < 0.5)
		add(list, "None of %s that got older than %s was freed.",
		    sentences_things(a, old).text, maturity.text);
	else
		add(list, "%s of %s that got older than %s %s freed.",
		    words_count(e->freed_beyond).text, sentences_things(a, old).text, maturity.text,
		    e->freed_beyond < 1.5 ? "was" : "were");
	if (e->longest_lifetime > 1)
		add(list, "The longest known lifetime of %s is %s.", plural(a),
		    ticks(a, e->longest_lifetime).text);
	else
		add(list, "No age is known at which %s are freed.", plural(a));
	if (a->python)
		add(list, "How many were made is not known, only those that lived from one census "
			  "to the next are.");
	else if (e->window.sum.births > 0)
		add(list, "%s of what was allocated in these intervals is still there.",
		    words_share(fmin(1, e->window.sum.blocks / e->window.sum.births)).text);
}

/*
 * The clock by which the rate is the steadiest is the one that counts (trend/window.h); the plain one
 * if it reads the same.
 */
static const char *clock_of(const struct steadiness *s)
{
	if (s->time >= s->best - 0.005)
		return "";
	return s->work >= s->best ? " per allocation of the process" : " per allocation from here";
}

static void add_steadiness(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;

	if (e->window_rate.best < NO_RATIO)
		add(list,
		    "The rate is %s: in the younger half of the intervals it is %s times that of "
		    "the older half%s.",
		    e->window_rate.best > STEADY_MOST  ? "rising" :
		    e->window_rate.best < STEADY_LEAST ? "falling" :
							 "steady",
		    words_ratio(e->window_rate.best).text, clock_of(&e->window_rate));
	if (e->life_rate.best > 0 && e->life_rate.best < NO_RATIO)
		add(list,
		    "Over the whole life of the process the later rate is %s times the earlier "
		    "one%s.",
		    words_ratio(e->life_rate.best).text, clock_of(&e->life_rate));
}

static void add_finding(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;

	switch (e->channel) {
	case TREND_BY_NONE:
		return;
	case TREND_BY_FEW_BLOCKS:
		add(list,
		    "Few %s, each time larger ones, as of one buffer that grows without bound.",
		    a->python ? "objects" : "blocks");
		return;
	case TREND_BY_EXHAUSTION:
		add(list, "Memory runs out, and most of what the process grew by comes from here.");
		add(list, "No leak is claimed: it may all be needed.");
		return;
	case TREND_BY_KNOWN:
		add(list,
		    "It is known from earlier lives of the service: blocks of any age count.");
		break;
	case TREND_BY_COHORTS:
		break;
	}
	if (e->window.n == 0)
		return;
	add_presence(list, a);
	add_lifetime(list, a);
	add_steadiness(list, a);
}

/* "1 earlier life", "3 earlier lives". */
static struct words lives(const struct trend_evidence *e)
{
	struct words w = words_count(e->lives);
	size_t n = strlen(w.text);

	(void)snprintf(w.text + n, sizeof(w.text) - n, " earlier %s",
		       e->lives == 1 ? "life" : "lives");
	return w;
}

static void add_history(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;

	if (e->carry > 0)
		add(list, "Earlier lives of the service grew the same way, for %s.",
		    ticks(a, e->carry).text);
	else if (e->lives > 0)
		add(list, "%s of the service did not end in such growth.", lives(e).text);
	if (e->proven_bytes > 0)
		add(list, "Up to %s were held here before without a leak; now it is %s.",
		    words_bytes(e->proven_bytes).text, words_bytes(e->live_bytes).text);
}

/* How long growth has to go on before people are told. */
static void add_patience(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;

	if (!(e->required > 0) || e->channel == TREND_BY_NONE || !alert_is_growing(a))
		return;
	if (e->waited < e->required)
		add(list,
		    "It has lasted %s; an alert asks for %s, as the limit was %s away when it "
		    "began.",
		    ticks(a, e->waited).text, ticks(a, e->required).text,
		    ticks(a, e->ticks_to_limit_then).text);
	else
		add(list, "It has lasted %s; an alert asks for %s.", ticks(a, e->waited).text,
		    ticks(a, e->required).text);
}

static void add_hold(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	struct words lost = words_share(e->lost_share);

	switch (e->hold) {
	case TREND_NOT_HELD:
		/* A census misses none of them. */
		if (a->python)
			return;
		if (e->lost_share > 0)
			add(list, "Of the frees, up to %s may have been missed.", lost.text);
		else if (e->channel != TREND_BY_NONE)
			add(list, "No free is known to have been missed.");
		return;
	case TREND_HELD_BY_LOSSES:
		add(list,
		    "Held back: of the frees, up to %s may have been missed, which can look like "
		    "this.",
		    lost.text);
		return;
	case TREND_HELD_BY_CONFIDENCE:
		add(list, "Held back: a confidence of %s is too little for an alert.",
		    words_ratio(e->confidence).text);
		return;
	case TREND_HELD_ONCE:
		add(list, "Held back until the next evaluation finds it as well.");
		return;
	}
}

static void add_state(struct list *list, const struct alert *a)
{
	switch (a->state) {
	case TREND_STOPPED:
		add(list,
		    "No more of it comes; what has leaked stays lost until the process ends.");
		return;
	case TREND_RESOLVED:
		add(list, "Half of what had leaked, or more, was freed since.");
		return;
	case TREND_CLOSED:
		add(list, "The process has ended, and its memory with it.");
		return;
	case TREND_QUIET:
		if (a->evidence.channel != TREND_BY_NONE)
			add(list, "Later evaluations do not find it any more.");
		return;
	case TREND_SUSPECT:
	case TREND_LEAKING:
	case TREND_EXHAUSTION:
		return;
	}
}

static void add_scope(struct list *list, const struct alert *a)
{
	if (a->scope == ALERT_PROCESS)
		add(list, "Too many places share the growth: the process is judged as a whole.");
	else if (a->n_stacks > 1)
		add(list, "%s call stacks with the same innermost frames are judged as one.",
		    words_count((double)a->n_stacks).text);
}

/* " (17 d to 25 d)", " (17 d at the earliest)", or "" where both ends read like the middle. */
static struct words forecast_range(const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	struct words low = ticks(a, e->ticks_to_limit_low), range = { "" };
	struct words high = ticks(a, e->ticks_to_limit_high);

	if (!isfinite(e->ticks_to_limit_high))
		(void)snprintf(range.text, sizeof(range.text), " (%.16s at the earliest)",
			       low.text);
	else if (strcmp(low.text, high.text) != 0)
		(void)snprintf(range.text, sizeof(range.text), " (%.16s to %.16s)", low.text,
			       high.text);
	return range;
}

static void add_limit(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	struct words at = words_time(alert_wall_ms(a, e->now + e->ticks_to_limit));

	if (!alert_is_growing(a) || e->channel == TREND_BY_NONE || !isfinite(e->ticks_to_limit) ||
	    !(e->ticks_to_limit > 0))
		return;
	add(list, "The memory limit, %s away, is reached in %s%s%s%s.",
	    words_bytes(e->headroom_bytes).text, ticks(a, e->ticks_to_limit).text,
	    forecast_range(a).text, *at.text ? ", about " : "", at.text);
}

static void add_memory(struct list *list, const struct alert *a)
{
	if (a->growth_bytes > 0)
		add(list, "Live blocks explain %s of the %s that the process grew by.",
		    words_bytes(a->explained_bytes).text, words_bytes(a->growth_bytes).text);
	if (a->sampling_error_bytes > 0)
		add(list, "Live bytes are estimated from samples, with a standard error of %s.",
		    words_bytes(a->sampling_error_bytes).text);
}

static void add_confidence(struct list *list, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;
	const char *word = alert_confidence_word(e->confidence);

	/* The hold says it already; of one that is none any more it was never asked again. */
	if (word && e->hold != TREND_HELD_BY_CONFIDENCE && a->state != TREND_QUIET)
		add(list, "That it is a leak is %s (%s).", word, words_ratio(e->confidence).text);
}

int sentences_evidence(const struct alert *a, json_t **ret)
{
	json_auto_t *array = json_array();
	struct list list = { .array = array, .r = array ? 0 : -ENOMEM };
	const char *hint = sentences_hint(a);

	if (a->python && list.r == 0)
		list.r = python_sentences(a->python, array);
	add_growth(&list, a);
	add_leaked(&list, a);
	add_finding(&list, a);
	add_scope(&list, a);
	add_history(&list, a);
	add_patience(&list, a);
	add_limit(&list, a);
	add_memory(&list, a);
	add_hold(&list, a);
	add_confidence(&list, a);
	add_state(&list, a);
	if (hint)
		add(&list, "%s", hint);
	if (list.r < 0)
		return list.r;
	*ret = TAKE_PTR(array);
	return 0;
}

/* When an alert of this shape ends for lack of more: the rules of trend/states.c. */
static double quiet_after(const struct trend_evidence *e)
{
	double gap;

	if (e->window.n == 0)
		return e->now > e->since ? (e->now - e->since) / 2.0 : 1;
	gap = (double)(e->presence.gap > 0 ? e->presence.gap : 1) * e->window.width;
	/* Births must be old enough before their survivors count. */
	return fmax(2 * gap, 4.0 * e->window.width) + e->maturity;
}

/* "by 2026-03-01 14:00 UTC", or how long it takes where the wall clock is not known. */
static struct words by(const struct alert *a, double after)
{
	struct words w, at = words_time(alert_wall_ms(a, a->evidence.now + after));

	if (*at.text)
		(void)snprintf(w.text, sizeof(w.text), "by %.40s", at.text);
	else
		(void)snprintf(w.text, sizeof(w.text), "within %.38s", ticks(a, after).text);
	return w;
}

int sentences_disproof(const struct alert *a, char **ret)
{
	const struct trend_evidence *e = &a->evidence;
	struct words half = words_bytes(e->leaked_bytes / 2), when = by(a, quiet_after(e));
	char *text = NULL;
	int n;

	if (a->state == TREND_STOPPED)
		n = asprintf(&text,
			     "A free of %s of what is left would prove that it was only held for "
			     "long.",
			     half.text);
	else if (!alert_is_growing(a) || e->channel == TREND_BY_NONE)
		n = 0;
	else if (e->channel == TREND_BY_EXHAUSTION)
		n = asprintf(&text,
			     "Memory that is given back before the limit is reached, %s, would "
			     "prove it wrong.",
			     by(a, e->ticks_to_limit).text);
	else if (e->window.n == 0 && e->leaked_bytes > 0)
		n = asprintf(&text,
			     "A free of %s of these %s, or no more growth %s, would prove it "
			     "wrong.",
			     half.text, a->python ? "objects" : "blocks", when.text);
	else if (e->leaked_bytes > 0)
		n = asprintf(&text,
			     "A free of %s of these %s, or no new survivors %s, would prove it "
			     "wrong.",
			     half.text, a->python ? "objects" : "blocks", when.text);
	else
		n = asprintf(&text, "No more growth %s would prove it wrong.", when.text);
	if (n < 0)
		return -ENOMEM;
	*ret = text;
	return 0;
}
