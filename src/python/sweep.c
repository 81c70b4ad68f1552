// SPDX-License-Identifier: GPL-2.0-or-later
/* One pass over the pools, buffer by buffer. See sweep.h. */
#include "python/sweep_state.h"

#include <errno.h>

#include "base/clock.h"

#define PROC "/proc"

/* Tries to read a pool that changes meanwhile. */
#define TRIES 3

/* References that are not in anonymous memory, or came after it was counted. */
#define MORE_REFS (1u << 16)

/* Pools whose headers are looked at again. */
#define DRIFT_POOLS 1024

static const char why_no_pools[] =
	"its small objects are in no pools of pymalloc (PYTHONMALLOC=malloc or mimalloc?)";
static const char why_other_heap[] = "its pools do not hold what its version of Python puts there";

int sweep_check_deadline(const struct python_sweep *s)
{
	return s->deadline_ns && clock_ns(CLOCK_MONOTONIC) > s->deadline_ns ? -ETIMEDOUT : 0;
}

struct python_sweep *python_sweep_free(struct python_sweep *s)
{
	if (!s)
		return NULL;
	large_done(&s->large);
	types_done(s);
	free(s->heads);
	free(s->runs);
	free(s->keys);
	free(s->doubts);
	free(s->found);
	free(s->buffer);
	free(s->granules);
	free(s->pools);
	free(s->ranges);
	free(s);
	return NULL;
}

static int sweep_alloc(const struct python_interpreter *i, struct python_sweep **ret)
{
	size_t blocks = BUFFER_BYTES / BLOCK_UNIT;
	struct python_sweep *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->interpreter = *i;
	s->layout = &s->interpreter.layout;
	s->memory = &s->interpreter.memory;
	s->pool_shift = (unsigned int)__builtin_ctz(s->layout->pool_bytes);
	s->granule_shift = s->pool_shift + 6;
	s->buffer = malloc(BUFFER_BYTES);
	s->found = calloc(blocks, sizeof(*s->found));
	s->doubts = calloc(blocks, sizeof(*s->doubts));
	s->keys = calloc(blocks, sizeof(*s->keys));
	s->runs = calloc(RUNS, sizeof(*s->runs));
	s->heads = malloc(RUNS * HEAD_BYTES);
	*ret = s;
	return s->buffer && s->found && s->doubts && s->keys && s->runs && s->heads ? 0 : -ENOMEM;
}

static void note_bounds(struct python_sweep *s)
{
	s->low = UINT64_MAX;
	for (size_t i = 0; i < s->n_ranges; i++) {
		if (!s->ranges[i].is_anonymous)
			continue;
		if (s->ranges[i].start < s->low)
			s->low = s->ranges[i].start;
		s->high = s->ranges[i].end;
	}
}

/* Pools of the buffer from number @first on, as few pieces as can be; how many pieces. */
static size_t plan_pieces(struct python_sweep *s, size_t first, size_t n)
{
	uint64_t pool_bytes = s->layout->pool_bytes;
	size_t pieces = 0;

	for (size_t i = 0; i < n; i++) {
		const struct pool *p = &s->pools[first + i];
		struct python_run *last = pieces ? &s->runs[pieces - 1] : NULL;
		uint64_t pages = (p->next + PYTHON_PAGE_BYTES - 1ull) & ~(PYTHON_PAGE_BYTES - 1ull);
		uint8_t *to = s->buffer + (i << s->pool_shift);

		if (pages > pool_bytes)
			pages = pool_bytes;
		/* Of an empty one only whether it still is. */
		if (!p->refs)
			pages = POOL_HEADER_BYTES;
		if (last && last->address + last->n == p->address &&
		    (uint8_t *)last->to + last->n == to)
			last->n += pages;
		else
			s->runs[pieces++] =
				(struct python_run){ .address = p->address, .to = to, .n = pages };
	}
	return pieces;
}

/* Reads a pool that has changed under the first reading. */
static int read_again(struct python_sweep *s, struct pool *p, size_t at)
{
	for (int i = 0; i < TRIES; i++) {
		size_t have = s->layout->pool_bytes;
		int r = python_read(s->memory, p->address, s->buffer + at, have);

		if (r == -ESRCH || r == -EPERM)
			return r;
		if (r < 0)
			break;
		if (pool_blocks(s, p, at, have) >= 0)
			return 0;
	}
	s->stats.unread_pools++;
	s->stats.unread_blocks += p->refs;
	return 0;
}

