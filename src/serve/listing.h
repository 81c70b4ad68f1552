/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list of sites, or of what changed, on its way to JSON: what view_sites.c and view_changes.c share.
 */
#ifndef SEEP_SERVE_LISTING_H
#define SEEP_SERVE_LISTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap/group.h"

struct monitor;
struct naming;
struct verdicts;

struct listing {
	struct monitor *monitor;
	const struct group_options *options;
	bool is_change;			 /* live figures are signed */
	const struct verdicts *verdicts; /* NULL: of a change */
	uint64_t now_ns;
};

/* Finds the names that are not known yet, as view_resolve(). */
int listing_resolve(struct monitor *m, const struct naming *naming, void (*done)(void *),
		    void *userdata);

/*
 * Puts the sites, grouped, and all that describes them into @o; of one target (its key), if that is not
 * 0, what is known of it. -ENOMEM.
 */
int listing_put(json_t *o, const struct listing *l, uint32_t target, const struct named_site *sites,
		size_t n);

#endif
