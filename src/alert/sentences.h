/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the numbers of a verdict mean, in words that a person can check.
 *
 * Every sentence is true by itself, in people's units (never ticks), printable, and without what
 * changes by the way it is looked at. The strongest reasons come first, doubts last.
 */
#ifndef SEEP_ALERT_SENTENCES_H
#define SEEP_ALERT_SENTENCES_H

#include <jansson.h>

#include "alert/alert.h"
#include "base/words.h"

/*
 * Why, and at the end what usually mends it, where that is known. An array of texts, new reference;
 * -ENOMEM. Empty where nothing was ever found.
 */
int sentences_evidence(const struct alert *a, json_t **ret);

/* A ratio of rates in between is called steady. */
#define STEADY_LEAST 0.7
#define STEADY_MOST  1.3

/*
 * What usually mends a leak of this pattern: the last of the above. Static; NULL: not known (hints.c).
 */
const char *sentences_hint(const struct alert *a);

/* What would prove it wrong. *ret is the caller's; NULL where nothing is claimed. -ENOMEM. */
int sentences_disproof(const struct alert *a, char **ret);

/*
 * One line for lists and logs, without the event: "leak in nginx.service: 38.2 MiB in 9,120 blocks,
 * +1.4 MiB per hour, ngx_foo_init (libfoo.so)". The caller's; -ENOMEM.
 */
int sentences_summary(const struct alert *a, char **ret);

/* "8,210 blocks", or "8,210 objects" where these are Python's. */
struct words sentences_things(const struct alert *a, double n);

#endif
