/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts of a census by type, code and whether that has ended. The number of kinds is bounded: what comes
 * beyond counts together.
 */
#ifndef SEEP_PYTHON_KINDS_H
#define SEEP_PYTHON_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct python_type;

#define KINDS_MAX 65536

struct kind {
	const struct python_type *type; /* borrowed from the sweep; NULL: empty, or all others */
	uint64_t code;			/* address; 0: none */
	uint64_t qualname; /* address of a str that names it, of the first that was seen; 0: none */
	bool done;
	uint64_t count;
	uint64_t bytes;
	uint64_t cached;
};

struct kinds;

struct kinds *kinds_new(void);
struct kinds *kinds_free(struct kinds *k);
DEFINE_CLEANUP(struct kinds *, kinds_free)

/* Never NULL: without memory, and beyond KINDS_MAX, the kind of all others. Valid until the next call. */
struct kind *kinds_get(struct kinds *k, const struct python_type *type, uint64_t code, bool done);

/*
 * By bytes, largest first, at most @max of them and then the others together, if there are any (type NULL).
 * Borrowed, valid until kinds_free(); no other call may follow.
 */
size_t kinds_sort(struct kinds *k, size_t max, const struct kind **ret);

#endif
