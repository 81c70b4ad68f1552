// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of a file, its buckets, and what looking an address up in it means. */
#include "elf/unwind_table.h"

#include <string.h>

#define BUCKET_BYTES (1u << UNWIND_BUCKET_SHIFT)

struct unwind_table *unwind_table_free(struct unwind_table *t)
{
	if (!t)
		return NULL;
	free(t->rows);
	free(t->buckets);
	free(t);
	return NULL;
}

static int check_rows(const struct unwind_row *rows, uint32_t n_rows)
{
	if (n_rows == 0)
		return -ENODATA;
	if (n_rows > UNWIND_MAX_ROWS)
		return -EFBIG;
	for (uint32_t i = 0; i < n_rows; i++) {
		if (UNWIND_RULE(&rows[i]) > RULE_NO_CFI || (i > 0 && rows[i].pc <= rows[i - 1].pc))
			return -EBADMSG;
	}
	return 0;
}

static int build_buckets(struct unwind_table *t)
{
	uint32_t row = 0;

	t->start = t->rows[0].pc & ~(BUCKET_BYTES - 1);
	t->n_buckets = ((t->rows[t->n_rows - 1].pc - t->start) >> UNWIND_BUCKET_SHIFT) + 1;
	t->buckets = calloc((size_t)t->n_buckets + 1, sizeof(*t->buckets));
	if (!t->buckets)
		return -ENOMEM;
	for (uint32_t b = 0; b < t->n_buckets; b++) {
		while (row < t->n_rows && (t->rows[row].pc - t->start) >> UNWIND_BUCKET_SHIFT < b)
			row++;
		t->buckets[b] = row;
	}
	t->buckets[t->n_buckets] = t->n_rows;
	return 0;
}

int unwind_table_from_rows(struct unwind_row *rows, uint32_t n_rows, struct unwind_table **ret)
{
	_cleanup_free_ struct unwind_row *owned = rows;
	_cleanup_(unwind_table_freep) struct unwind_table *t = NULL;
	int r;

	r = check_rows(rows, n_rows);
	if (r < 0)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->rows = TAKE_PTR(owned);
	t->n_rows = n_rows;
	r = build_buckets(t);
	if (r < 0)
		return r;

	*ret = TAKE_PTR(t);
	return 0;
}

const struct unwind_row *unwind_table_lookup(const struct unwind_table *t, uint32_t pc)
{
	uint32_t bucket, low, high;

	if (pc < t->start)
		return NULL;
	bucket = (pc - t->start) >> UNWIND_BUCKET_SHIFT;
	if (bucket >= t->n_buckets)
		return NULL;
	/* The first row above pc; the one before it may belong to an earlier bucket. */
	low = t->buckets[bucket];
	high = t->buckets[bucket + 1];
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->rows[middle].pc <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &t->rows[low - 1] : NULL;
}
