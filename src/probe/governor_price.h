/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What probes cost a target: prices times what was counted, and what another interval would cost.
 *
 * Pure. A cost is nanoseconds of the target's time; as a ratio it is the share of one core.
 */
#ifndef SEEP_PROBE_GOVERNOR_PRICE_H
#define SEEP_PROBE_GOVERNOR_PRICE_H

#include <stdint.h>

/*
 * Nanoseconds, for the target's own places: a place that the kernel has to single-step is dearer.
 * A price that is not a number or is above a second counts as a second, one below 0 as 0.
 */
struct governor_prices {
	double skip_ns; /* an allocation call of which only the entry is looked at */
	/* What the return probe adds. Where it cannot be skipped: 0, and part of skip_ns. */
	double return_ns;
	double block_ns; /* what taking a block adds: unwinding and maps */
	double free_ns;	 /* a free call */
	/*
	 * What setting and removing the probes once costs a thread that does nothing but hit them; the
	 * less a target does so, the less it costs.
	 */
	double attach_ns;
};

/* What happened since the last time counts were handed in, from the kernel's counters. */
struct governor_counts {
	uint64_t allocations; /* calls of allocator functions */
	uint64_t bytes;	      /* that they asked for */
	uint64_t frees;	      /* calls of free functions */
	uint64_t taken;	      /* blocks that were taken: all, none or a sample */
};

/* The same as numbers that add up: sums, or per second. */
struct governor_rates {
	double allocations;
	double bytes;
	double frees;
	double taken;
};

/* Interval between exact (0: every block is taken) and none that fits. */
#define GOVERNOR_EXACT_INTERVAL 0
#define GOVERNOR_NO_INTERVAL	UINT64_MAX

struct governor_prices governor_clean_prices(const struct governor_prices *prices);

/*
 * A price that is measured again and again: what to believe instead of @believed after @last and now
 * @measured. It moves only as far as both agree: at once if hits have become dearer, by a quarter of the way
 * if cheaper; and never beyond a quarter and 30 times of @first, the careful measurement at the start.
 */
double governor_follow(double believed, double first, double last, double measured);

void governor_rates_add(struct governor_rates *sum, const struct governor_counts *counts);
struct governor_rates governor_rates_per_second(const struct governor_rates *sum,
						uint64_t elapsed_ns);
/* The larger of each. */
void governor_rates_raise(struct governor_rates *to, const struct governor_rates *rates);

/* What these calls cost: nanoseconds, and for rates nanoseconds per second. */
double governor_cost_ns(const struct governor_prices *prices, const struct governor_rates *rates);

/*
 * At most so many blocks are taken per second with a mean distance of @interval bytes. A block of s
 * bytes is taken with probability 1 - exp(-s/R), or always if s >= R: min(1, s/R) is above both,
 * and concave, so that its mean is at most its value at the mean size (Jensen).
 */
double governor_most_taken(const struct governor_rates *rates, uint64_t interval);

/*
 * The cost per second of the rates at another interval, as a share of one core. @taken_factor: how
 * many of the most that could be taken are, as measured (1: not known).
 */
double governor_predict(const struct governor_prices *prices, const struct governor_rates *rates,
			uint64_t interval, double taken_factor);

/* The next longer one of exact, @first, 2 * @first .. @longest; GOVERNOR_NO_INTERVAL after it. */
uint64_t governor_longer_interval(uint64_t interval, uint64_t first, uint64_t longest);

#endif