/* Takes apart what was read; found[] tells of it then. */
static int fill_found(struct python_sweep *s, size_t first, size_t n, size_t pieces)
{
	const struct python_run *piece = s->runs;

	s->n_found = s->n_doubts = s->n_keys = 0;
	s->buffer_first = first;
	s->buffer_pools = n;
	for (size_t i = 0; i < n; i++) {
		size_t at = i << s->pool_shift, have = 0, offset;
		int r;

		while (piece + 1 < s->runs + pieces && (uint8_t *)piece[1].to <= s->buffer + at)
			piece++;
		offset = (size_t)(s->buffer + at - (uint8_t *)piece->to);
		if (piece->done > offset)
			have = piece->done - offset;
		if (have > s->layout->pool_bytes)
			have = s->layout->pool_bytes;
		if (pool_blocks(s, &s->pools[first + i], at, have) >= 0)
			continue;
		s->stats.reread_pools++;
		r = read_again(s, &s->pools[first + i], at);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_buffer(struct python_sweep *s, size_t first, size_t n)
{
	size_t pieces = plan_pieces(s, first, n);
	int r = python_read_runs(s->memory, s->runs, pieces);

	if (r == 0)
		r = fill_found(s, first, n, pieces);
	if (r == 0)
		r = heads_check(s);
	if (r == 0)
		r = tables_read_keys(s);
	return r;
}

/* What a block refers to, for the large objects. */
static int note_references(struct python_sweep *s, const struct found *f, const uint8_t *data,
			   const struct tables *tables)
{
	size_t object = f->type ? s->before + f->type->object_at : 0;
	int r;

	if (!f->type)
		return large_note_words(s, data + s->before, f->bytes - s->before);
	r = large_note_tables(s, f->type, tables);
	if (r < 0 || !large_has_references(f->type))
		return r;
	if (f->type->object_at > 16) {
		r = large_note_words(s, data + s->before, f->type->object_at - 16u);
		if (r < 0)
			return r;
	}
	return large_note_words(s, data + object + 16, f->bytes - object - 16);
}

static int tell_found(struct python_sweep *s, const struct found *f, python_block_fn callback,
		      void *userdata)
{
	const uint8_t *data = s->buffer + f->at;
	size_t object = f->type ? s->before + f->type->object_at : 0;
	struct python_block b = {
		.address = s->pools[s->buffer_first + (f->at >> s->pool_shift)].address +
			   (f->at & (s->layout->pool_bytes - 1)),
		.bytes = f->bytes,
		.type = f->type,
		.data = data,
		.data_bytes = f->bytes,
	};
	struct tables tables = { .n = 0 };
	int r;

	if (f->type) {
		b.object = b.address + object;
		b.refcount = object_refcount(s, data + object);
		if (b.refcount)
			tables_of(s, f->type, data + object, f->keys_bytes, &tables);
		b.table_bytes = tables.bytes;
		b.table_pool_bytes = tables.pool_bytes;
		b.table_blocks = tables.pool_blocks;
	}
	if (s->large.is_wanted) {
		r = note_references(s, f, data, &tables);
		if (r < 0)
			return r;
	}
	return callback(&b, userdata);
}

int python_sweep_blocks(struct python_sweep *s, python_block_fn callback, void *userdata)
{
	size_t each = BUFFER_BYTES >> s->pool_shift;

	s->stats.live_blocks = s->stats.free_blocks = 0;
	s->stats.pools = s->stats.reread_pools = 0;
	s->stats.refused_blocks = 0;
	s->stats.unread_pools = s->skipped_pools;
	s->stats.unread_blocks = s->skipped_blocks;
	large_reset(&s->large);
	for (size_t first = 0; first < s->n_pools; first += each) {
		size_t n = s->n_pools - first < each ? s->n_pools - first : each;
		int r = sweep_check_deadline(s);

		if (r == 0)
			r = read_buffer(s, first, n);
		if (r < 0)
			return r;
		for (size_t i = 0; i < s->n_found; i++) {
			r = tell_found(s, &s->found[i], callback, userdata);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/*
 * What debug hooks write before each block (Objects/obmalloc.c, _PyMem_DebugRawAlloc()): its size with the
 * highest byte first, a letter for the kind of memory, then this byte seven times.
 */
#define FORBIDDEN 0xfd

static bool is_of_debug_hooks(const uint8_t *block)
{
	if (block[8] != 'o' && block[8] != 'm' && block[8] != 'r')
		return false;
	for (size_t i = 9; i < 16; i++)
		if (block[i] != FORBIDDEN)
			return false;
	return true;
}

/* A look at some of the pools: debug hooks, and whether there are objects at all. */
static int probe_heap(struct python_sweep *s, const char **ret_why)
{
	size_t n = BUFFER_BYTES >> s->pool_shift;
	size_t hooked = 0, typed = 0;

	if (n > s->n_pools)
		n = s->n_pools;
	for (int pass = 0; pass < 2; pass++) {
		int r = read_buffer(s, 0, n);

		if (r < 0)
			return r;
		if (pass == 1)
			break;
		for (size_t i = 0; i < s->n_found; i++)
			hooked += is_of_debug_hooks(s->buffer + s->found[i].at);
		if (2 * hooked <= s->n_found)
			break;
		s->before = DEBUG_BEFORE;
		s->behind = DEBUG_BEHIND;
	}
	for (size_t i = 0; i < s->n_found; i++)
		typed += s->found[i].type != NULL;
	/* Most of any heap are objects: 60 % and more of every interpreter that was looked at. */
	if (10 * typed < s->n_found) {
		*ret_why = why_other_heap;
		return -EOPNOTSUPP;
	}
	return 0;
}

int sweep_over(const struct python_interpreter *i, struct python_range *ranges, size_t n,
	       int pagemap, uint64_t deadline_ns, struct python_sweep **ret, const char **ret_why)
{
	_cleanup_(python_sweep_freep) struct python_sweep *s = NULL;
	int r;

	r = sweep_alloc(i, &s);
	if (!s) {
		free(ranges);
		return -ENOMEM;
	}
	s->ranges = ranges;
	s->n_ranges = n;
	s->deadline_ns = deadline_ns;
	if (r < 0)
		return r;
	note_bounds(s);
	r = pools_find(s, pagemap);
	if (r < 0)
		return r;
	if (!s->n_pools) {
		*ret_why = why_no_pools;
		return -EOPNOTSUPP;
	}
	s->max_refs = 2 * (s->present_bytes / 8) + MORE_REFS;
	r = pools_index(s);
	if (r == 0)
		r = types_init(s);
	if (r == 0)
		r = probe_heap(s, ret_why);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

int python_sweep_new(const struct python_interpreter *i, uint64_t deadline_ns,
		     struct python_sweep **ret, const char **ret_why)
{
	struct python_range *ranges = NULL;
	_cleanup_close_ int pagemap = -EBADF;
	size_t n = 0;
	int r;

	r = python_ranges_read(PROC, i->memory.pid, &ranges, &n);
	if (r < 0)
		return r;
	/* Without it all pages count as present. */
	pagemap = python_pages_open(PROC, i->memory.pid);
	return sweep_over(i, ranges, n, pagemap, deadline_ns, ret, ret_why);
}

/* Blocks that a pool holds by its header now; 0: it is none any more. */
static uint32_t refs_now(const struct python_sweep *s, const struct pool *p,
			 const struct python_run *run)
{
	struct pool now;

	if (run->done < POOL_HEADER_BYTES || !pool_header_read(s, run->to, &now) ||
	    now.class != p->class)
		return 0;
	return now.refs;
}

double python_sweep_drift(struct python_sweep *s)
{
	size_t step = (s->n_pools + DRIFT_POOLS - 1) / DRIFT_POOLS;
	uint64_t held = 0, changed = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->n_pools && n < RUNS; i += step) {
		s->runs[n] = (struct python_run){ .address = s->pools[i].address,
						  .to = s->heads + n * HEAD_BYTES,
						  .n = POOL_HEADER_BYTES };
		n++;
	}
	if (python_read_runs(s->memory, s->runs, n) < 0)
		return 1;
	for (size_t i = 0; i < n; i++) {
		const struct pool *p = &s->pools[i * step];
		uint32_t now = refs_now(s, p, &s->runs[i]);

		held += p->refs > now ? p->refs : now;
		changed += p->refs > now ? p->refs - now : now - p->refs;
	}
	return held ? (double)changed / (double)held : 0;
}

void python_sweep_get_stats(const struct python_sweep *s, struct python_sweep_stats *ret)
{
	*ret = s->stats;
}
