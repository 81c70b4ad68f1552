// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sites summed up. See group.h.
 *
 * Sites are sorted by what they are grouped by, so that those of one group are neighbours, the
 * largest first. Equal hashes are not trusted: names come from the targets.
 */
#include "heap/group.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "../bpf/abi.h" /* STACK_COMPLETE */
#include "heap/filter.h"
#include "heap/ids.h"

enum key_kind {
	KEY_STACK,    /* target, number: leak_id */
	KEY_LINE,     /* name: file, number: line */
	KEY_FUNCTION, /* module, name */
	KEY_OFFSET,   /* module, number; without module the target, too */
	KEY_FILE,     /* name: file */
	KEY_MODULE,   /* module */
	KEY_UNREAD,   /* no frames: target and number: stack, where sites stay apart */
};

struct key {
	enum key_kind kind;
	uint32_t target;
	const char *module; /* borrowed */
	const char *name;   /* borrowed */
	uint64_t number;
	uint64_t hash;
};

struct item {
	const struct named_site *site;
	size_t blamed;
	struct key key;
};

static const char *const by_names[] = {
	[GROUP_BY_STACK] = "stack", [GROUP_BY_LINE] = "line",	  [GROUP_BY_FUNCTION] = "function",
	[GROUP_BY_FILE] = "file",   [GROUP_BY_MODULE] = "module",
};

static const char *const sort_names[] = {
	[GROUP_SORT_GROWTH] = "growth",
	[GROUP_SORT_LIVE] = "live",
	[GROUP_SORT_COUNT] = "count",
	[GROUP_SORT_ALLOCATED] = "allocated",
};

static int find_name(const char *const *names, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], text) == 0)
			return (int)i;
	return -EINVAL;
}

int group_by_parse(const char *text, enum group_by *ret)
{
	int r = find_name(by_names, ARRAY_SIZE(by_names), text);

	if (strcmp(text, "traceback") == 0)
		r = GROUP_BY_STACK;
	if (r < 0)
		return r;
	*ret = (enum group_by)r;
	return 0;
}

int group_sort_parse(const char *text, enum group_sort *ret)
{
	int r = find_name(sort_names, ARRAY_SIZE(sort_names), text);

	if (r < 0)
		return r;
	*ret = (enum group_sort)r;
	return 0;
}

const char *group_by_name(enum group_by by)
{
	return (size_t)by < ARRAY_SIZE(by_names) ? by_names[by] : "unknown";
}

const char *group_sort_name(enum group_sort sort)
{
	return (size_t)sort < ARRAY_SIZE(sort_names) ? sort_names[sort] : "unknown";
}

static struct key function_key(const struct named_site *site, const struct frame *f)
{
	struct key key = { .kind = KEY_FUNCTION, .module = f->module, .name = f->function };

	/* The same name in another file is another function. */
	if (f->function && !f->module)
		key.module = f->file;
	if (f->function)
		return key;
	key.kind = KEY_OFFSET;
	key.number = f->offset;
	/* An address outside of all files means nothing in another process. */
	key.target = f->module ? 0 : site->target;
	return key;
}

static struct key frame_key(const struct named_site *site, const struct frame *f, enum group_by by)
{
	if (by == GROUP_BY_LINE && f->file && f->line)
		return (struct key){ .kind = KEY_LINE, .name = f->file, .number = f->line };
	if (f->file && (by == GROUP_BY_FILE || (by == GROUP_BY_MODULE && !f->module)))
		return (struct key){ .kind = KEY_FILE, .name = f->file };
	if (by == GROUP_BY_FILE || by == GROUP_BY_MODULE)
		return (struct key){ .kind = KEY_MODULE, .module = f->module };
	return function_key(site, f);
}

static struct key make_key(const struct named_site *site, size_t blamed, enum group_by by)
{
	bool apart = by != GROUP_BY_FILE && by != GROUP_BY_MODULE;
	struct key key = { .kind = KEY_UNREAD };
	uint64_t h;

