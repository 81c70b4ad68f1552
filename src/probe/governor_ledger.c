// SPDX-License-Identifier: GPL-2.0-or-later
/* The governor's books. See governor_ledger.h. */
#include "probe/governor_ledger.h"

#include <math.h>
#include <string.h>

/* Part of a minute's worth that is reserve: steady spending can use four fifths of the budget. */
#define RESERVE		  0.2
/* Part of the total's reserve that windows do not touch. */
#define KEPT_FROM_WINDOWS 0.25

uint64_t governor_later(uint64_t now_ns, double ns)
{
	if (!(ns > 0))
		return now_ns;
	if (ns >= (double)(UINT64_MAX - now_ns))
		return UINT64_MAX;
	return now_ns + (uint64_t)ns;
}

/* --- what was spent ------------------------------------------------------------------------------ */

void governor_spending_init(struct governor_spending *s, uint64_t slot_ns)
{
	memset(s, 0, sizeof(*s));
	s->slot_ns = slot_ns;
}

/* Empties the slots between the newest one and @slot, which becomes the newest. */
static void advance(struct governor_spending *s, uint64_t slot)
{
	if (slot <= s->newest)
		return;
	if (slot - s->newest >= GOVERNOR_SLOTS) {
		memset(s->slots, 0, sizeof(s->slots));
	} else {
		for (uint64_t i = s->newest + 1; i <= slot; i++)
			s->slots[i % GOVERNOR_SLOTS] = 0;
	}
	s->newest = slot;
}

static uint64_t oldest_slot(const struct governor_spending *s)
{
	return s->newest >= GOVERNOR_SLOTS ? s->newest - GOVERNOR_SLOTS + 1 : 0;
}

/* Length of [from, to) inside of the slot. */
static double overlap(const struct governor_spending *s, uint64_t slot, uint64_t from, uint64_t to)
{
	double start = fmax((double)from - (double)slot * (double)s->slot_ns, 0);
	double end = fmin((double)to - (double)slot * (double)s->slot_ns, (double)s->slot_ns);

	return fmax(end - start, 0);
}

void governor_spending_add(struct governor_spending *s, uint64_t from_ns, uint64_t to_ns,
			   double amount)
{
	uint64_t first = from_ns / s->slot_ns;
	uint64_t last = to_ns / s->slot_ns;

	advance(s, last);
	if (first >= last) {
		s->slots[(last < oldest_slot(s) ? s->newest : last) % GOVERNOR_SLOTS] += amount;
		return;
	}
	for (uint64_t i = last; i >= first && i >= oldest_slot(s); i--) {
		s->slots[i % GOVERNOR_SLOTS] +=
			amount * overlap(s, i, from_ns, to_ns) / (double)(to_ns - from_ns);
		if (i == 0)
			break;
	}
}

double governor_spending_sum(const struct governor_spending *s, uint64_t now_ns, uint64_t span_ns)
{
	uint64_t start = now_ns > span_ns ? now_ns - span_ns : 0;
	uint64_t first = start / s->slot_ns;
	double sum = 0;

	if (first > s->newest)
		return 0;
	if (first < oldest_slot(s))
		first = oldest_slot(s);
	for (uint64_t i = s->newest; i > first; i--)
		sum += s->slots[i % GOVERNOR_SLOTS];
	return sum + s->slots[first % GOVERNOR_SLOTS] * overlap(s, first, start, UINT64_MAX) /
			     (double)s->slot_ns;
}

/* --- what may be spent ---------------------------------------------------------------------------- */

void governor_ledger_init(struct governor_ledger *l, double ratio, double largest_ns,
			  uint64_t now_ns)
{
	l->minute_ns = ratio * (double)GOVERNOR_MINUTE_NS;
	l->capacity_ns = fmax(RESERVE * l->minute_ns, fmin(largest_ns, l->minute_ns / 2));
	l->growth = ratio - l->capacity_ns / (double)GOVERNOR_MINUTE_NS;
	l->level_ns = l->capacity_ns;
	l->time_ns = now_ns;
}

void governor_ledger_change(struct governor_ledger *l, double ratio, double largest_ns)
{
	double level_ns = l->level_ns;

	governor_ledger_init(l, ratio, largest_ns, l->time_ns);
	l->level_ns = fmax(fmin(level_ns, l->capacity_ns), -l->minute_ns);
}

void governor_ledger_grow(struct governor_ledger *l, uint64_t now_ns, double share)
{
	if (now_ns <= l->time_ns)
		return;
	l->level_ns += l->growth * share * (double)(now_ns - l->time_ns);
	l->time_ns = now_ns;
}

