/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers within sentences. Results are returned by value, so they can stand in the arguments of
 * asprintf().
 */
#ifndef SEEP_BASE_WORDS_H
#define SEEP_BASE_WORDS_H

#include <stdint.h>

struct words {
	char text[48];
};

struct words words_bytes(double bytes);	  /* "38.2 MiB", "512 bytes" */
struct words words_rate(double per_hour); /* "1.4 MiB per hour", "20.0 KiB per day" */
/* "1.2 MiB to 1.5 MiB", by the unit of time that words_rate(per_hour) has. */
struct words words_rates(double low_per_hour, double high_per_hour, double per_hour);
struct words words_count(double count); /* "8,210" */
/* "8,210 blocks", "1 block" */
struct words words_blocks(double count);
struct words
words_duration(double seconds);		/* "45 s", "90 min", "2 h", "2.5 d"; "ever" if endless */
struct words words_share(double share); /* "0.42 %"; never 0 % of more than nothing */
struct words words_ratio(double ratio); /* "0.97" */
struct words words_time(uint64_t ms);	/* "2026-03-01 12:00 UTC"; "" for 0 */

#endif
