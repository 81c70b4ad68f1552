/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where detectors are packed to and read back from, piece by piece. */
#ifndef SEEP_TESTS_PIECES_H
#define SEEP_TESTS_PIECES_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#define PIECES_MAX (8u << 20)

struct store {
	uint8_t bytes[PIECES_MAX];
	size_t n;
	size_t at;
};

static inline void put(void *userdata, const void *data, size_t size)
{
	struct store *s = userdata;

	assert_true(s->n + size <= sizeof(s->bytes));
	memcpy(s->bytes + s->n, data, size);
	s->n += size;
}

static inline int get(void *userdata, void *data, size_t size)
{
	struct store *s = userdata;

	if (size > s->n - s->at)
		return -EBADMSG;
	memcpy(data, s->bytes + s->at, size);
	s->at += size;
	return 0;
}

#endif
