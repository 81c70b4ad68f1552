/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packed form of a snapshot, for snapshot_pack.c and snapshot_unpack.c:
 *
 *	magic version name target taken since pid start uid	a time: seconds, nanoseconds
 *	n bytes texts...	a text: its length (2 bytes), its bytes
 *	n frames...		flags, numbers of four texts, line, offset
 *	n sites...		totals, status, number of frames, their numbers
 *	crc			CRC-32 of all before
 */
#ifndef SEEP_HEAP_SNAPSHOT_BYTES_H
#define SEEP_HEAP_SNAPSHOT_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_MAGIC	 0x504e5353u /* "SSNP" */
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_FRAME	 29 /* bytes */
#define SNAPSHOT_SITE	 51 /* without frames */

struct bytes_writer {
	uint8_t *start; /* owned */
	size_t n, room;
	bool failed;
};

static inline void bytes_done(struct bytes_writer *w)
{
	free(w->start);
	*w = (struct bytes_writer){ 0 };
}

static inline bool bytes_reserve(struct bytes_writer *w, size_t more)
{
	size_t room = w->room ? w->room : 256;
	uint8_t *grown;

	if (w->failed)
		return false;
	while (room < w->n + more)
		room *= 2;
	if (room == w->room)
		return true;
	grown = realloc(w->start, room);
	if (!grown) {
		w->failed = true;
		return false;
	}
	w->start = grown;
	w->room = room;
	return true;
}

static inline void bytes_put(struct bytes_writer *w, uint64_t v, size_t n)
{
	if (!bytes_reserve(w, n))
		return;
	for (size_t i = 0; i < n; i++)
		w->start[w->n++] = (uint8_t)(v >> (8 * i));
}

/* Longer ones are cut: names of that length are for nobody. */
static inline void bytes_put_text(struct bytes_writer *w, const char *text)
{
	size_t size = strlen(text);
	size_t n = size < UINT16_MAX ? size : UINT16_MAX;

	/* Not within a character of UTF-8. */
	while (n > 0 && n < size && ((uint8_t)text[n] & 0xc0) == 0x80)
		n--;
	bytes_put(w, n, 2);
	if (!bytes_reserve(w, n))
		return;
	memcpy(w->start + w->n, text, n);
	w->n += n;
}

static inline void bytes_append(struct bytes_writer *w, const struct bytes_writer *part)
{
	w->failed |= part->failed;
	if (part->n == 0 || !bytes_reserve(w, part->n))
		return;
	memcpy(w->start + w->n, part->start, part->n);
	w->n += part->n;
}

#endif
