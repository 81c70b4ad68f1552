/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of a site when its process ends: how old its blocks get, what it has proven to hold
 * without leaking, and whether it looked like a leak. Keyed by the caller, by build-id and stack.
 *
 * A plain value. Later lives of the service are far easier to judge with it. Processes of one
 * service that live at the same time share a profile: each adds itself at its end.
 */
#ifndef SEEP_TREND_PROFILE_H
#define SEEP_TREND_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "trend/envelope.h"
#include "trend/lifetimes.h"

struct trend_profile {
	double observed;	     /* ticks in lives that are over */
	double carry;		     /* ticks in the latest lives that all looked like leaks */
	double peak;		     /* bytes live at the end of a life that had stopped growing */
	float proven[ENVELOPE_AGES]; /* bytes older than 2^k ticks that were bounded */
	struct lifetimes lifetimes;
	uint32_t lives;
	uint32_t alerts;    /* lives in which it was alerted */
	uint8_t last_state; /* enum trend_state at the end of the last life */
};

/* The packed form: little endian, with a version and a checksum. */
#define TREND_PROFILE_PACKED (12 + 3 * 8 + 4 * ENVELOPE_AGES + 8 * LIFETIME_BINS + 9 + 4)

void trend_profile_pack(const struct trend_profile *profile, uint8_t ret[TREND_PROFILE_PACKED]);

/*
 * The input is not trusted. -EINVAL: wrong size, checksum or a number out of its sense;
 * -EPROTO: another version. On failure *ret is untouched: start with an empty profile then.
 */
int trend_profile_unpack(const void *packed, size_t size, struct trend_profile *ret);

/*
 * A profile found under the key of another build counts half, because the code may have changed:
 * observed time, carry and lifetimes are halved. What was proven bounded stays.
 */
void trend_profile_halve(struct trend_profile *profile);

#endif