void governor_ledger_cap(struct governor_ledger *l)
{
	l->level_ns = fmin(l->level_ns, l->capacity_ns);
}

void governor_ledger_spend(struct governor_ledger *l, double ns)
{
	/* After a minute without spending the promise is kept, however deep the debt was. */
	l->level_ns = fmax(l->level_ns - ns, -l->minute_ns);
}

double governor_ledger_wait_ns(const struct governor_ledger *l, double ns, double share)
{
	double growth = l->growth * share;

	if (l->level_ns >= ns)
		return 0;
	return growth > 0 ? (ns - l->level_ns) / growth : INFINITY;
}

/* --- all targets together ------------------------------------------------------------------------- */

void governor_total_init(struct governor_total *t, double ratio, uint64_t now_ns)
{
	memset(t, 0, sizeof(*t));
	t->ratio = ratio > 0 ? ratio : 0;
	governor_ledger_init(&t->ledger, t->ratio, 0, now_ns);
	t->reserve_ns = KEPT_FROM_WINDOWS * t->ledger.capacity_ns;
	governor_spending_init(&t->minute, GOVERNOR_SECOND_NS);
}

void governor_total_change(struct governor_total *t, double ratio)
{
	t->ratio = ratio > 0 ? ratio : 0;
	governor_ledger_change(&t->ledger, t->ratio, 0);
	t->reserve_ns = KEPT_FROM_WINDOWS * t->ledger.capacity_ns;
}

/* The class of demands in [2^-class, 2^(1-class)); smaller ones are in the last, larger in 0. */
static uint32_t class_of(double demand)
{
	int exponent = 0;

	(void)frexp(demand, &exponent);
	if (exponent > 1)
		return 0;
	return 1 - exponent < GOVERNOR_DEMAND_CLASSES ? (uint32_t)(1 - exponent) :
							GOVERNOR_DEMAND_CLASSES - 1;
}

void governor_total_demand(struct governor_total *t, double old, double new_demand)
{
	if (old > 0) {
		uint32_t class = class_of(old);

		t->counts[class]--;
		/* An empty class sums to nothing, whatever was rounded on the way. */
		t->sums[class] = t->counts[class] > 0 ? t->sums[class] - old : 0;
	}
	if (new_demand > 0) {
		uint32_t class = class_of(new_demand);

		t->counts[class]++;
		t->sums[class] += new_demand;
	}
}

double governor_total_share(const struct governor_total *t)
{
	double left = t->ratio;
	uint64_t n = 0;

	for (uint32_t i = 0; i < GOVERNOR_DEMAND_CLASSES; i++)
		n += t->counts[i];
	for (uint32_t i = GOVERNOR_DEMAND_CLASSES; i-- > 0;) {
		if (t->counts[i] == 0)
			continue;
		/* Smallest first. The mean stands for each of a class. */
		if (t->sums[i] / t->counts[i] > left / (double)n)
			return left / (double)n;
		left -= t->sums[i];
		n -= t->counts[i];
	}
	return INFINITY;
}

void governor_total_spend(struct governor_total *t, uint64_t from_ns, uint64_t now_ns, double ns,
			  double booked_ns)
{
	governor_spending_add(&t->minute, from_ns, now_ns, ns);
	governor_ledger_spend(&t->ledger, ns - booked_ns);
}

void governor_total_join(struct governor_total *t, struct governor_waiter *w, double ns)
{
	w->need_ns = ns;
	if (w->is_waiting)
		return;
	w->is_waiting = true;
	w->before = t->last;
	w->after = NULL;
	*(t->last ? &t->last->after : &t->first) = w;
	t->last = w;
}

void governor_total_leave(struct governor_total *t, struct governor_waiter *w)
{
	if (!w->is_waiting)
		return;
	*(w->before ? &w->before->after : &t->first) = w->after;
	*(w->after ? &w->after->before : &t->last) = w->before;
	*w = (struct governor_waiter){ 0 };
}

double governor_total_wait_ns(const struct governor_total *t, const struct governor_waiter *w)
{
	double need_ns = t->reserve_ns;

	for (const struct governor_waiter *i = w; i; i = i->before)
		need_ns += i->need_ns;
	return governor_ledger_wait_ns(&t->ledger, need_ns, 1);
}

double governor_total_ratio(const struct governor_total *t, uint64_t now_ns)
{
	return governor_spending_sum(&t->minute, now_ns, GOVERNOR_MINUTE_NS) /
	       (double)GOVERNOR_MINUTE_NS;
}
