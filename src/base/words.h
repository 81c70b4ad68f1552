/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Amounts in sentences. By value, so that they can stand right in the arguments of a printf().
 */
#ifndef SEEP_BASE_WORDS_H
#define SEEP_BASE_WORDS_H

struct words {
	char text[32];
};

/* "0 B", "1.5 KiB", "118 MiB": without its sign, three digits at most. */
struct words words_bytes(double bytes);

/* "30 s", "45 min", "4 h", "6 days", whole numbers of the unit of which there are two or more. */
struct words words_seconds(double seconds);

#endif
