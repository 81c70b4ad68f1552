// SPDX-License-Identifier: GPL-2.0-or-later
/* What probes cost a target. See governor_price.h. */
#include "probe/governor_price.h"

#include <math.h>

#define SECOND_NS 1e9

static double clean_price(double ns)
{
	if (isnan(ns) || ns > SECOND_NS)
		return SECOND_NS;
	return ns > 0 ? ns : 0;
}

struct governor_prices governor_clean_prices(const struct governor_prices *prices)
{
	return (struct governor_prices){
		.skip_ns = clean_price(prices->skip_ns),
		.return_ns = clean_price(prices->return_ns),
		.block_ns = clean_price(prices->block_ns),
		.free_ns = clean_price(prices->free_ns),
		.attach_ns = clean_price(prices->attach_ns),
	};
}

double governor_follow(double believed, double first, double last, double measured)
{
	double low = fmin(last, measured), high = fmax(last, measured), now = believed;

	if (low > believed)
		now = low;
	else if (high < believed)
		now = believed + (high - believed) / 4;
	return fmin(fmax(now, first / 4), 30 * first);
}

void governor_rates_add(struct governor_rates *sum, const struct governor_counts *counts)
{
	sum->allocations += (double)counts->allocations;
	sum->bytes += (double)counts->bytes;
	sum->frees += (double)counts->frees;
	sum->taken += (double)counts->taken;
}

struct governor_rates governor_rates_per_second(const struct governor_rates *sum,
						uint64_t elapsed_ns)
{
	double seconds = fmax((double)elapsed_ns, 1) / SECOND_NS;

	return (struct governor_rates){
		.allocations = sum->allocations / seconds,
		.bytes = sum->bytes / seconds,
		.frees = sum->frees / seconds,
		.taken = sum->taken / seconds,
	};
}

void governor_rates_raise(struct governor_rates *to, const struct governor_rates *rates)
{
	to->allocations = fmax(to->allocations, rates->allocations);
	to->bytes = fmax(to->bytes, rates->bytes);
	to->frees = fmax(to->frees, rates->frees);
	to->taken = fmax(to->taken, rates->taken);
}

double governor_cost_ns(const struct governor_prices *prices, const struct governor_rates *rates)
{
	return rates->allocations * prices->skip_ns +
	       rates->taken * (prices->return_ns + prices->block_ns) +
	       rates->frees * prices->free_ns;
}

double governor_most_taken(const struct governor_rates *rates, uint64_t interval)
{
	if (interval == GOVERNOR_EXACT_INTERVAL)
		return rates->allocations;
	return fmin(rates->allocations, rates->bytes / (double)interval);
}

double governor_predict(const struct governor_prices *prices, const struct governor_rates *rates,
			uint64_t interval, double taken_factor)
{
	struct governor_rates then = *rates;

	then.taken = governor_most_taken(rates, interval);
	if (interval != GOVERNOR_EXACT_INTERVAL)
		then.taken *= taken_factor;
	return governor_cost_ns(prices, &then) / SECOND_NS;
}

uint64_t governor_longer_interval(uint64_t interval, uint64_t first, uint64_t longest)
{
	if (interval == GOVERNOR_EXACT_INTERVAL)
		return first;
	return interval <= longest / 2 ? 2 * interval : GOVERNOR_NO_INTERVAL;
}
