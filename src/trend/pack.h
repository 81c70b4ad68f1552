/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers to bytes and back: little endian, bounded, with a header and a checksum.
 *
 *	"STRD"  kind  version  length  ...numbers...  crc
 *
 * A reader that runs out of bytes returns zeros and is marked failed; look once, at the end.
 */
#ifndef SEEP_TREND_PACK_H
#define SEEP_TREND_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACK_HEADER  12 /* magic, kind, version, length */
#define PACK_TRAILER 4	/* CRC-32 of all before */

enum pack_kind {
	PACK_PROFILE = 1,
	PACK_SITE,
	PACK_PROCESS
};

struct pack_writer {
	uint8_t *start, *at, *end;
	bool failed; /* it did not fit */
};

/* room: with header and trailer. */
void pack_begin(struct pack_writer *w, void *buffer, size_t room, enum pack_kind kind,
		uint16_t version);
void pack_u8(struct pack_writer *w, uint8_t v);
void pack_u32(struct pack_writer *w, uint32_t v);
void pack_u64(struct pack_writer *w, uint64_t v);
void pack_f32(struct pack_writer *w, float v);
void pack_f64(struct pack_writer *w, double v);
/* The size of all, or 0 if it did not fit. */
size_t pack_end(struct pack_writer *w);

struct pack_reader {
	const uint8_t *at, *end;
	bool failed; /* too short, or a number out of bounds */
};

/* 0; -EINVAL: damaged or of another kind; -EPROTO: another version. */
int unpack_begin(struct pack_reader *r, const void *buffer, size_t size, enum pack_kind kind,
		 uint16_t version);
uint8_t unpack_u8(struct pack_reader *r, uint8_t most);
uint32_t unpack_u32(struct pack_reader *r, uint32_t most);
uint64_t unpack_u64(struct pack_reader *r);
/* Finite and not below 0; anything else fails. */
float unpack_f32(struct pack_reader *r);
double unpack_f64(struct pack_reader *r);
/* 0, or -EINVAL if anything failed or bytes are left. */
int unpack_end(const struct pack_reader *r);

#endif
