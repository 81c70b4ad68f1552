// SPDX-License-Identifier: GPL-2.0-or-later
/* How much of a target is traced, and what that costs it, in sentences. See render.h. */
#include "cli/render.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/format.h"

struct number render_error(const json_t *object, const struct render_options *o)
{
	uint64_t error = field_count(object, "error_bytes");
	struct number n = { .text = "" };

	if (error)
		(void)snprintf(n.text, sizeof(n.text), " %s%.32s", o->ascii ? "+/-" : "\u00b1",
			       format_bytes(error, o->raw_bytes).text);
	return n;
}

static const char *reason_text(const char *reason)
{
	static const struct {
		const char *name;
		const char *text;
	} reasons[] = {
		{ "budget", "more would exceed its budget" },
		{ "shared", "more would exceed the budget of all targets" },
		{ "burst", "it made too many calls at once" },
		{ "too_busy", "even the shortest look would exceed its budget" },
		{ "no_probes", "its probes were lost or could not be set, which is tried again" },
	};

	for (size_t i = 0; reason && i < ARRAY_SIZE(reasons); i++)
		if (strcmp(reasons[i].name, reason) == 0)
			return reasons[i].text;
	return NULL;
}

static void put_mode(FILE *out, const json_t *target, const struct render_options *o)
{
	const char *mode = field_text_or(target, "mode", "");
	struct number interval =
		format_bytes(field_count(target, "sampling_interval_bytes"), o->raw_bytes);
	double duty = field_number(target, "duty_ratio");

	if (strcmp(mode, "sampled") == 0)
		(void)fprintf(out, "sampled: a block each %s; figures are estimates",
			      interval.text);
	else if (strcmp(mode, "windowed") == 0)
		(void)fprintf(
			out,
			"traced in windows, %.1f %% of the time, a block each %s: blocks "
			"allocated between are not seen, and one freed between counts as live "
			"until its address is met again",
			isnan(duty) ? 0 : 100 * duty, interval.text);
	else if (strcmp(mode, "watch") == 0)
		(void)fputs("not traced", out);
	else
		(void)fputs("every block is taken", out);
}

void render_cost(FILE *out, const json_t *target, const struct render_options *o)
{
	const json_t *overhead = json_object_get(target, "overhead");
	const char *reason = reason_text(field_text(target, "mode_reason"));
	double cost = field_number(overhead, "estimated_ratio");
	double budget = field_number(overhead, "budget_ratio");
	double hits = field_number(overhead, "hits_per_second");

	if (isnan(cost))
		return;
	put_mode(out, target, o);
	if (reason)
		(void)fprintf(out, ", since %s", reason);
	(void)fprintf(out, ".\nCosts %.2f %% of a processor", 100 * cost);
	if (!isnan(budget))
		(void)fprintf(out, " (budget %g %%)", 100 * budget);
	if (!isnan(hits) && hits >= 1)
		(void)fprintf(out, " at %s calls a second of %.0f ns each",
			      format_count((uint64_t)hits, o->raw_bytes).text,
			      field_number(overhead, "ns_per_hit"));
	(void)fputs(".\n", out);
}
