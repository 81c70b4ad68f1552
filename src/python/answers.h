/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the inspector's parent and child say to each other (base/worker.h has the rest).
 *
 * A request is one message. An answer is a stream of bytes, cut into messages; the last one has
 * MESSAGE_LAST. The bytes of a failure are the sentence that says why, without a NUL.
 *
 * The child may have been taken over by the memory it read: unpacking believes no size, no count and no
 * text. Texts come out valid and printable.
 */
#ifndef SEEP_PYTHON_ANSWERS_H
#define SEEP_PYTHON_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

#include "python/census.h"
#include "python/constructors.h"
#include "python/holders.h"
#include "python/kind_objects.h"

enum python_message {
	PYTHON_HELLO = 1, /* child: the sandbox is closed */
	PYTHON_ASK_CENSUS,
	PYTHON_ASK_OBJECTS, /* with struct python_wanted, message.count of them */
	PYTHON_ASK_HOLDERS, /* with struct python_sample, the same */
	PYTHON_ASK_CONSTRUCTORS,
};

/* The body of a request, before what it may have a number of. */
struct python_request {
	int32_t pid;
	uint32_t by_code;
	uint64_t max; /* kinds, or objects of each kind */
	uint64_t deadline_ns;
	uint64_t type; /* whose constructors are asked for */
};

#define PYTHON_ANSWER_MAX (32u << 20)
#define PYTHON_KINDS_MAX  16384
#define PYTHON_NAME_MAX	  4096 /* bytes of a text */

struct python_answer {
	uint8_t *bytes; /* owned */
	size_t n;
	size_t room;
};

void python_answer_done(struct python_answer *a);
/* -ENOMEM; -E2BIG: more than PYTHON_ANSWER_MAX. */
int python_answer_add(struct python_answer *a, const void *bytes, size_t n);

int python_pack_census(const struct python_census *c, struct python_answer *to);
int python_pack_objects(const struct python_objects *o, size_t n, struct python_answer *to);
int python_pack_holders(const struct python_holders *h, struct python_answer *to);
int python_pack_constructors(const struct python_constructors *c, struct python_answer *to);

/* -EBADMSG: that is no such answer; -ENOMEM. On failure nothing is owned. */
int python_unpack_census(const void *bytes, size_t n, struct python_census *ret);
/* @n lists, each of at most @max objects, sorted. */
int python_unpack_objects(const void *bytes, size_t size, size_t n, size_t max,
			  struct python_objects *ret);
int python_unpack_holders(const void *bytes, size_t n, struct python_holders *ret);
int python_unpack_constructors(const void *bytes, size_t n, struct python_constructors *ret);

#endif
