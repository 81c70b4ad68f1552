/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words that somebody may have meant who wrote another one.
 */
#ifndef SEEP_BASE_SIMILAR_H
#define SEEP_BASE_SIMILAR_H

#define SIMILAR_BYTES_MAX 24	/* of a word; none that is longer is near to one */
#define SIMILAR_NOT	  (~0u) /* another word altogether */

/*
 * Letters to insert, delete, replace or swap to get from @written to @word (optimal string alignment),
 * whatever their case; SIMILAR_NOT from three on, and when half of the letters must change.
 */
unsigned similar_distance(const char *written, const char *word);

#endif
