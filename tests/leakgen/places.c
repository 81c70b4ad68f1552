// SPDX-License-Identifier: GPL-2.0-or-later
/* The functions in which leakgen allocates. See places.h. */
#include "places.h"

#include <pthread.h>
#include <stdint.h>

#include "../workloads/workload.h"

#define PAGE 4096

/* Blocks made in each place. That its functions count at addresses of their own also keeps the
 * compiler from making one function of all. */
static uint64_t made[PLACES];

/* As a program would that uses what it allocates: else the kernel gives no memory for it. */
static void *touch(void *block, size_t from, size_t bytes)
{
	volatile char *p = block;

	if (!p)
		die("no memory");
	for (size_t i = from; i < bytes; i += PAGE)
		p[i] = 1;
	if (bytes > 0)
		p[bytes - 1] = 1;
	return block;
}

/* A site: what calls the allocator, and who calls that. With a block it is a realloc(). */
#define SITE(id, name)                                                            \
	static NOINLINE void *name##_new(void *block, size_t old, size_t bytes)   \
	{                                                                         \
		void *p = block ? realloc(block, bytes) : malloc(bytes);          \
                                                                                  \
		made[id]++;                                                       \
		return touch(p, old, bytes);                                      \
	}                                                                         \
                                                                                  \
	static NOINLINE void *name##_serve(void *block, size_t old, size_t bytes) \
	{                                                                         \
		void *p = name##_new(block, old, bytes);                          \
                                                                                  \
		if (made[id] == 0)                                                \
			die("nothing was made");                                  \
		return p;                                                         \
	}

SITE(LEAKING, leaking)
SITE(LOOK_ALIKE, look_alike)
SITE(ORDINARY_1, ordinary_1)
SITE(ORDINARY_2, ordinary_2)
SITE(ORDINARY_3, ordinary_3)
SITE(ORDINARY_4, ordinary_4)
SITE(ORDINARY_5, ordinary_5)

static const struct {
	const char *name;
	void *(*serve)(void *block, size_t old, size_t bytes);
} sites[PLACES] = {
	[LEAKING] = { "leaking_new", leaking_serve },
	[LOOK_ALIKE] = { "look_alike_new", look_alike_serve },
	[ORDINARY_1] = { "ordinary_1_new", ordinary_1_serve },
	[ORDINARY_2] = { "ordinary_2_new", ordinary_2_serve },
	[ORDINARY_3] = { "ordinary_3_new", ordinary_3_serve },
	[ORDINARY_4] = { "ordinary_4_new", ordinary_4_serve },
	[ORDINARY_5] = { "ordinary_5_new", ordinary_5_serve },
};

const char *place_name(enum place p)
{
	return sites[p].name;
}

void *place_new(enum place p, size_t bytes)
{
	return sites[p].serve(NULL, 0, bytes);
}

void *place_resize(enum place p, void *block, size_t old_bytes, size_t bytes)
{
	return sites[p].serve(block, old_bytes, bytes);
}

struct errand {
	enum place place;
	size_t bytes;
	void *block;
};

static void *run_errand(void *userdata)
{
	struct errand *e = userdata;

	e->block = place_new(e->place, e->bytes);
	return NULL;
}

void *place_new_on_thread(enum place p, size_t bytes)
{
	struct errand e = { .place = p, .bytes = bytes };
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_errand, &e) != 0 || pthread_join(thread, NULL) != 0)
		die("no thread");
	return e.block;
}

NOINLINE void place_free(void *block)
{
	free(block);
}
