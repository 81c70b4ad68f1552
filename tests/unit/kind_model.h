/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made-up heaps of Python objects for the tests of the detector on kinds, census by census. */
#ifndef SEEP_TESTS_KIND_MODEL_H
#define SEEP_TESTS_KIND_MODEL_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detect/kind_watch.h"
#include "detect/members.h"

#define SECOND 1000000000ull
#define MIB    (1024.0 * 1024.0)
#define ROOM   400000 /* objects of a kind */

enum {
	TASK = 1,
	COROUTINE,
	CONTEXT,
	TEXT,
	OTHER,
	KINDS_END
};

/* Objects of a kind, oldest first; the heap gives freed addresses again, the last one first. */
struct pile {
	uint64_t *addresses;
	uint64_t *numbers;
	size_t first, n;
	uint64_t bytes; /* of each */
	uint8_t rank;
};

struct heap_model {
	struct kind_watch *kinds;
	struct trend_options trend;
	struct pile piles[KINDS_END];
	uint64_t next_address;
	uint64_t spare[ROOM]; /* freed addresses */
	size_t n_spare;
	uint64_t tasks_made;
	uint64_t work;
	uint32_t tick;
	double limit;
	/* What was ever found, by kind. */
	enum trend_state worst[KINDS_END];
	unsigned int opened[KINDS_END];
	struct kind_finding last[KINDS_END];
};

static struct heap_model *model_new(double headroom)
{
	static const struct {
		uint64_t bytes;
		uint8_t rank;
	} shapes[KINDS_END] = {
		[TASK] = { 192, 0 }, [COROUTINE] = { 208, 2 }, [CONTEXT] = { 64, 6 },
		[TEXT] = { 64, 6 },  [OTHER] = { 480, 3 },
	};
	struct heap_model *m = calloc(1, sizeof(*m));
	struct kind_options options = { .tick_ns = SECOND };

	assert_non_null(m);
	trend_options_init(&m->trend);
	options.trend = &m->trend;
	m->kinds = kind_watch_new(&options);
	assert_non_null(m->kinds);
	m->next_address = 0x7f0000000000ull;
	m->limit = 200 * MIB + headroom;
	for (size_t i = TASK; i < KINDS_END; i++) {
		m->piles[i].addresses = calloc(ROOM, sizeof(uint64_t));
		m->piles[i].numbers = calloc(ROOM, sizeof(uint64_t));
		m->piles[i].bytes = shapes[i].bytes;
		m->piles[i].rank = shapes[i].rank;
		assert_non_null(m->piles[i].addresses);
		assert_non_null(m->piles[i].numbers);
	}
	return m;
}

static inline void model_free(struct heap_model *m)
{
	for (size_t i = TASK; i < KINDS_END; i++) {
		free(m->piles[i].addresses);
		free(m->piles[i].numbers);
	}
	kind_watch_free(m->kinds);
	free(m);
}

static inline void make(struct heap_model *m, int kind, size_t n)
{
	struct pile *p = &m->piles[kind];

	for (size_t i = 0; i < n; i++) {
		size_t at = p->first + p->n++;

		assert_true(at < ROOM);
		p->addresses[at] = m->n_spare ? m->spare[--m->n_spare] : (m->next_address += 16);
		p->numbers[at] = kind == TASK ? ++m->tasks_made : 0;
	}
}

/* The oldest ones. */
static inline void drop(struct heap_model *m, int kind, size_t n)
{
	struct pile *p = &m->piles[kind];

	for (; n && p->n; n--, p->n--)
		m->spare[m->n_spare++] = p->addresses[p->first++];
	if (p->first > ROOM / 2) {
		memmove(p->addresses, p->addresses + p->first, p->n * sizeof(uint64_t));
		memmove(p->numbers, p->numbers + p->first, p->n * sizeof(uint64_t));
		p->first = 0;
	}
}

/* A few that live from one census to the next. */
static inline void churn(struct heap_model *m, int kind, size_t n)
{
	drop(m, kind, n);
	make(m, kind, n);
}

static inline int compare_objects(const void *a, const void *b)
{
	const struct python_object *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* As the other side of the socket does it. */
static struct python_objects list_pile(const struct pile *p, uint64_t threshold)
{
	struct python_objects o = { .count = p->n, .threshold = threshold ?: UINT64_MAX };

	o.list = calloc(p->n + 1, sizeof(*o.list));
	assert_non_null(o.list);
	for (;; o.threshold /= 2) {
		o.n = 0;
		for (size_t i = 0; i < p->n; i++)
			if (python_object_hash(p->addresses[p->first + i]) <= o.threshold)
				o.list[o.n++] = (struct python_object){ p->addresses[p->first + i],
									p->numbers[p->first + i] };
		if (o.n <= KINDS_MEMBERS_MAX)
			break;
	}
	qsort(o.list, o.n, sizeof(*o.list), compare_objects);
	return o;
}

static inline void give_objects(struct heap_model *m)
{
	struct kind_wanted wanted[KINDS_FOLLOWED_MAX];
	size_t n = kind_watch_wanted(m->kinds, wanted);

	for (size_t i = 0; i < n; i++) {
		struct python_objects o = list_pile(&m->piles[wanted[i].key], wanted[i].threshold);

		assert_int_equal(kind_watch_objects(m->kinds, wanted[i].key, &o), 0);
		free(o.list);
	}
}

static inline void note_findings(struct heap_model *m)
{
	const struct kind_finding *list;
	size_t n = kind_watch_findings(m->kinds, &list);

	for (size_t i = 0; i < n; i++) {
		enum trend_state state = list[i].evidence.state;

		m->last[list[i].key] = list[i];
		m->opened[list[i].key] += list[i].event == TREND_OPENED;
		if (state == TREND_SUSPECT && m->worst[list[i].key] == TREND_QUIET)
			m->worst[list[i].key] = state;
		if (state == TREND_LEAKING || state == TREND_EXHAUSTION)
			m->worst[list[i].key] = state;
	}
}

static inline void count_kinds(struct heap_model *m)
{
	struct kind_count counts[KINDS_END];
	struct kind_process process = {
		.usage_bytes = 200 * MIB,
		.limit_bytes = m->limit,
		.work = m->work += 10000,
		.tasks_made = m->tasks_made,
	};
	size_t n = 0;

	for (uint64_t i = TASK; i < KINDS_END; i++) {
		process.usage_bytes += (double)(m->piles[i].n * m->piles[i].bytes);
		if (m->piles[i].n)
			counts[n++] = (struct kind_count){
				.key = i,
				.count = m->piles[i].n,
				.bytes = m->piles[i].n * m->piles[i].bytes,
				.rank = m->piles[i].rank,
				.is_task = i == TASK,
			};
	}
	assert_int_equal(kind_watch_count(m->kinds, ++m->tick * SECOND, &process, counts, n), 1);
}

static inline void census(struct heap_model *m)
{
	int r;

	count_kinds(m);
	give_objects(m);
	r = kind_watch_judge(m->kinds);
	assert_true(r >= 0);
	if (r > 0)
		note_findings(m);
}

/* Tasks, each with a coroutine, a context and a name, are kept for ever. */
static inline void leak_in_step(struct heap_model *m)
{
	make(m, TASK, 11);
	make(m, COROUTINE, 11);
	make(m, CONTEXT, 11);
	make(m, TEXT, 11);
	churn(m, OTHER, 503);
	census(m);
}

/* Two days to the limit, for what nobody ever frees (trend/options.c). */
#define HEADROOM(per_tick, bytes) ((per_tick) * (bytes)*2880.0)

#endif
