/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the governor: what fits, when to stop, and the windows. For governor*.c only.
 */
#ifndef SEEP_PROBE_GOVERNOR_DECIDE_H
#define SEEP_PROBE_GOVERNOR_DECIDE_H

#include "probe/governor.h"

/* --- governor_spend.c ------------------------------------------------------------------------------ */

/* What the total leaves this target of its budget, 0 .. 1. */
double governor_share(const struct governor *g);
/* Before and after spending. */
void governor_grow_ledgers(struct governor *g);
void governor_cap_ledgers(struct governor *g);
/* Takes what is about to be spent out of the total's ledger, and gives back what was not. */
void governor_book(struct governor *g, double ns);
void governor_unbook(struct governor *g);
/* What the probes of the plan have cost from then until g->now_ns: of what was booked first. */
void governor_charge(struct governor *g, uint64_t from_ns, double ns);

/* --- governor_decide.c: what fits ------------------------------------------------------------------ */

/* Tells the total what this target would spend if it were alone. */
void governor_tell_demand(struct governor *g);

/* The largest of each rate in the kept measurements. */
struct governor_rates governor_worst(const struct governor *g);
/* What a steady mode may cost, as a share of one core: less while there is a debt. */
double governor_allowed(const struct governor *g);
/* What the present costs, as a share of one core. */
double governor_instant_cost(const struct governor *g);
/* The shortest interval, from @from on, that costs at most @allowed; or GOVERNOR_NO_INTERVAL. */
uint64_t governor_choose(const struct governor *g, uint64_t from, double allowed);
/* Why not every block is taken. */
enum governor_reason governor_why_less(const struct governor *g);

/* What can be spent without a note, on all CPUs together. */
double governor_unseen_ns(const struct governor *g);
uint64_t governor_alarm_hits(const struct governor *g);
/* Whether the probes in place must go at once; the reason is set only then. */
bool governor_must_stop(const struct governor *g, enum governor_reason *ret_reason);

/* --- governor.c ------------------------------------------------------------------------------------ */

/* True if that is a new plan, which is to be applied. */
bool governor_set_plan(struct governor *g, enum governor_mode mode, enum governor_probes probes,
		       uint64_t interval_bytes, enum governor_reason reason);

/* --- governor_window.c: windows ------------------------------------------------------------------- */

/* No allocation probes until the next window; those of frees may stay if @may_watch. */
bool governor_close_window(struct governor *g, enum governor_reason reason, bool may_watch);
/* Opens the next window, or says in the plan when that will be, or that there can be none. */
bool governor_plan_window(struct governor *g);
bool governor_window_applied(struct governor *g);
/* What it would spend is left to others. */
void governor_spend_nothing(struct governor *g);

/* --- governor_limits.c ---------------------------------------------------------------------------- */

bool governor_are_sane(const struct governor_limits *l);
/* Whether blocks are taken in the same way under both: a budget alone makes no difference. */
bool governor_is_same_way(const struct governor_limits *a, const struct governor_limits *b);

#endif
