/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The families of scenarios: what a service may do that is, or only looks like, a leak.
 */
#ifndef SEEP_EVAL_FAMILIES_H
#define SEEP_EVAL_FAMILIES_H

#include <stdbool.h>
#include <stddef.h>

#include "world.h"

enum family_group {
	DEVELOPMENT, /* thresholds were chosen on these */
	HELD_OUT,    /* named as well, but not looked at for that */
	BLIND,	     /* written after the thresholds */
	FUZZ,	     /* random sums of components */
	DEPLOY,	     /* the leak arrives with the second life */
	FRESH,	     /* random sums of another kind, written last */
	FAMILY_GROUPS
};

struct family {
	const char *id;
	const char *title;
	enum family_group group;
	bool leaks;
	bool hard; /* cannot be told from a leak in the time given; exempt from the gate by family */
	void (*build)(struct world *w); /* fills site 0 */
};

struct family_list {
	const struct family *at;
	size_t n;
};

struct family_list leak_families(void);
struct family_list benign_families(void);
struct family_list blind_families(void);
struct family_list fuzz_families(void);
struct family_list fresh_families(void);

/* Makes the service of a family and a seed. */
void family_build(const struct family *f, struct world *w, uint64_t seed);

/* --- building blocks of families ------------------------------------------------------------- */

/* Adds a component to a site, and returns it for changes. */
struct component *site_add(struct world_site *s, struct component c);

/* Blocks that each die, of which "bytes" are live in the mean. */
struct component churn(enum lives lives, double life, double shape, double rate, double bytes);

/*
 * Churn of which a share never dies, so that what leaks fills the headroom in fill_ticks. What is
 * live beside it is held to a fifth of the headroom, at the cost of a larger share.
 */
struct component leaky_churn(const struct world *w, double fill_ticks, double share, double rate,
			     enum lives lives, double life, double shape);

/* A random time of day for the maximum. */
void set_daily(struct world *w, struct component *c, double low, double high);

/* The amplitude of something that does not leak: 3 % to 80 % of the headroom, in bytes. */
double benign_bytes(struct world *w);

/* The component until a tick without its leak, and from then on with it. */
void add_late_leak(struct world *w, struct component c, int tick);

#endif
