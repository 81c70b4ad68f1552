// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fomit-frame-pointer -fno-optimize-sibling-calls -Wno-alloc-size-larger-than
 *
 * Every function of the malloc family, each called a prime number of times from a function of its
 * own, another prime number of the blocks freed; and every way in which a call can fail.
 */
#include <dlfcn.h>
#include <malloc.h>

#include "workload.h"

#define MAX_BLOCKS 4096
#define TOO_LARGE  (SIZE_MAX / 2)

enum site {
	CALL_MALLOC,
	CALL_CALLOC,
	CALL_REALLOC,
	CALL_REALLOCARRAY,
	CALL_POSIX_MEMALIGN,
	CALL_ALIGNED_ALLOC,
	CALL_MEMALIGN,
	CALL_VALLOC,
	CALL_PVALLOC,
	CALL_ALIAS,
	CALL_FAILING,
	SITES,
};

static struct ledger ledgers[SITES] = {
	[CALL_MALLOC] = { .function = "call_malloc" },
	[CALL_CALLOC] = { .function = "call_calloc" },
	[CALL_REALLOC] = { .function = "call_realloc" },
	[CALL_REALLOCARRAY] = { .function = "call_reallocarray" },
	[CALL_POSIX_MEMALIGN] = { .function = "call_posix_memalign" },
	[CALL_ALIGNED_ALLOC] = { .function = "call_aligned_alloc" },
	[CALL_MEMALIGN] = { .function = "call_memalign" },
	[CALL_VALLOC] = { .function = "call_valloc" },
	[CALL_PVALLOC] = { .function = "call_pvalloc" },
	[CALL_ALIAS] = { .function = "call_alias" },
	[CALL_FAILING] = { .function = "call_failing" },
};

struct block {
	void *address;
	size_t bytes;
	enum site site;
};

static struct block blocks[MAX_BLOCKS];
static size_t n_blocks;
static uint64_t failures;
static uint64_t in_place;
static void (*old_free)(void *);     /* cfree, where it still is */
static size_t too_large = TOO_LARGE; /* not a constant to the compiler */

extern void *__libc_malloc(size_t bytes);
extern void __libc_free(void *address);

static void took(enum site site, void *address, size_t bytes)
{
	if (!address || n_blocks == MAX_BLOCKS)
		die("an allocation failed");
	blocks[n_blocks++] = (struct block){ address, bytes, site };
	ledger_add(&ledgers[site], bytes);
}

static void gave(struct block *b)
{
	ledger_free(&ledgers[b->site], b->bytes);
	*b = blocks[--n_blocks];
}

static void failed(bool as_expected)
{
	if (!as_expected)
		die("a call succeeded that must fail");
	failures++;
}

static NOINLINE void call_malloc(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		size_t bytes = i % 5 ? 17 + 7 * i : 0;

		took(CALL_MALLOC, malloc(bytes), bytes);
	}
}

static NOINLINE void call_calloc(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		size_t count = i % 7, bytes = 3 + i;

		took(CALL_CALLOC, calloc(count, bytes), count * bytes);
	}
}

/* One realloc of a block of any site: the old block is freed, the new one is this function's. */
static NOINLINE void call_realloc(struct block *b, size_t bytes)
{
	void *moved = realloc(b->address, bytes);

	if (!moved)
		die("realloc failed");
	if (b->address)
		ledger_free(&ledgers[b->site], b->bytes);
	if (b->address == moved)
		in_place++;
	ledger_add(&ledgers[CALL_REALLOC], bytes);
	*b = (struct block){ moved, bytes, CALL_REALLOC };
}

static void reallocs(void)
{
	size_t first = n_blocks;

	/* realloc(NULL, n) is malloc(n). */
	for (unsigned int i = 0; i < 53; i++)
		call_realloc(&blocks[n_blocks++], 31 + i);
	/* Smaller: in place. */
	for (unsigned int i = 0; i < 29; i++)
		call_realloc(&blocks[first + i], 25);
	/* Larger: the last block of the heap grows in place, others move. */
	for (unsigned int i = 0; i < 23; i++)
		call_realloc(&blocks[n_blocks - 1 - i], 4001 + 96 * i);
	/* By mremap: these are mappings of their own. */
	for (unsigned int i = 0; i < 5; i++)
		call_realloc(&blocks[first + i], 1000003u * (i + 1));
	for (unsigned int i = 0; i < 3; i++)
		call_realloc(&blocks[first + i], 7000003u * (i + 1));
}

/* realloc(p, 0) frees p and is no failure. */
static NOINLINE void call_realloc_zero(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (realloc(blocks[n_blocks - 1].address, 0) != NULL)
			die("realloc(p, 0) returned a block");
		gave(&blocks[n_blocks - 1]);
	}
}

