// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers to bytes. See pack.h. */
#include "trend/pack.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const uint8_t magic[4] = { 'S', 'T', 'R', 'D' };

/* CRC-32 of IEEE 802.3, by half bytes: a table of 16 is at hand. */
static uint32_t crc32_of(const uint8_t *p, size_t n)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc = crc >> 4 ^ table[(crc ^ p[i]) & 15];
		crc = crc >> 4 ^ table[(crc ^ p[i] >> 4) & 15];
	}
	return ~crc;
}

static void put(struct pack_writer *w, uint64_t v, size_t n)
{
	if ((size_t)(w->end - w->at) < n) {
		w->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		*w->at++ = (uint8_t)(v >> (8 * i));
}

void pack_begin(struct pack_writer *w, void *buffer, size_t room, enum pack_kind kind,
		uint16_t version)
{
	*w = (struct pack_writer){ buffer, buffer, (uint8_t *)buffer + room, false };
	for (size_t i = 0; i < sizeof(magic); i++)
		put(w, magic[i], 1);
	put(w, kind, 2);
	put(w, version, 2);
	put(w, 0, 4); /* the length, at the end */
}

void pack_u8(struct pack_writer *w, uint8_t v)
{
	put(w, v, 1);
}

void pack_u32(struct pack_writer *w, uint32_t v)
{
	put(w, v, 4);
}

void pack_u64(struct pack_writer *w, uint64_t v)
{
	put(w, v, 8);
}

void pack_f32(struct pack_writer *w, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put(w, bits, 4);
}

void pack_f64(struct pack_writer *w, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	put(w, bits, 8);
}

size_t pack_end(struct pack_writer *w)
{
	size_t length = (size_t)(w->at - w->start) + PACK_TRAILER;

	if (w->failed || (size_t)(w->end - w->at) < PACK_TRAILER)
		return 0;
	for (size_t i = 0; i < 4; i++)
		w->start[8 + i] = (uint8_t)(length >> (8 * i));
	put(w, crc32_of(w->start, length - PACK_TRAILER), PACK_TRAILER);
	return length;
}

static uint64_t get(struct pack_reader *r, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(r->end - r->at) < n) {
		r->failed = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)*r->at++ << (8 * i);
	return v;
}

int unpack_begin(struct pack_reader *r, const void *buffer, size_t size, enum pack_kind kind,
		 uint16_t version)
{
	struct pack_reader tail;

	if (size < PACK_HEADER + PACK_TRAILER || memcmp(buffer, magic, sizeof(magic)) != 0)
		return -EINVAL;
	*r = (struct pack_reader){ buffer, (const uint8_t *)buffer + size - PACK_TRAILER, false };
	tail = (struct pack_reader){ r->end, r->end + PACK_TRAILER, false };
	if (get(&tail, 4) != crc32_of(buffer, size - PACK_TRAILER))
		return -EINVAL;
	r->at += sizeof(magic);
	if (get(r, 2) != kind)
		return -EINVAL;
	if (get(r, 2) != version)
		return -EPROTO;
	return get(r, 4) == size ? 0 : -EINVAL;
}

uint8_t unpack_u8(struct pack_reader *r, uint8_t most)
{
	uint8_t v = (uint8_t)get(r, 1);

	r->failed |= v > most;
	return v;
}

uint32_t unpack_u32(struct pack_reader *r, uint32_t most)
{
	uint32_t v = (uint32_t)get(r, 4);

	r->failed |= v > most;
	return v;
}

uint64_t unpack_u64(struct pack_reader *r)
{
	return get(r, 8);
}

float unpack_f32(struct pack_reader *r)
{
	uint32_t bits = (uint32_t)get(r, 4);
	float v;

	memcpy(&v, &bits, sizeof(v));
	if (!isfinite(v) || v < 0) {
		r->failed = true;
		return 0;
	}
	return v;
}

double unpack_f64(struct pack_reader *r)
{
	uint64_t bits = get(r, 8);
	double v;

	memcpy(&v, &bits, sizeof(v));
	if (!isfinite(v) || v < 0) {
		r->failed = true;
		return 0;
	}
	return v;
}

int unpack_end(const struct pack_reader *r)
{
	return r->failed || r->at != r->end ? -EINVAL : 0;
}
