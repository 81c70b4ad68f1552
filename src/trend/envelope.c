// SPDX-License-Identifier: GPL-2.0-or-later
/* What is proven bounded. See envelope.h. */
#include "trend/envelope.h"

#include <math.h>

#define GROWTH	    1.05
#define FALL	    0.5
#define LEAST_QUIET 120 /* ticks that (b) takes at least */

static void raise_proven(struct envelope_age *a)
{
	if (a->most > a->proven)
		a->proven = a->most;
}

static void update_age(struct envelope_age *a, uint32_t now, double old_bytes)
{
	uint32_t growing = a->grew - a->grows_since;
	uint32_t quiet = now - a->grew;

	if (growing < LEAST_QUIET)
		growing = LEAST_QUIET;
	if (old_bytes > GROWTH * a->most) {
		/* After a rest that proved the old maximum, growth begins anew. */
		if (a->most > 0 && quiet >= growing)
			a->grows_since = now;
		a->most = (float)old_bytes;
		a->grew = now;
	} else if (quiet >= growing) {
		raise_proven(a);
	}
	if (a->most > 0 && old_bytes < FALL * a->most) {
		raise_proven(a);
		a->most = (float)old_bytes;
		a->grew = now;
		a->grows_since = now;
	}
}

void envelope_update(struct envelope *e, const struct cohort_layout *layout,
		     const struct cohort_sums *sums)
{
	for (unsigned k = 0; k < ENVELOPE_AGES; k++) {
		/* Nothing can be older than the process: the running sum before tick 0 is 0. */
		double tick = (double)layout->now - (double)(1u << k);

		update_age(&e->at[k], layout->now,
			   cohort_sum_at(sums->bytes, cohort_mark(layout, tick)));
	}
}

unsigned envelope_index(double age)
{
	unsigned k = 0;

	while (k < ENVELOPE_AGES - 1 && (double)(1u << k) < age)
		k++;
	return k;
}

void envelope_prove(struct envelope *e)
{
	for (unsigned k = 0; k < ENVELOPE_AGES; k++)
		raise_proven(&e->at[k]);
}

void envelope_init(struct envelope *e, uint32_t now)
{
	for (unsigned k = 0; k < ENVELOPE_AGES; k++)
		e->at[k] = (struct envelope_age){ .grew = now, .grows_since = now };
}
