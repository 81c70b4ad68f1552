// SPDX-License-Identifier: GPL-2.0-or-later
/* Leakgen without real blocks: what should happen, in less than a second. See real.h. */
#include "real.h"

double world_live_bytes(const struct world *w, int site)
{
	return w->sites[site].holding->live_bytes;
}

void world_use_threads(struct world *w)
{
	(void)w;
}
