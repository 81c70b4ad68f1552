// SPDX-License-Identifier: GPL-2.0-or-later
/* Packed snapshots in less room. See snapshot_pack.h. */
#include "heap/snapshot_pack.h"

#include <errno.h>
#include <zlib.h>

#include "heap/snapshot_bytes.h"

#define SIZE_BYTES 4
/* Deflate cannot do better (zlib's documentation): what claims more is wrong. */
#define RATIO_MAX  1032

int snapshot_deflate(const void *packed, size_t size, void **ret, size_t *ret_size)
{
	_cleanup_(bytes_done) struct bytes_writer w = { 0 };
	uLongf room = compressBound(size);

	if (size > UINT32_MAX)
		return -EFBIG;
	bytes_put(&w, size, SIZE_BYTES);
	/* The fastest: the loop waits, and the numbers are small already. */
	if (!bytes_reserve(&w, room) ||
	    compress2(w.start + SIZE_BYTES, &room, packed, size, Z_BEST_SPEED) != Z_OK)
		return -ENOMEM;
	*ret_size = SIZE_BYTES + room;
	*ret = realloc(w.start, *ret_size);
	if (!*ret)
		return -ENOMEM;
	w.start = NULL;
	return 0;
}

int snapshot_inflate(const void *deflated, size_t size, void **ret, size_t *ret_size)
{
	_cleanup_free_ uint8_t *packed = NULL;
	const uint8_t *in = deflated;
	uLongf n = 0;
	int r;

	if (size < SIZE_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < SIZE_BYTES; i++)
		n |= (uLongf)in[i] << (8 * i);
	if (n / RATIO_MAX > size)
		return -EINVAL;
	packed = malloc(n + 1);
	if (!packed)
		return -ENOMEM;
	*ret_size = n;
	r = uncompress(packed, &n, in + SIZE_BYTES, size - SIZE_BYTES);
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	if (r != Z_OK || n != *ret_size)
		return -EINVAL;
	*ret = TAKE_PTR(packed);
	return 0;
}
