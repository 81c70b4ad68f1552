/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as people read them. All results are returned by value, so they can stand right in the
 * arguments of fprintf(); @raw asks for plain digits instead.
 */
#ifndef SEEP_CLI_FORMAT_H
#define SEEP_CLI_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

struct number {
	char text[48];
};

/* "0 B", "1023 B", "1.0 KiB", "8.0 EiB"; raw: "1024". */
struct number format_bytes(uint64_t bytes, bool raw);
/* With its sign when negative. */
struct number format_signed_bytes(int64_t bytes, bool raw);
/* Always with a sign, but for 0. */
struct number format_change_bytes(int64_t bytes, bool raw);

/* "1,463"; raw: "1463". */
struct number format_count(uint64_t count, bool raw);
struct number format_signed_count(int64_t count, bool raw);
struct number format_change_count(int64_t count, bool raw);

/*
 * "+12.3 MiB/h ±0.4", the error in the unit of the rate; a negative @error is left out. With
 * @ascii the sign is "+/-".
 */
struct number format_rate(double bytes_per_hour, double error, bool raw, bool ascii);

/* "0.3 s", "59 s", "2 min 3 s", "3 h 4 min", "5 d 6 h"; raw: seconds. */
struct number format_duration(double seconds, bool raw);

/* "2026-11-25 17:10 UTC", of milliseconds since 1970; raw: as the API writes it. 0: "-". */
struct number format_time(uint64_t ms, bool raw);
/* For scales: "17:10", or with @day "11-25 17:10"; UTC. */
struct number format_clock(uint64_t ms, bool day);

/* "97 %"; "-" for what is no share. Never 100 % of less. */
struct number format_share(double share);

/* "1 block", "2 blocks": the first 15 letters of @word, and an s. */
struct number format_plural(uint64_t count, const char *word, bool raw);

#endif
