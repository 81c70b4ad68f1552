// SPDX-License-Identifier: GPL-2.0-or-later
/* What is kept of a site. See profile.h. */
#include "trend/profile.h"

#include <assert.h>
#include <errno.h>

#include "trend/evidence.h"
#include "trend/pack.h"

#define VERSION 1

_Static_assert(TREND_PROFILE_PACKED == PACK_HEADER + 3 * 8 + 4 * ENVELOPE_AGES + 8 * LIFETIME_BINS +
					       9 + PACK_TRAILER,
	       "the packed size says what is packed");

void trend_profile_pack(const struct trend_profile *profile, uint8_t ret[TREND_PROFILE_PACKED])
{
	struct pack_writer w;
	size_t size;

	pack_begin(&w, ret, TREND_PROFILE_PACKED, PACK_PROFILE, VERSION);
	pack_f64(&w, profile->observed);
	pack_f64(&w, profile->carry);
	pack_f64(&w, profile->peak);
	for (unsigned k = 0; k < ENVELOPE_AGES; k++)
		pack_f32(&w, profile->proven[k]);
	for (unsigned k = 0; k < LIFETIME_BINS; k++) {
		pack_f32(&w, profile->lifetimes.freed[k]);
		pack_f32(&w, profile->lifetimes.censored[k]);
	}
	pack_u32(&w, profile->lives);
	pack_u32(&w, profile->alerts);
	pack_u8(&w, profile->last_state);
	size = pack_end(&w);
	assert(size == TREND_PROFILE_PACKED);
	(void)size;
}

int trend_profile_unpack(const void *packed, size_t size, struct trend_profile *ret)
{
	struct trend_profile p = { 0 };
	struct pack_reader r;
	int e;

	e = unpack_begin(&r, packed, size, PACK_PROFILE, VERSION);
	if (e < 0)
		return e;
	p.observed = unpack_f64(&r);
	p.carry = unpack_f64(&r);
	p.peak = unpack_f64(&r);
	for (unsigned k = 0; k < ENVELOPE_AGES; k++)
		p.proven[k] = unpack_f32(&r);
	for (unsigned k = 0; k < LIFETIME_BINS; k++) {
		p.lifetimes.freed[k] = unpack_f32(&r);
		p.lifetimes.censored[k] = unpack_f32(&r);
	}
	p.lives = unpack_u32(&r, UINT32_MAX);
	p.alerts = unpack_u32(&r, UINT32_MAX);
	p.last_state = unpack_u8(&r, TREND_CLOSED);
	e = unpack_end(&r);
	if (e < 0)
		return e;
	/* Each of these counts a part of the other. */
	if (p.alerts > p.lives || p.carry > p.observed)
		return -EINVAL;
	*ret = p;
	return 0;
}

void trend_profile_halve(struct trend_profile *profile)
{
	profile->observed /= 2;
	profile->carry /= 2;
	for (unsigned k = 0; k < LIFETIME_BINS; k++) {
		profile->lifetimes.freed[k] /= 2;
		profile->lifetimes.censored[k] /= 2;
	}
}