static NOINLINE void call_reallocarray(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		size_t count = 1 + i % 11, bytes = 5 + i;
		void *p = reallocarray(NULL, count, bytes), *q;

		took(CALL_REALLOCARRAY, p, count * bytes);
		if (i % 3)
			continue;
		q = reallocarray(p, count + 13, bytes);
		gave(&blocks[n_blocks - 1]);
		took(CALL_REALLOCARRAY, q, (count + 13) * bytes);
	}
	/* As realloc(p, 0). */
	if (reallocarray(blocks[n_blocks - 1].address, 0, 8) != NULL)
		die("reallocarray(p, 0, n) returned a block");
	gave(&blocks[n_blocks - 1]);
}

static NOINLINE void call_posix_memalign(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		size_t bytes = 41 + 3 * i;
		void *p = NULL;

		if (posix_memalign(&p, i % 2 ? 64 : 4096, bytes) != 0)
			die("posix_memalign failed");
		took(CALL_POSIX_MEMALIGN, p, bytes);
	}
}

static NOINLINE void call_aligned_alloc(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		took(CALL_ALIGNED_ALLOC, aligned_alloc(128, 128 * (i + 1)), 128 * (i + 1));
}

static NOINLINE void call_memalign(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		took(CALL_MEMALIGN, memalign(32, 19 + i), 19 + i);
}

static NOINLINE void call_valloc(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		took(CALL_VALLOC, valloc(1 + i), 1 + i);
}

static NOINLINE void call_pvalloc(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		took(CALL_PVALLOC, pvalloc(2 + i), 2 + i);
}

/* Other names of the same functions. */
static NOINLINE void call_alias(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		took(CALL_ALIAS, __libc_malloc(61 + i), 61 + i);
		if (i % 4)
			continue;
		__libc_free(blocks[n_blocks - 1].address);
		gave(&blocks[n_blocks - 1]);
	}
}

/* Every failure, each a prime number of times. The block that is not grown stays as it is. */
static NOINLINE void call_failing(void)
{
	void *p = malloc(101), *q = p;

	took(CALL_FAILING, p, 101);
	for (int i = 0; i < 3; i++)
		failed(malloc(too_large) == NULL);
	for (int i = 0; i < 3; i++)
		failed(calloc(too_large, 3) == NULL);
	for (int i = 0; i < 5; i++)
		failed(realloc(p, too_large) == NULL);
	for (int i = 0; i < 7; i++)
		failed(reallocarray(p, too_large, 3) == NULL);
	for (int i = 0; i < 2; i++)
		failed(reallocarray(p, too_large / 8, 4) == NULL);
	for (int i = 0; i < 11; i++)
		failed(posix_memalign(&q, 3, 100) == EINVAL && q == p);
	for (int i = 0; i < 13; i++)
		failed(posix_memalign(&q, 64, too_large) == ENOMEM && q == p);
	for (int i = 0; i < 2; i++)
		failed(aligned_alloc(64, too_large) == NULL);
	for (int i = 0; i < 2; i++)
		failed(realloc(NULL, too_large) == NULL);
	for (int i = 0; i < 17; i++)
		free(NULL);
}

/* Frees @n blocks of a site, from the first on. */
static void free_some(enum site site, unsigned int n, void (*function)(void *))
{
	for (size_t i = 0; i < n_blocks && n > 0;) {
		if (blocks[i].site != site) {
			i++;
			continue;
		}
		function(blocks[i].address);
		gave(&blocks[i]);
		n--;
	}
	if (n > 0)
		die("fewer blocks than are to be freed");
}

int main(int argc, char **argv)
{
	old_free = (void (*)(void *))dlvsym(RTLD_DEFAULT, "cfree", "GLIBC_2.2.5");
	workload_begin(argc, argv);
	call_malloc(211);
	reallocs();
	call_realloc_zero(5);
	call_calloc(199);
	call_reallocarray(113);
	call_posix_memalign(97);
	call_aligned_alloc(89);
	call_memalign(83);
	call_valloc(79);
	call_pvalloc(73);
	call_alias(71);
	call_failing();
	free_some(CALL_MALLOC, 101, free);
	free_some(CALL_CALLOC, 67, old_free ? old_free : free);
	free_some(CALL_REALLOC, 13, free);
	free_some(CALL_REALLOCARRAY, 44, free);
	free_some(CALL_POSIX_MEMALIGN, 43, free);
	free_some(CALL_ALIGNED_ALLOC, 41, free);
	free_some(CALL_MEMALIGN, 37, free);
	free_some(CALL_VALLOC, 31, free);
	free_some(CALL_PVALLOC, 29, free);
	say("{\"functions\":{");
	say_ledgers(ledgers, SITES);
	say("},\"failures\":%llu,\"in_place\":%llu,\"cfree\":%s}\n", (unsigned long long)failures,
	    (unsigned long long)in_place, old_free ? "true" : "false");
	workload_end(argc, argv);
	return 0;
}
