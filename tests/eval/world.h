/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated service: one process after the other, with six sites that allocate and free, one of
 * which is the one in question (site 0).
 *
 * A tick is a minute and a run 14 days. Everything follows from the family and the seed.
 */
#ifndef SEEP_EVAL_WORLD_H
#define SEEP_EVAL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "component.h"
#include "random.h"
#include "trend/lifetimes.h"

#define HOUR	   60.0
#define DAY	   1440.0
#define RUN_TICKS  20160
#define LIFE_TICKS 12960 /* a first life of nine days, then five days are left */
#define SITES	   6
#define COMPONENTS 4
#define NEVER	   (1 << 30)

/*
 * What one site holds, by birth tick. Bytes are those of the blocks that are simulated; the blocks
 * that detectors see are as many times the grain, rounded up or down by chance, once for each tick
 * of birth. So births, frees and what is live agree, as if one block were cut into several or
 * several were one.
 */
struct holding {
	uint32_t simulated[RUN_TICKS]; /* blocks that are live */
	double rounding[RUN_TICKS];    /* 0 to 1, drawn at a tick's first birth */
	uint64_t n_simulated;
	uint32_t live[RUN_TICKS]; /* blocks seen */
	double bytes[RUN_TICKS];
	uint64_t some[RUN_TICKS / 64]; /* bit set: a block of that tick may be live */
	uint64_t freed[LIFETIME_BINS]; /* this life, by age */
	uint64_t allocations, frees;   /* this life */
	uint64_t live_blocks;
	double live_bytes;
	float series[RUN_TICKS];	   /* live bytes at the end of each tick */
	uint32_t blocks_series[RUN_TICKS]; /* live blocks */
};

struct world_site {
	struct holding *holding; /* owned */
	struct component components[COMPONENTS];
	int n;
	bool leaks;	/* by its family; the leak may start later */
	int leaks_from; /* tick */
	int leaks_until;
	double leaked; /* bytes that this life lost */
};

struct world {
	struct random random;
	struct random grain_random; /* of its own: the grain changes nothing of the bytes */
	double grain;		    /* blocks seen for each one simulated; 0.2 to 2000 */
	struct world_site sites[SITES];
	double limit, base;    /* bytes */
	double fragmentation;  /* bytes of usage per tick that no block explains */
	int restart_every;     /* ticks; 0: a life ends by exhaustion or after LIFE_TICKS */
	int start;	       /* tick at which this life began */
	double usage;	       /* bytes at the end of the last tick */
	uint64_t lost_frees;   /* found out so far in this life */
	bool exhausted;	       /* usage passed the limit, and the family leaks */
	struct deaths *deaths; /* owned; the frees to come */
};

struct world *world_new(void);
struct world *world_free(struct world *w);

/* An empty service for a seed and a stream; families fill the sites. */
void world_reset(struct world *w, uint64_t seed, uint64_t stream);

/* One tick of all sites. */
void world_step(struct world *w, int tick);

/* The process is replaced by a new one at this tick. */
void world_restart(struct world *w, int tick);

double world_headroom(const struct world *w); /* limit - base */

/*
 * For components. Blocks are given and freed as simulated; world_deallocate() returns how many
 * were seen to go.
 */
void world_allocate(struct world *w, struct world_site *s, int tick, double bytes);
uint32_t world_deallocate(struct world *w, struct world_site *s, int tick, int birth, double bytes);
/* The block becomes one of new_bytes, born now. */
void world_reallocate(struct world *w, struct world_site *s, int tick, int birth, double bytes,
		      double new_bytes);
/* The block is freed "after" ticks from now, if the life lasts that long. */
void world_deallocate_later(struct world *w, struct world_site *s, int birth, double bytes,
			    double after, bool was_lost);

#endif
