// SPDX-License-Identifier: GPL-2.0-or-later
/* What was seen and what was not, in sentences. See render.h. */
#include "cli/render.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/field.h"
#include "cli/format.h"
#include "cli/text.h"
#include "target/target.h"

/* Each loss as "N <thing>s <what>". The names are those of the API. */
static const struct {
	const char *thing;
	const char *what;
} losses[] = {
	[LOSS_LIVE_FULL] = { "block", "not taken: no room for more live blocks" },
	[LOSS_SITES_FULL] = { "block", "not taken: no room for more sites" },
	[LOSS_STACKS_FULL] = { "block", "not taken: no room for more stacks" },
	[LOSS_THREADS_FULL] = { "call", "not seen: no room for more threads" },
	[LOSS_MAP_BUSY] = { "update", "lost: a map was busy" },
	[LOSS_MISSED_FREE] = { "free", "not seen: a new block stood at the same address" },
	[LOSS_MISSED_RETURN] = { "call", "whose return was not seen: no block was taken" },
	[LOSS_RESULT_UNREADABLE] = { "block", "not taken: posix_memalign's result was unreadable" },
	[LOSS_STACK_UNREADABLE] = { "stack", "not readable to the end: frames are missing" },
	[LOSS_RESTORE_FAILED] = { "block", "lost after a realloc that failed" },
	[LOSS_NOTE] = { "note", "lost: a fork, exec, exit or file may be missing" },
	[LOSS_FILES_FULL] = { "frame", "not named: no room for more files" },
	[LOSS_TARGETS_FULL] = { "fork", "not followed: no room for more targets" },
	[LOSS_PYTHON_CODE] = { "Python frame", "not named: too much new code at once" },
};

_Static_assert(ARRAY_SIZE(losses) == LOSS_REASONS, "a loss has no words");

static void put_loss(FILE *out, const char *name, uint64_t count, const struct render_options *o)
{
	int i;

	for (i = 0; i < LOSS_REASONS; i++) {
		if (strcmp(loss_reason_name((enum loss_reason)i), name) != 0)
			continue;
		(void)fprintf(out, "  %s %s\n",
			      format_plural(count, losses[i].thing, o->raw_bytes).text,
			      losses[i].what);
		return;
	}
	/* A newer daemon may know more reasons. */
	(void)fprintf(out, "  %s lost: ", format_count(count, o->raw_bytes).text);
	text_put_clean(out, name, o->ascii);
	(void)fputc('\n', out);
}

uint64_t render_lost(const json_t *coverage)
{
	json_t *lost = json_object_get(coverage, "lost");
	const char *name;
	uint64_t sum = 0;
	json_t *value;

	json_object_foreach(lost, name, value) {
		uint64_t count = field_count(lost, name);

		sum = sum > UINT64_MAX - count ? UINT64_MAX : sum + count;
	}
	return sum;
}

static void put_beginning(FILE *out, const json_t *coverage)
{
	uint64_t targets = field_count(coverage, "targets");
	uint64_t from_start = field_count(coverage, "targets_from_start");

	if (field_true(coverage, "from_start"))
		(void)fprintf(out, "tracing began with the process");
	else if (from_start)
		(void)fprintf(out,
			      "blocks from before the attach are not included (%s of %s "
			      "targets were seen from their start)",
			      format_count(from_start, false).text,
			      format_count(targets, false).text);
	else
		(void)fprintf(out, "blocks from before the attach are not included");
}

void render_coverage(FILE *out, const json_t *coverage, const struct render_options *o)
{
	json_t *lost = json_object_get(coverage, "lost");
	json_t *cut = json_object_get(coverage, "truncated_stacks");
	uint64_t unknown = field_count(coverage, "frees_of_unknown_blocks");
	uint64_t failed = field_count(coverage, "failed_allocations");
	uint64_t lost_sum = render_lost(coverage);
	const char *name;
	json_t *value;

	if (!json_is_object(coverage))
		return;
	(void)fprintf(
		out, "Coverage: %s and %s seen; ",
		format_plural(field_count(coverage, "allocations_seen"), "allocation", o->raw_bytes)
			.text,
		format_plural(field_count(coverage, "frees_seen"), "free", o->raw_bytes).text);
	put_beginning(out, coverage);
	(void)fputs(lost_sum ? ".\n" : "; nothing was lost.\n", out);

	if (lost_sum)
		render_style(out, o, RENDER_WARN);
	json_object_foreach(lost, name, value)
		if (field_count(lost, name))
			put_loss(out, name, field_count(lost, name), o);
	if (lost_sum)
		render_style(out, o, RENDER_PLAIN);
	json_object_foreach(cut, name, value) {
		uint64_t count = field_count(cut, name);

		if (!count || strcmp(name, stack_status_name(STACK_COMPLETE)) == 0)
			continue;
		(void)fprintf(out, "  %s under stacks cut short: ",
			      format_plural(count, "block", o->raw_bytes).text);
		text_put_clean(out, render_cut_reason(name), o->ascii);
		(void)fputc('\n', out);
	}
	if (unknown)
		(void)fprintf(
			out, "  %s of blocks that are not known: from before the attach, or lost\n",
			format_plural(unknown, "free", o->raw_bytes).text);
	if (failed)
		(void)fprintf(out, "  %s that returned no block\n",
			      format_plural(failed, "allocation", o->raw_bytes).text);
	render_growth(out, coverage, o);
}

/* to[key] += from[key], for integers and, one level deep, objects of them. */
static int add_members(json_t *to, json_t *from, int depth)
{
	const char *key;
	json_t *value;

	json_object_foreach(from, key, value) {
		json_t *have = json_object_get(to, key);
		json_int_t sum;

		if (json_is_object(value) && depth == 0) {
			if (!json_is_object(have)) {
				have = json_object();
				if (json_object_set_new(to, key, have) < 0)
					return -ENOMEM;
			}
			if (add_members(have, value, depth + 1) < 0)
				return -ENOMEM;
		} else if (json_is_integer(value)) {
			if (__builtin_add_overflow(json_integer_value(have),
						   json_integer_value(value), &sum))
				sum = INT64_MAX;
			if (json_object_set_new(to, key, json_integer(sum)) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

json_t *render_coverage_sum(const json_t *targets)
{
	json_int_t n = 0, from_start = 0;
	json_t *sum = json_object();
	const json_t *target;
	size_t i;

	json_array_foreach(targets, i, target) {
		json_t *coverage = json_object_get(target, "coverage");

		if (!json_is_object(coverage))
			continue;
		n++;
		from_start += field_true(coverage, "from_start");
		if (add_members(sum, coverage, 0) < 0) {
			json_decref(sum);
			return NULL;
		}
	}
	if (json_object_set_new(sum, "from_start", json_boolean(n && from_start == n)) < 0 ||
	    json_object_set_new(sum, "targets", json_integer(n)) < 0 ||
	    json_object_set_new(sum, "targets_from_start", json_integer(from_start)) < 0) {
		json_decref(sum);
		return NULL;
	}
	return sum;
}
