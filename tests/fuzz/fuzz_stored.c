// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an earlier life has left: snapshots, stretches of series, what the detector knows. The first byte
 * says which. The checksum is made right, or nothing would come past it. What is taken can be packed again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "heap/snapshot_pack.h"
#include "history/chunk.h"
#include "trend/profile.h"
#include "trend/site.h"

#define CHECKSUM_BYTES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_snapshot(const uint8_t *data, size_t size)
{
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *s = NULL;
	_cleanup_free_ void *packed = NULL;
	size_t n = 0;

	if (snapshot_unpack(data, size, &s) == 0 && snapshot_pack(s, &packed, &n) < 0)
		abort();
}

static void read_deflated(const uint8_t *data, size_t size)
{
	_cleanup_free_ void *packed = NULL;
	size_t n = 0;

	if (snapshot_inflate(data, size, &packed, &n) == 0)
		read_snapshot(packed, n);
}

static void read_chunk(const uint8_t *data, size_t size)
{
	struct chunk c = { .n = 0 };

	for (int level = 0; level < CHUNK_LEVELS; level++)
		(void)chunk_unpack(&c, level, data, size);
	chunk_done(&c);
}

static void read_trends(const uint8_t *data, size_t size)
{
	struct trend_process *process = NULL;
	struct trend_profile profile;
	struct trend_site *site = NULL;

	(void)trend_profile_unpack(data, size, &profile);
	if (trend_site_unpack(data, size, &site) == 0)
		trend_site_free(site);
	if (trend_process_unpack(data, size, &process) == 0)
		trend_process_free(process);
}

/* A copy with the right checksum at its end: the CRC-32 of all before, little endian. */
static uint8_t *seal(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size);
	uint32_t crc;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (size >= CHECKSUM_BYTES) {
		crc = (uint32_t)crc32_z(0, copy, size - CHECKSUM_BYTES);
		memcpy(copy + size - CHECKSUM_BYTES, &crc, sizeof(crc));
	}
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *sealed = NULL;

	if (size < 2)
		return 0;
	sealed = seal(data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		read_snapshot(sealed, size - 1);
		break;
	case 1:
		read_deflated(data + 1, size - 1);
		break;
	case 2:
		read_chunk(data + 1, size - 1);
		break;
	default:
		read_trends(sealed, size - 1);
		break;
	}
	return 0;
}
