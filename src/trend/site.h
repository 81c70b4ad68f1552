/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does a site leak? It judges the survivors of birth cohorts, not the curve of live bytes: a leak
 * leaves survivors in every interval older than the site's known lifetimes, at a rate that does not
 * slow down, and nobody that old dies.
 *
 * Pure: time and numbers are arguments. About 5 KB per site; an evaluation takes microseconds. The
 * same state serves any key: a full stack, its innermost frames, a whole process. See process.h for
 * the order of calls.
 *
 * Counts are of blocks seen, whatever share of all blocks that is; bytes are weighted.
 */
#ifndef SEEP_TREND_SITE_H
#define SEEP_TREND_SITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "trend/evidence.h"
#include "trend/options.h"
#include "trend/process.h"
#include "trend/profile.h"

struct trend_site;

/* A site that was first seen in this tick of its process. NULL: no memory. */
struct trend_site *trend_site_new(uint32_t since);
struct trend_site *trend_site_free(struct trend_site *s);
DEFINE_CLEANUP(struct trend_site *, trend_site_free)

/* What is known of the site at a tick; allocations never go back. */
struct trend_site_input {
	uint64_t allocations; /* blocks seen since the start of the process' watch */
	uint64_t live_blocks; /* seen */
	double live_bytes;
};

/*
 * After trend_process_tick(). Allocations since the last call count as spread over the time since.
 * -EINVAL: bytes are not a number from 0 on, or the process has had no tick.
 */
int trend_site_tick(struct trend_site *s, const struct trend_process *p,
		    const struct trend_site_input *in);

/*
 * The live blocks, after trend_process_evaluate(): begin, then add each block, or many of one birth
 * at once. birth: ticks since the process came under watch.
 */
void trend_site_scan_begin(struct trend_site *s, const struct trend_process *p);
void trend_site_scan_add(struct trend_site *s, const struct trend_process *p, uint32_t birth,
			 uint32_t blocks, double bytes);

/*
 * Judges the site after a scan. freed: blocks of this life by age at free (see lifetimes.h), not yet
 * with those of earlier lives; profile: those, or NULL. Returns what happened; the evidence is
 * written if wanted.
 */
enum trend_event trend_site_evaluate(struct trend_site *s, struct trend_process *p,
				     const struct trend_options *options,
				     const struct trend_profile *profile,
				     const uint64_t freed[LIFETIME_BINS],
				     struct trend_evidence *ret);

/* After a scan: bytes that are live and were born in [from, to) ticks. */
double trend_site_survivors(const struct trend_site *s, const struct trend_process *p,
			    uint32_t from, uint32_t to);

enum trend_state trend_site_state(const struct trend_site *s);

enum trend_end {
	TREND_ENDED,	 /* exit, restart */
	TREND_EXHAUSTED, /* killed for lack of memory: nothing of this life is proven harmless */
	/*
	 * The process lives on, only the watch is over. Of its growth nothing is concluded: what comes
	 * next is no later life, and its blocks from before will not be seen.
	 */
	TREND_UNWATCHED,
};

/*
 * The process ended after its last evaluation: what the life taught is added to the profile. A
 * scan may come right before, for the latest numbers. The site is closed.
 */
void trend_site_end(struct trend_site *s, struct trend_process *p,
		    const struct trend_options *options, enum trend_end how,
		    struct trend_profile *profile);

/*
 * A daemon that restarts goes on where it was: everything a site or a process knows, packed. The
 * sizes are constant. Unpacking trusts nothing: -EINVAL or -EPROTO as for a profile.
 */
size_t trend_site_packed_size(void);
void trend_site_pack(const struct trend_site *s, void *ret);
int trend_site_unpack(const void *packed, size_t size, struct trend_site **ret);
size_t trend_process_packed_size(void);
void trend_process_pack(const struct trend_process *p, void *ret);
int trend_process_unpack(const void *packed, size_t size, struct trend_process **ret);
size_t trend_packed_size_max(void); /* of both: a buffer of it takes either */

#endif
