// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/sites: where memory was allocated that is still held. */
#include "serve/handlers.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "monitor.h"
#include "serve/exchange.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     1000

const struct query_rule sites_query[] = {
	{ .name = "target" },
	{ .name = "by" },
	{ .name = "sort" },
	{ .name = "limit" },
	{ .name = "include", .repeats = true },
	{ .name = "exclude", .repeats = true },
	{ .name = "filter", .repeats = true }, /* the same as include */
	{ .name = "all_frames" },
	{ .name = "default_excludes" },
	{ 0 },
};

bool query_read_limit(struct exchange *x, const char *name, uint64_t otherwise, uint64_t max,
		      uint64_t *ret)
{
	const char *text = query_get(&x->query, name);
	uint64_t limit = otherwise;
	int r;

	r = text ? parse_u64_range(text, 1, max, &limit) : 0;
	/* A sign is no digit, but whoever writes -1 means a number. */
	if (r == -ERANGE || (r < 0 && text[0] == '-')) {
		(void)exchange_refuse(x, PROBLEM_LIMIT_OUT_OF_RANGE,
				      "%s=%.32s is out of range; it must lie between 1 and "
				      "%" PRIu64 ".",
				      name, text, max);
		return false;
	}
	if (r < 0) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "%s=%.32s is no number; it must be one between 1 and "
				      "%" PRIu64 ".",
				      name, text, max);
		return false;
	}
	*ret = limit;
	return true;
}

bool query_read_boolean(struct exchange *x, const char *name, bool otherwise, bool *ret)
{
	const char *text = query_get(&x->query, name);

	if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "%s=%.32s is not known; use true or false.", name, text);
		return false;
	}
	*ret = text ? strcmp(text, "true") == 0 : otherwise;
	return true;
}

static bool read_words(struct exchange *x)
{
	const char *by = query_get(&x->query, "by"), *sort = query_get(&x->query, "sort");

	x->options.by = GROUP_BY_STACK;
	x->options.sort = GROUP_SORT_LIVE;
	if (by && group_by_parse(by, &x->options.by) < 0) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "by=%.32s is not known; use stack, line, function, file, "
				      "module or type.",
				      by);
		return false;
	}
	if (sort && group_sort_parse(sort, &x->options.sort) < 0) {
		(void)exchange_refuse(x, PROBLEM_BAD_PARAMETER,
				      "sort=%.32s is not known; use growth, live, count or "
				      "allocated.",
				      sort);
		return false;
	}
	return true;
}

bool sites_read_options(struct exchange *x)
{
	uint64_t limit;

	if (!read_words(x) || !query_read_limit(x, "limit", LIMIT_DEFAULT, LIMIT_MAX, &limit) ||
	    !query_read_boolean(x, "all_frames", false, &x->options.all_frames) ||
	    !query_read_boolean(x, "default_excludes", true, &x->options.default_excludes))
		return false;
	x->options.limit = limit;
	x->options.include = x->include;
	x->options.exclude = x->exclude;
	for (size_t i = 0; i < x->query.n; i++) {
		const struct query_item *item = &x->query.items[i];

		if (strcmp(item->name, "include") == 0 || strcmp(item->name, "filter") == 0)
			x->include[x->options.n_include++] = item->value;
		if (strcmp(item->name, "exclude") == 0)
			x->exclude[x->options.n_exclude++] = item->value;
	}
	return true;
}

static int reply_sites(struct exchange *x)
{
	json_t *o = NULL;
	int r;

	/* The target may have been removed meanwhile. */
	if (x->scope.target && !monitor_target_by_key(x->monitor, x->scope.target))
		return exchange_refuse(x, PROBLEM_NO_SUCH_TARGET,
				       "The target went away while its stacks were being read.");
	r = view_sites_scope(x->monitor, &x->scope, &x->options, &o);
	if (r < 0)
		return r;
	return exchange_reply(x, 200, o);
}

int sites_get(struct exchange *x)
{
	const char *id = query_get(&x->query, "target"), *by = query_get(&x->query, "by");
	int r;

	if (by && strcmp(by, "type") == 0)
		return census_get_sites(x);
	if (!sites_read_options(x))
		return EXCHANGE_ANSWERED;
	if (id) {
		const struct target *t = access_find_target(x, id);

		if (!t)
			return EXCHANGE_ANSWERED;
		x->scope.target = t->key;
	}
	if (!exchange_hold(x, reply_sites))
		return EXCHANGE_ANSWERED;
	r = view_resolve_scope(x->monitor, &x->scope, exchange_resume, x);
	if (r < 0) {
		exchange_unhold(x);
		return r;
	}
	return EXCHANGE_HELD;
}
