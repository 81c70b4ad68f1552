/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which site and which target has which alert, for listings of them.
 */
#ifndef SEEP_SERVE_VERDICTS_H
#define SEEP_SERVE_VERDICTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct alert;
struct slope_estimate;
struct alert_book;
struct verdicts;

/* Borrows the entries of the book: valid until it changes. NULL: no memory. */
struct verdicts *verdicts_new(const struct alert_book *book);
struct verdicts *verdicts_free(struct verdicts *v);
DEFINE_CLEANUP(struct verdicts *, verdicts_free)

/* A site's verdict as a number, the worse the larger; 0: it has none. */
uint32_t verdicts_find(const struct verdicts *v, uint32_t target, uint64_t stack);

/* What the number stands for; NULL for 0. */
const struct alert *verdicts_get(const struct verdicts *v, uint32_t number);

/* The worst of a target's; NULL: it has none. */
const struct alert *verdicts_of_target(const struct verdicts *v, uint32_t target);

/*
 * {"verdict","bytes_per_hour","bytes_per_hour_error","confidence","since"}. @a NULL: the detector has
 * found nothing, if @is_watched and there is a slope; else it is not known. NULL: no memory.
 */
json_t *view_trend(const struct alert *a, bool is_watched, const struct slope_estimate *growth);

#endif
