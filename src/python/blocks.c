// SPDX-License-Identifier: GPL-2.0-or-later
/* The live blocks of one pool, and what lies in them. See sweep_state.h. */
#include "python/sweep_state.h"

#include <errno.h>

#define FREE_LIST 8 /* of struct pool_header */

/* Of the smallest blocks, 16 bytes in pools of 16 KiB. */
#define POOL_BLOCKS_MAX 1024

struct free_blocks {
	uint64_t bits[POOL_BLOCKS_MAX / 64];
	uint32_t n;
};

static bool is_free(const struct free_blocks *f, uint32_t i)
{
	return f->bits[i / 64] >> (i % 64) & 1;
}

/*
 * Follows the list of free blocks. A link that leads out of the carved blocks, or to one that was seen, says
 * that the pool changed while it was read: -EAGAIN.
 */
static int walk_free(const struct pool *p, const uint8_t *data, uint32_t carved, uint32_t size,
		     struct free_blocks *ret)
{
	uint64_t link = word_at(data, FREE_LIST);

	*ret = (struct free_blocks){ .n = 0 };
	while (link) {
		uint64_t offset = link - p->address - POOL_HEADER_BYTES;
		uint32_t i;

		if (offset >= (uint64_t)carved * size)
			return -EAGAIN;
		i = (uint32_t)offset / size;
		if (i * size != offset || is_free(ret, i))
			return -EAGAIN;
		ret->bits[i / 64] |= 1ull << (i % 64);
		ret->n++;
		link = word_at(data, POOL_HEADER_BYTES + offset);
	}
	return 0;
}

/* What is in a live block, to the end of found[]. */
static void find_object(struct python_sweep *s, const uint8_t *data, size_t at, uint32_t size)
{
	const struct python_type *t = object_in(s, data, size);

	if (t && t->flags & PY_HAVE_GC && head_is_doubtful(t, data + s->before + t->object_at - 16))
		s->doubts[s->n_doubts++] = s->n_found;
	if (t && t->role == PYTHON_ROLE_DICT &&
	    tables_has_distant_keys(s, data + s->before + t->object_at))
		s->keys[s->n_keys++] = s->n_found;
	s->found[s->n_found++] = (struct found){
		.type = t,
		.at = (uint32_t)at,
		.bytes = (uint16_t)size,
	};
}

int pool_blocks(struct python_sweep *s, struct pool *p, size_t at, size_t have)
{
	const uint8_t *data = s->buffer + at;
	struct free_blocks free_blocks;
	uint32_t size, carved;
	struct pool now;

	if (have < POOL_HEADER_BYTES)
		return -EAGAIN;
	if (half_at(data, 0) == 0) {
		/* Given back since. */
		p->refs = 0;
		return 0;
	}
	now.address = p->address;
	if (!pool_header_read(s, data, &now) || now.next > have)
		return -EAGAIN;
	size = BLOCK_UNIT * (now.class + 1u);
	carved = (now.next - POOL_HEADER_BYTES) / size;
	if (walk_free(&now, data, carved, size, &free_blocks) < 0 ||
	    carved - free_blocks.n != now.refs)
		return -EAGAIN;
	*p = now;
	s->stats.pools += now.refs != 0;
	s->stats.free_blocks += free_blocks.n;
	s->stats.live_blocks += now.refs;
	for (uint32_t i = 0; i < carved; i++) {
		size_t offset = POOL_HEADER_BYTES + (size_t)i * size;

		if (!is_free(&free_blocks, i))
			find_object(s, data + offset, at + offset, size);
	}
	return (int)now.refs;
}
