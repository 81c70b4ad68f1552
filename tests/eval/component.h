/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways to use memory. A site is the sum of up to four of them.
 */
#ifndef SEEP_EVAL_COMPONENT_H
#define SEEP_EVAL_COMPONENT_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct world_site;

enum component_kind {
	CHURN, /* each block lives for a time of its own, or for ever */
	FIFO,  /* a full cache evicts the oldest entry */
	RANDOM_REPLACEMENT,
	BATCH,	       /* grows, may hold, then is freed as a whole */
	WARM_UP,       /* K (1 - exp(-t / tau)) */
	HEAPS,	       /* distinct keys as t^beta: a cache without bound */
	LOGARITHM,     /* interning */
	VECTOR,	       /* doubles by realloc */
	STEPS,	       /* some blocks at certain moments */
	PERIODIC,      /* some blocks every so often, a part of them lost */
	HIGH_WATER,    /* a pool as large as the greatest concurrency so far */
	QUEUE,	       /* of a length that wanders */
	BACKLOG,       /* a queue whose consumer stops now and then */
	DOUBLE_BUFFER, /* a copy is built while the old one is used */
};

enum lives {
	EXPONENTIAL,
	LOG_NORMAL,
	PARETO,
	FIXED,
	ENDLESS,
	WEIBULL
};

struct block {
	int birth;
	double bytes;
};

struct blocks {
	struct block *at; /* owned */
	int head, n, room;
};

struct component {
	enum component_kind kind;

	/* Load: births per tick, and what modulates it. */
	double rate;
	double daily, daily_phase;	  /* 1 + daily * sin(...) */
	double weekend;			  /* factor on days 6 and 7; 0: as other days */
	double ramp;			  /* factor reached by the end of the run; 1: none */
	int from, until;		  /* ticks in which it is active */
	bool from_start;		  /* those ticks count from the start of the process */
	bool nightly;			  /* from 02:00 to 03:00 only */
	double regime_gap, regime_length; /* mean ticks off and on; 0: always on */

	/* Blocks. */
	double bytes, spread; /* mean, and deviation of the logarithm */
	double growth;	      /* of the mean, per day of the process' life */
	enum lives lives;
	double life, shape; /* ticks, and the second parameter */

	/* What is never freed. */
	double leak_share;	      /* of births, evictions or of what a batch leaves */
	double late_share, late_mean; /* of those, freed late after all */
	double leak_burst_gap; /* the leak comes in bursts of about 15 ticks; mean ticks between */
	double lost_share, lost_for; /* frees that are missed, and mean ticks until it shows */

	/* Shape of the kind. */
	int capacity;	     /* entries */
	double period, hold; /* ticks */
	double jitter;	     /* deviation of the logarithm of a period */
	double period_growth, longest_period;
	double total, tau, beta; /* blocks, ticks, exponent */
	double most_bytes;	 /* of a vector; 0: no bound */
	int steps[8], n_steps;

	/* State. */
	struct blocks held, shown; /* entries; the buffer in use */
	double level;		   /* of a walk, a pool, a vector's need */
	double vector_bytes;
	int vector_birth;
	int next;   /* tick of the next event; 0: not planned */
	bool is_on; /* in a burst, a regime, a hold, an incident */
	int on_until;
	double current_period;
	int pool; /* entries ever made */
};

void component_init(struct component *c, enum component_kind kind);

/* One tick of one component of a site. */
void component_step(struct world *w, struct world_site *s, struct component *c, int tick);

/* A new process: nothing is held. */
void component_restart(struct component *c);
void component_done(struct component *c);

#endif
