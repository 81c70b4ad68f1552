/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What leakgen asks of a service beside world.h: of the one with real blocks (real.c), and of the
 * simulated one (simulated.c), whose figures must be the same.
 */
#ifndef SEEP_LEAKGEN_REAL_H
#define SEEP_LEAKGEN_REAL_H

#include "places.h"
#include "world.h"

static inline enum place site_place(const struct world *w, int site)
{
	if (site > 0)
		return ORDINARY_1 + (enum place)(site - 1);
	return w->sites[0].leaks ? LEAKING : LOOK_ALIKE;
}

double world_live_bytes(const struct world *w, int site);

/* From now on the blocks of site 0 are each made on a thread of their own. */
void world_use_threads(struct world *w);

#endif
