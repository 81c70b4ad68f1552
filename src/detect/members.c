// SPDX-License-Identifier: GPL-2.0-or-later
/* Objects from one census to the next. See members.h. */
#include "detect/members.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "trend/site.h"

/* Objects that one stands for. */
static double weight(const struct members *m)
{
	return m->threshold ? 0x1p64 / ((double)m->threshold + 1) : 1;
}

void task_clock_add(struct task_clock *c, uint32_t tick, uint64_t made)
{
	const size_t room = ARRAY_SIZE(c->ticks);

	if (c->n && made < c->ticks[c->n - 1].made)
		return;
	/* Of long ago every second one is enough. */
	if (c->n == room) {
		size_t kept = 0;

		for (size_t i = 0; i < room; i += i < room / 2 ? 2 : 1)
			c->ticks[kept++] = c->ticks[i];
		c->n = kept;
	}
	c->ticks[c->n++] = (struct task_tick){ tick, made };
}

void members_done(struct members *m)
{
	free(m->list);
	*m = (struct members){ 0 };
}

static uint16_t short_identity(uint64_t identity)
{
	uint64_t h = python_object_hash(identity);

	return identity ? (uint16_t)((h >> 48) | 1) : 0;
}

/* That of a task is not always known: it may have been about to end, or to be given another name. */
static bool is_same(struct member *m, uint16_t identity)
{
	if (m->identity && identity && m->identity != identity)
		return false;
	m->identity = m->identity ?: identity;
	return true;
}

static uint16_t short_width(uint32_t from, uint32_t to)
{
	uint32_t width = to > from ? to - from : 1;

	return width < UINT16_MAX ? (uint16_t)width : UINT16_MAX;
}

/* By its number, the birth of a task that was made after the clock began. */
static void date_task(struct member *m, uint64_t number, const struct task_clock *c)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c->ticks[middle].made < number)
			low = middle + 1;
		else
			high = middle;
	}
	/* Made before the clock began, or after its last tick, which is now. */
	if (low == 0 || low == c->n)
		return;
	m->to = c->ticks[low].tick;
	m->width = short_width(c->ticks[low - 1].tick, m->to);
}

static struct member born(const struct members *m, const struct python_object *o, uint32_t before,
			  uint32_t now, const struct task_clock *clock)
{
	struct member member = {
		.address = o->address,
		.to = now,
		.width = m->threshold ? short_width(before, now) : 0,
		.identity = short_identity(o->identity),
	};

	if (clock && o->identity)
		date_task(&member, o->identity, clock);
	return member;
}

static void bury(struct members *m, const struct member *dead, uint32_t now)
{
	double age = (double)now - dead->to + dead->width / 2.0;

	m->died += weight(m);
	if (dead->width)
		m->freed[lifetime_bin(age)] += weight(m);
}

/* Those above it are followed no more: neither births nor deaths. */
static void lower_threshold(struct members *m, uint64_t threshold)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++)
		if (python_object_hash(m->list[i].address) <= threshold)
			m->list[kept++] = m->list[i];
	m->n = kept;
	m->threshold = threshold;
}

int members_update(struct members *m, const struct python_objects *seen, uint32_t before,
		   uint32_t now, const struct task_clock *clock)
{
	struct member *list = malloc((seen->n ? seen->n : 1) * sizeof(*list));
	bool is_first = !m->threshold;
	size_t old = 0;

	if (!list)
		return -ENOMEM;
	if (seen->threshold < m->threshold)
		lower_threshold(m, seen->threshold);
	for (size_t i = 0; i < seen->n; i++) {
		const struct python_object *o = &seen->list[i];

		for (; old < m->n && m->list[old].address < o->address; old++)
			bury(m, &m->list[old], now);
		if (old < m->n && m->list[old].address == o->address) {
			if (is_same(&m->list[old], short_identity(o->identity))) {
				list[i] = m->list[old++];
				continue;
			}
			bury(m, &m->list[old++], now);
		}
		list[i] = born(m, o, before, now, clock);
		m->born += is_first ? 0 : weight(m);
	}
	for (; old < m->n; old++)
		bury(m, &m->list[old], now);
	free(m->list);
	m->list = list;
	m->n = seen->n;
	if (is_first)
		m->threshold = seen->threshold;
	return 0;
}

static int compare_births(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return (x->width > y->width) - (x->width < y->width);
}

/* Those with a known birth, in its order; NULL: no memory. */
static struct member *by_birth(const struct members *m, size_t *ret_n)
{
	struct member *list = malloc((m->n ? m->n : 1) * sizeof(*list));

	*ret_n = 0;
	if (!list)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].width)
			list[(*ret_n)++] = m->list[i];
	qsort(list, *ret_n, sizeof(*list), compare_births);
	return list;
}

/* Of a cohort nobody knows more than between which ticks it was born: spread evenly. */
static void scan_cohort(const struct member *of, double count, double bytes, struct trend_site *s,
			const struct trend_process *p)
{
	uint32_t from = of->to > of->width ? of->to - of->width : 0, n = of->to - from;
	double added = 0;

	for (uint32_t i = 0; i < n; i++) {
		double upto = floor(count * (i + 1) / n + 0.5);

		if (upto > added)
			trend_site_scan_add(s, p, from + i, (uint32_t)(upto - added),
					    (upto - added) * bytes);
		added = upto;
	}
}

int members_scan(const struct members *m, struct trend_site *s, const struct trend_process *p,
		 double bytes)
{
	size_t n, end;
	_cleanup_free_ struct member *list = by_birth(m, &n);

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i = end) {
		for (end = i; end < n && compare_births(&list[i], &list[end]) == 0;)
			end++;
		scan_cohort(&list[i], (double)(end - i) * weight(m), bytes, s, p);
	}
	return 0;
}

size_t members_oldest(const struct members *m, uint64_t *addresses, size_t max)
{
	size_t n;
	_cleanup_free_ struct member *list = by_birth(m, &n);

	if (!list)
		return 0;
	n = n < max ? n : max;
	for (size_t i = 0; i < n; i++)
		addresses[i] = list[i].address;
	return n;
}
