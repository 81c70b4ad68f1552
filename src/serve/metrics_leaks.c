// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaks as metrics. See metrics.h. */
#include "serve/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/alert.h"
#include "alert/book.h"
#include "monitor.h"
#include "serve/exchange.h"
#include "serve/exposition.h"
#include "serve/handlers.h"

#define SECONDS_PER_HOUR 3600
#define MS_PER_SECOND	 1000.0

/* Those that get series of their own; and all that the peer may see. */
struct shown {
	const struct alert **list; /* owned: the array */
	size_t n;
	const struct alert **chosen; /* owned: the array */
	size_t n_chosen;
	size_t left_out;
};

static void shown_done(struct shown *s)
{
	free(s->list);
	free(s->chosen);
}

static size_t count_chosen(const struct shown *s, const char *service)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_chosen; i++)
		n += strcmp(s->chosen[i]->service, service) == 0;
	return n;
}

/* Open, and told: a suspect may be gone at the next tick, and its series with it. */
static int choose(const struct exchange *x, struct shown *s)
{
	size_t n, kept = 0;
	int r;

	r = alert_book_list(monitor_alerts(x->monitor), &s->list, &n);
	if (r < 0)
		return r;
	s->chosen = calloc(METRICS_LEAKS_MAX, sizeof(*s->chosen));
	if (!s->chosen)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (access_has_alert(x, s->list[i]) && !s->list[i]->closed_ms &&
		    s->list[i]->service)
			s->list[kept++] = s->list[i];
	s->n = kept;
	for (size_t i = 0; i < s->n; i++) {
		if (!s->list[i]->is_told)
			continue;
		if (s->n_chosen == METRICS_LEAKS_MAX ||
		    count_chosen(s, s->list[i]->service) == METRICS_LEAKS_PER_SERVICE)
			s->left_out++;
		else
			s->chosen[s->n_chosen++] = s->list[i];
	}
	return 0;
}

/* How it stands with people first, then with the detector. */
static const char *word_of(const struct alert *a)
{
	if (a->suppressed_by)
		return "suppressed";
	if (a->is_acknowledged)
		return "acknowledged";
	return alert_state_name(a->state);
}

static bool is_same_group(const struct alert *a, const struct alert *b)
{
	return strcmp(a->service, b->service) == 0 && strcmp(word_of(a), word_of(b)) == 0;
}

/* One sample for each service and word, where its first alert stands in the list. */
static void put_counts(struct exposition *e, const struct shown *s)
{
	exposition_family(e, "seep_leaks", METRIC_GAUGE, NULL,
			  "Leaks and suspects that are open, by what they are.");
	for (size_t i = 0; i < s->n; i++) {
		double count = 0;
		bool is_first = true;

		for (size_t k = 0; k < i && is_first; k++)
			is_first = !is_same_group(s->list[k], s->list[i]);
		for (size_t k = i; k < s->n && is_first; k++)
			count += is_same_group(s->list[k], s->list[i]);
		if (is_first)
			exposition_sample(e, count,
					  METRIC_LABELS({ "service", s->list[i]->service },
							{ "state", word_of(s->list[i]) }));
	}
}

static double live_bytes(const struct alert *a)
{
	return a->evidence.live_bytes;
}

static double growth(const struct alert *a)
{
	if (!alert_is_growing(a))
		return 0;
	return alert_bytes_per_hour(a, a->evidence.bytes_per_tick) / SECONDS_PER_HOUR;
}

static double opened(const struct alert *a)
{
	return (double)a->opened_ms / MS_PER_SECOND;
}

static double confidence(const struct alert *a)
{
	return a->evidence.confidence;
}

static void put_figures(struct exposition *e, const struct shown *s)
{
	static const struct {
		const char *name, *unit, *help;
		double (*value)(const struct alert *a);
	} families[] = {
		{ "seep_leak_live_bytes", "bytes", "Allocated there and not freed.", live_bytes },
		{ "seep_leak_growth_bytes_per_second", NULL, "How fast it grows.", growth },
		{ "seep_leak_confidence_ratio", "ratio", "How sure that is.", confidence },
		{ "seep_leak_opened_timestamp_seconds", "seconds", "When it was told first.",
		  opened },
	};

	for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
		exposition_family(e, families[f].name, METRIC_GAUGE, families[f].unit,
				  families[f].help);
		for (size_t i = 0; i < s->n_chosen; i++) {
			char id[17];

			(void)snprintf(id, sizeof(id), "%016" PRIx64, s->chosen[i]->id);
			exposition_sample(e, families[f].value(s->chosen[i]),
					  METRIC_LABELS({ "service", s->chosen[i]->service },
							{ "leak_id", id }));
		}
	}
}

/* Where in the code it is takes ACCESS_DETAIL. */
static void put_places(const struct exchange *x, struct exposition *e, const struct shown *s)
{
	exposition_family(e, "seep_leak_info", METRIC_INFO, NULL, "What is known of the leak.");
	for (size_t i = 0; i < s->n_chosen; i++) {
		const struct alert *a = s->chosen[i];
		bool is_shown = peer_may(&x->peer, ACCESS_DETAIL, a->uid);
		const struct frame *line = is_shown ? alert_line(a) : NULL;
		char id[17];

		(void)snprintf(id, sizeof(id), "%016" PRIx64, a->id);
		exposition_sample(e, 1,
				  METRIC_LABELS({ "service", a->service }, { "leak_id", id },
						{ "state", word_of(a) },
						{ "severity", alert_severity_name(a->severity) },
						{ "function", line ? line->function : NULL },
						{ "module", line ? line->module : NULL }));
	}
}

int metrics_put_leaks(const struct exchange *x, struct exposition *e)
{
	_cleanup_(shown_done) struct shown s = { .n = 0 };
	int r;

	r = choose(x, &s);
	if (r < 0)
		return r;
	put_counts(e, &s);
	put_figures(e, &s);
	put_places(x, e, &s);
	exposition_family(e, "seep_leaks_left_out", METRIC_GAUGE, NULL,
			  "Leaks that have no series, because there are too many.");
	exposition_sample(e, (double)s.left_out, NULL);
	return 0;
}
