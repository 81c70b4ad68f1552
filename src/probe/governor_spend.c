// SPDX-License-Identifier: GPL-2.0-or-later
/* What was spent on a target, and who pays. See governor_decide.h. */
#include <math.h>

#include "probe/governor_decide.h"

double governor_share(const struct governor *g)
{
	if (!g->total || g->limits.is_forced)
		return 1;
	return fmin(governor_total_share(g->total) / g->limits.budget_ratio, 1);
}

void governor_grow_ledgers(struct governor *g)
{
	governor_ledger_grow(&g->ledger, g->now_ns, governor_share(g));
	if (g->total)
		governor_ledger_grow(&g->total->ledger, g->now_ns, 1);
}

void governor_cap_ledgers(struct governor *g)
{
	governor_ledger_cap(&g->ledger);
	if (g->total)
		governor_ledger_cap(&g->total->ledger);
}

void governor_book(struct governor *g, double ns)
{
	if (!g->total)
		return;
	governor_ledger_spend(&g->total->ledger, ns);
	g->booked_ns += ns;
}

void governor_unbook(struct governor *g)
{
	if (g->total)
		governor_ledger_spend(&g->total->ledger, -g->booked_ns);
	g->booked_ns = 0;
}

/* Of it, @booked was taken out of the total's ledger before. */
static void spend(struct governor *g, uint64_t from_ns, uint64_t now_ns, double ns, double booked)
{
	governor_spending_add(&g->second, from_ns, now_ns, ns);
	governor_spending_add(&g->minute, from_ns, now_ns, ns);
	governor_ledger_spend(&g->ledger, ns);
	/* Forced targets take nothing from the others. */
	if (g->total)
		governor_total_spend(g->total, from_ns, now_ns, ns,
				     g->limits.is_forced ? ns : booked);
}

void governor_charge(struct governor *g, uint64_t from_ns, double ns)
{
	double booked = fmin(ns, g->booked_ns);

	spend(g, from_ns, g->now_ns, ns, booked);
	if (g->total && !g->limits.is_forced)
		g->booked_ns -= booked;
}

void governor_spend(struct governor *g, uint64_t from_ns, uint64_t now_ns, double ns)
{
	spend(g, from_ns, now_ns, ns, 0);
}
