/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The governor's books: what was spent in the last second or minute, what may be spent, and how
 * targets share what all of them together may spend.
 *
 * A ledger keeps a promise about every minute, also the first one. It holds at most a reserve C,
 * starts with it, and grows by (r - C / 60 s) per second for a budget of r; so no minute can spend
 * more than C + 60 s * (r - C / 60 s) = 60 s * r. A full minute's worth as C, with growth r, would
 * allow twice the budget in the minute after an idle one.
 *
 * Pure. Times are monotonic nanoseconds and spending is nanoseconds of the targets' time; a time
 * that is before the last one is taken for the last one.
 */
#ifndef SEEP_PROBE_GOVERNOR_LEDGER_H
#define SEEP_PROBE_GOVERNOR_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#define GOVERNOR_SECOND_NS 1000000000ull
#define GOVERNOR_MINUTE_NS (60 * GOVERNOR_SECOND_NS)

/* --- what was spent ------------------------------------------------------------------------------ */

#define GOVERNOR_SLOTS 64

/* An amount over time, in slots of equal length, the newest GOVERNOR_SLOTS of them. */
struct governor_spending {
	uint64_t slot_ns;
	uint64_t newest; /* number of the newest slot since time 0 */
	double slots[GOVERNOR_SLOTS];
};

void governor_spending_init(struct governor_spending *s, uint64_t slot_ns);
/* Spreads @amount evenly over the time from @from_ns to @to_ns. */
void governor_spending_add(struct governor_spending *s, uint64_t from_ns, uint64_t to_ns,
			   double amount);
/* What lies in the @span_ns before @now_ns; a slot that lies there in part counts in part. */
double governor_spending_sum(const struct governor_spending *s, uint64_t now_ns, uint64_t span_ns);

/* --- what may be spent ---------------------------------------------------------------------------- */

struct governor_ledger {
	double level_ns; /* below 0: in debt, at most a minute's worth of the budget */
	double capacity_ns;
	double growth; /* ns per ns */
	double minute_ns;
	uint64_t time_ns;
};

/*
 * @ratio: the budget; the reserve is a fifth of a minute's worth, or @largest_ns, the largest sum
 * that is ever spent at once, if that is more, but never above half of a minute's worth.
 */
void governor_ledger_init(struct governor_ledger *l, double ratio, double largest_ns,
			  uint64_t now_ns);
/* Another budget, as of governor_ledger_init(); what is left or owed stays, up to the new capacity. */
void governor_ledger_change(struct governor_ledger *l, double ratio, double largest_ns);
/* Grows by @share (0 .. 1) of the full growth; what was spent meanwhile is to be taken out next. */
void governor_ledger_grow(struct governor_ledger *l, uint64_t now_ns, double share);
/* Holds no more than its capacity. After spending, or growth would be lost. */
void governor_ledger_cap(struct governor_ledger *l);
void governor_ledger_spend(struct governor_ledger *l, double ns);
/* How long until it holds @ns, growing with @share: 0 if it does; INFINITY is possible. */
double governor_ledger_wait_ns(const struct governor_ledger *l, double ns, double share);

/* --- all targets together ------------------------------------------------------------------------- */

#define GOVERNOR_DEMAND_CLASSES 32

/* A place in the queue for windows. Part of its target's governor; not to be moved while in it. */
struct governor_waiter {
	struct governor_waiter *before;
	struct governor_waiter *after;
	double need_ns;
	bool is_waiting;
};

/*
 * One for all targets, and theirs to fill. Each target's demand is what it would spend if it were
 * alone. Who demands less than an equal share gets what it demands, and what it leaves is shared
 * by the others (max-min fairness): the share s solves sum(min(demand, s)) = budget. Demands are
 * kept as count and sum per power of two, so that s is found without walking the targets.
 */
struct governor_total {
	double ratio;
	struct governor_ledger ledger; /* of the targets that are not forced */
	double reserve_ns; /* that windows leave to targets which are counted, and to bursts */
	struct governor_spending minute; /* of all targets */
	struct governor_waiter *first;	 /* windows that wait for their turn */
	struct governor_waiter *last;
	uint32_t counts[GOVERNOR_DEMAND_CLASSES];
	double sums[GOVERNOR_DEMAND_CLASSES];
};

/* @ratio: of one core, over all targets, e.g. 0.05; below 0 or not a number counts as 0. */
void governor_total_init(struct governor_total *t, double ratio, uint64_t now_ns);
/* Another ratio, while targets run. */
void governor_total_change(struct governor_total *t, double ratio);
/* Replaces one target's demand @old (0: none yet) by @new_demand. */
void governor_total_demand(struct governor_total *t, double old, double new_demand);
/* What a target may spend as a share of one core; INFINITY if there is enough for all. */
double governor_total_share(const struct governor_total *t);
/* Spending; @booked_ns of it had been taken out of the ledger before. */
void governor_total_spend(struct governor_total *t, uint64_t from_ns, uint64_t now_ns, double ns,
			  double booked_ns);
/* Joins the end of the queue, or keeps its place, with a window of @ns. */
void governor_total_join(struct governor_total *t, struct governor_waiter *w, double ns);
/* Leaves it, if it is in it. */
void governor_total_leave(struct governor_total *t, struct governor_waiter *w);
/* How long until it can pay this one after all that are before it; 0: it is its turn. */
double governor_total_wait_ns(const struct governor_total *t, const struct governor_waiter *w);
/* What was spent in the last minute, forced targets included, as a share of one core. */
double governor_total_ratio(const struct governor_total *t, uint64_t now_ns);

/* @now_ns + @ns, not above UINT64_MAX; a negative or no number of ns counts as 0. */
uint64_t governor_later(uint64_t now_ns, double ns);

#endif