	if (site->n_frames == 0 && apart) {
		key.target = site->target;
		key.number = site->stack;
	} else if (site->n_frames > 0 && by == GROUP_BY_STACK) {
		key.kind = KEY_STACK;
		key.target = site->target;
		key.number = group_leak_id(site->frames, site->n_frames);
	} else if (site->n_frames > 0) {
		key = frame_key(site, site->frames[blamed], by);
	}
	/* The target's number is another one after the next start: ids should not be. */
	h = id_add_number(ID_START, key.kind);
	h = id_add_text(h, key.module);
	h = id_add_text(h, key.name);
	key.hash = id_end(id_add_number(h, key.number));
	return key;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_texts(const char *a, const char *b)
{
	if (!a || !b)
		return !!a - !!b;
	return strcmp(a, b);
}

static int compare_keys(const struct key *a, const struct key *b)
{
	int r = compare_numbers(a->hash, b->hash);

	r = r ? r : compare_numbers(a->kind, b->kind);
	r = r ? r : compare_numbers(a->target, b->target);
	r = r ? r : compare_numbers(a->number, b->number);
	r = r ? r : compare_texts(a->module, b->module);
	return r ? r : compare_texts(a->name, b->name);
}

static int compare_signed(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_growth(const struct slope_estimate *a, const struct slope_estimate *b)
{
	if (!a->valid || !b->valid)
		return (int)a->valid - (int)b->valid;
	return (a->per_hour > b->per_hour) - (a->per_hour < b->per_hour);
}

/* Ascending by what is sorted for, then by live bytes. */
static int compare_sizes(enum group_sort sort, const struct totals *a,
			 const struct slope_estimate *a_growth, const struct totals *b,
			 const struct slope_estimate *b_growth)
{
	int r = 0;

	if (sort == GROUP_SORT_GROWTH)
		r = compare_growth(a_growth, b_growth);
	else if (sort == GROUP_SORT_COUNT)
		r = compare_signed(totals_change_count(a), totals_change_count(b));
	else if (sort == GROUP_SORT_ALLOCATED)
		r = compare_numbers(a->allocated_bytes, b->allocated_bytes);
	return r ? r : compare_signed(totals_change_bytes(a), totals_change_bytes(b));
}

static int compare_items(const void *pa, const void *pb, void *options)
{
	const struct item *a = pa;
	const struct item *b = pb;
	enum group_sort sort = ((const struct group_options *)options)->sort;
	int r = compare_keys(&a->key, &b->key);

	r = r ? r :
		compare_sizes(sort, &b->site->totals, &b->site->growth, &a->site->totals,
			      &a->site->growth);
	r = r ? r : compare_numbers(a->site->target, b->site->target);
	return r ? r : compare_numbers(a->site->stack, b->site->stack);
}

static int compare_groups(const void *pa, const void *pb, void *options)
{
	const struct group *a = pa;
	const struct group *b = pb;
	enum group_sort sort = ((const struct group_options *)options)->sort;
	int r = compare_sizes(sort, &b->totals, &b->growth, &a->totals, &a->growth);

	r = r ? r : compare_numbers(a->site_id, b->site_id);
	r = r ? r : compare_numbers(a->leak_id, b->leak_id);
	return r ? r : compare_numbers(a->target, b->target);
}

static void add_growth(struct slope_estimate *sum, const struct slope_estimate *e)
{
	if (!e->valid)
		return;
	if (!sum->valid) {
		*sum = *e;
		return;
	}
	sum->per_hour += e->per_hour;
	sum->per_hour_error = hypot(sum->per_hour_error, e->per_hour_error);
	if (e->since_ns < sum->since_ns)
		sum->since_ns = e->since_ns;
}

static void add_site(struct group *g, const struct named_site *site, enum group_by by)
{
	/* Another walk of the very same frames has ended where it should: none is missing. */
	if (by == GROUP_BY_STACK && site->stack_status == STACK_COMPLETE)
		g->stack_status = STACK_COMPLETE;
	if (site->target != g->target)
		g->target = 0;
	totals_add(&g->totals, &site->totals);
	if (site->oldest_ns && (!g->oldest_ns || site->oldest_ns < g->oldest_ns))
		g->oldest_ns = site->oldest_ns;
	add_growth(&g->growth, &site->growth);
	if (site->verdict > g->verdict)
		g->verdict = site->verdict;
	g->n_sites++;
}

/* The group of @first, which is its largest site; empty as yet. */
static struct group start_group(const struct item *first, enum group_by by)
{
	const struct named_site *site = first->site;
	struct group g = {
		.target = site->target,
		.site_id = first->key.hash,
		.stack_status = site->stack_status,
		.frames = site->frames,
		.n_frames = site->n_frames,
	};

	if (by == GROUP_BY_STACK && site->n_frames > 0) {
		g.site_id = group_site_id(site->frames, site->n_frames);
		g.leak_id = first->key.number;
	} else if (site->n_frames > 0) {
		g.frames = site->frames + first->blamed;
		g.n_frames = 1;
	}
	return g;
}

/* Makes items of the sites that the filters keep; the others are summed up in @result. */
static size_t select_sites(const struct named_site *sites, size_t n,
			   const struct group_options *options, struct item *items,
			   struct group_result *result)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct named_site *site = &sites[i];
		size_t blamed = group_blamed_frame(site->frames, site->n_frames);

		if (!filter_keeps(options, site, blamed)) {
			totals_add(&result->hidden, &site->totals);
			result->n_hidden++;
			continue;
		}
		items[kept++] = (struct item){
			.site = site,
			.blamed = blamed,
			.key = make_key(site, blamed, options->by),
		};
	}
	return kept;
}

int group_sites(const struct named_site *sites, size_t n, const struct group_options *options,
		struct group_result **ret)
{
	_cleanup_(group_result_freep) struct group_result *result = NULL;
	_cleanup_free_ struct item *items = NULL;
	struct group *group = NULL;
	size_t kept;

	result = calloc(1, sizeof(*result));
	items = calloc(n ? n : 1, sizeof(*items));
	if (!result || !items)
		return -ENOMEM;
	kept = select_sites(sites, n, options, items, result);
	result->groups = calloc(kept ? kept : 1, sizeof(*result->groups));
	if (!result->groups)
		return -ENOMEM;
	qsort_r(items, kept, sizeof(*items), compare_items, (void *)options);
	for (size_t i = 0; i < kept; i++) {
		if (i == 0 || compare_keys(&items[i - 1].key, &items[i].key) != 0) {
			group = &result->groups[result->n_total++];
			*group = start_group(&items[i], options->by);
		}
		add_site(group, items[i].site, options->by);
		totals_add(&result->sum, &items[i].site->totals);
	}
	qsort_r(result->groups, result->n_total, sizeof(*result->groups), compare_groups,
		(void *)options);
	result->n = result->n_total;
	if (options->limit > 0 && options->limit < result->n)
		result->n = options->limit;

	*ret = TAKE_PTR(result);
	return 0;
}

struct group_result *group_result_free(struct group_result *r)
{
	if (!r)
		return NULL;
	free(r->groups);
	free(r);
	return NULL;
}
