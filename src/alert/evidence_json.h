/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The evidence, exactly: a flat object of every number in it, in ticks, for src/alert only.
 *
 * {"state","severity","channel",..,"now","since",..,"slices":[[bytes,blocks,births,work],..]}
 * What is not finite is null.
 */
#ifndef SEEP_ALERT_EVIDENCE_JSON_H
#define SEEP_ALERT_EVIDENCE_JSON_H

#include <jansson.h>

#include "trend/evidence.h"

json_t *evidence_to_json(const struct trend_evidence *e); /* NULL: no memory */

/* Not trusted: -EINVAL, and *ret is untouched. */
int evidence_from_json(const json_t *json, struct trend_evidence *ret);

/* Words of the API; NULL for none. */
const char *evidence_channel_name(enum trend_channel channel);
const char *evidence_hold_name(enum trend_hold hold);

#endif
