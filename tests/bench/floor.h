/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor: probes of the best kind at the best places, whose programs return at once. Nobody who
 * sets probes on malloc and free is faster.
 */
#ifndef SEEP_BENCH_FLOOR_H
#define SEEP_BENCH_FLOOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "allocator.h"

enum floor_kind {
	FLOOR_SKIPPED, /* malloc's entry, which says that its return is not wanted; free's entry */
	FLOOR_RETURNS, /* malloc's entry and return; free's entry */
};

/*
 * Session links (kernel 6.13) have one program for entry and return. Where there are none, two
 * uprobe_multi links take their place, and the return cannot be skipped.
 */
struct floor_probes {
	bool has_session;
	int programs[2]; /* owned: malloc's, free's */
	int links[3];	 /* owned: malloc's, its return if it is no session, free's */
};

/* Sets them on one process. Negative errno. */
int floor_attach(enum floor_kind kind, const struct allocator *a, pid_t pid,
		 struct floor_probes *ret);

/* Removes them; the kernel is done with it when this returns. */
void floor_detach(struct floor_probes *f);

#endif
