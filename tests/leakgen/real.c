// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The simulated service of tests/eval/world.h with real blocks, in the place of world.c: the same
 * families and the same draws, but what they allocate is allocated.
 *
 * Memory that no block explains (the base, fragmentation) is a mapping whose pages are touched.
 */
#include <math.h>
#include <string.h>
#include <sys/mman.h>

#include "../workloads/workload.h"
#include "keep.h"
#include "real.h"

#define PAGE 4096

/* A block that is known here: 0 is none, so that zero pages are empty lists. */
struct record {
	uint32_t next;
	uint32_t site;
	double bytes; /* as the family wants it: what tells blocks of one birth apart */
	size_t size;
	void *block;
};

struct site_books {
	uint32_t births[RUN_TICKS]; /* records of blocks without a planned end, latest first */
	uint64_t live_bytes;
};

/* world.h knows this as the frees to come. */
struct deaths {
	uint32_t at[RUN_TICKS + 1]; /* records to free in a tick */
	struct record *records;	    /* owned */
	uint32_t n, room, spare;
	struct site_books sites[SITES];
	char *other;		      /* owned: the mapping of what no block explains */
	size_t other_room, other_use; /* bytes */
	bool on_threads;
};

static void *must(void *p)
{
	if (!p)
		die("no memory for the books");
	return p;
}

double world_live_bytes(const struct world *w, int site)
{
	return (double)w->deaths->sites[site].live_bytes;
}

void world_use_threads(struct world *w)
{
	w->deaths->on_threads = true;
}

struct world *world_new(void)
{
	struct world *w = must(keep_realloc(NULL, sizeof(*w)));

	w->deaths = must(keep_realloc(NULL, sizeof(*w->deaths)));
	return w;
}

struct world *world_free(struct world *w)
{
	if (!w)
		return NULL;
	for (int i = 0; i < SITES; i++)
		for (int k = 0; k < w->sites[i].n; k++)
			component_done(&w->sites[i].components[k]);
	if (w->deaths->other)
		munmap(w->deaths->other, w->deaths->other_room);
	keep_free(w->deaths->records);
	keep_free(w->deaths);
	keep_free(w);
	return NULL;
}

/* Only once in a process. */
void world_reset(struct world *w, uint64_t seed, uint64_t stream)
{
	for (int i = 0; i < SITES; i++)
		w->sites[i].leaks_until = NEVER;
	w->random = random_stream(seed, stream);
	w->limit = draw_log_uniform(&w->random, 1e9, 8e9);
	w->base = w->limit * draw_uniform(&w->random, 0.2, 0.45);
	w->usage = w->base;
}

double world_headroom(const struct world *w)
{
	return w->limit - w->base;
}

void world_restart(struct world *w, int tick)
{
	w->start = tick;
	for (int i = 0; i < SITES; i++)
		for (int k = 0; k < w->sites[i].n; k++)
			component_restart(&w->sites[i].components[k]);
}

static size_t whole_bytes(double bytes)
{
	return bytes < 1 ? 1 : (size_t)(bytes + 0.5);
}

static uint32_t record_new(struct deaths *d)
{
	uint32_t i = d->spare;

	if (i) {
		d->spare = d->records[i].next;
		return i;
	}
	if (d->n + 1 >= d->room) {
		d->room = d->room > 0 ? 2 * d->room : 4096;
		d->records = must(keep_realloc(d->records, d->room * sizeof(*d->records)));
	}
	return ++d->n;
}

/* Frees the block and takes its record out of the list that *link heads. */
static void end_block(struct deaths *d, uint32_t *link)
{
	uint32_t i = *link;
	struct record *r = &d->records[i];

	d->sites[r->site].live_bytes -= r->size;
	place_free(r->block);
	*link = r->next;
	r->next = d->spare;
	d->spare = i;
}

/* Where the block of this birth and size is linked. */
static uint32_t *find_block(struct deaths *d, const struct world *w, const struct world_site *s,
			    int birth, double bytes)
{
	uint32_t *link = &d->sites[s - w->sites].births[birth];

	while (*link && d->records[*link].bytes != bytes)
		link = &d->records[*link].next;
	if (!*link)
		die("a block is freed that there is not");
	return link;
}

void world_allocate(struct world *w, struct world_site *s, int tick, double bytes)
{
	struct deaths *d = w->deaths;
	uint32_t site = (uint32_t)(s - w->sites);
	enum place place = site_place(w, (int)site);
	size_t size = whole_bytes(bytes);
	uint32_t i = record_new(d);
	bool on_thread = d->on_threads && site == 0;

	d->records[i] = (struct record){
		.next = d->sites[site].births[tick],
		.site = site,
		.bytes = bytes,
		.size = size,
		.block = on_thread ? place_new_on_thread(place, size) : place_new(place, size),
	};
	d->sites[site].births[tick] = i;
	d->sites[site].live_bytes += size;
}

/* Every block is a real one: each that is simulated is seen. */
uint32_t world_deallocate(struct world *w, struct world_site *s, int tick, int birth, double bytes)
{
	(void)tick;
	end_block(w->deaths, find_block(w->deaths, w, s, birth, bytes));
	return 1;
}

void world_reallocate(struct world *w, struct world_site *s, int tick, int birth, double bytes,
		      double new_bytes)
{
	struct deaths *d = w->deaths;
	uint32_t *link = find_block(d, w, s, birth, bytes);
	uint32_t i = *link;
	struct record *r = &d->records[i];
	size_t size = whole_bytes(new_bytes);

	r->block = place_resize(site_place(w, (int)r->site), r->block, r->size, size);
	d->sites[r->site].live_bytes += size - r->size;
	r->bytes = new_bytes;
	r->size = size;
	*link = r->next;
	r->next = d->sites[r->site].births[tick];
	d->sites[r->site].births[tick] = i;
}

void world_deallocate_later(struct world *w, struct world_site *s, int birth, double bytes,
			    double after, bool was_lost)
{
	struct deaths *d = w->deaths;
	double ticks = fmax(1, ceil(after));
	uint32_t *link, i;

	(void)was_lost;
	if (birth + ticks >= RUN_TICKS)
		return;
	link = find_block(d, w, s, birth, bytes);
	i = *link;
	*link = d->records[i].next;
	d->records[i].next = d->at[birth + (int)ticks];
	d->at[birth + (int)ticks] = i;
}

/* Touches pages until @bytes of memory are in use that are no block. */
static void use_other(struct deaths *d, double limit, double bytes)
{
	if (!d->other) {
		d->other_room = (size_t)limit;
		d->other = mmap(NULL, d->other_room, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (d->other == MAP_FAILED)
			die("no memory for the base");
	}
	for (; d->other_use < bytes && d->other_use < d->other_room; d->other_use += PAGE)
		d->other[d->other_use] = 1;
}

void world_step(struct world *w, int tick)
{
	struct deaths *d = w->deaths;
	double usage = w->base + w->fragmentation * tick;

	use_other(d, w->limit, usage);
	while (d->at[tick])
		end_block(d, &d->at[tick]);
	for (int i = 0; i < SITES; i++) {
		struct world_site *s = &w->sites[i];

		for (int k = 0; k < s->n; k++)
			component_step(w, s, &s->components[k], tick);
		usage += world_live_bytes(w, i);
	}
	w->usage = usage;
	w->exhausted = usage > w->limit;
}
