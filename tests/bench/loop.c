// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loop: the program that is measured. It does what the requests say (loop.h) until they end.
 *
 * A program of its own with nothing but libc in it, built as Debian builds its packages: optimised,
 * without frame pointers.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

/* Between two looks at the clock: it costs as much as several bare pairs. */
#define BATCH 4096u

/* Nor cloned (gcc), which would give it another name. */
#if __has_attribute(noclone)
#define NOINLINE __attribute__((noinline, noclone))
#else
#define NOINLINE __attribute__((noinline))
#endif

/* Keeps the compiler from turning the call before it into a jump, which would leave no frame. */
#define NO_TAIL_CALL() __asm__ volatile("")

/* The linker gives the bounds of a section whose name is an identifier. */
extern const char __start_loop_text[], __stop_loop_text[];

static void *volatile sink;
static size_t site_bytes; /* of LOOP_SITES and LOOP_LARGE */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* The frames that called the caller. */
NOINLINE static void chain(struct loop_answer *a)
{
	void *addresses[LOOP_FRAMES];
	int n = backtrace(addresses, LOOP_FRAMES);

	a->function_start = (uintptr_t)__start_loop_text;
	a->function_end = (uintptr_t)__stop_loop_text;
	for (int i = 1; i < n; i++) {
		struct loop_frame *f = &a->frames[a->n_frames++];
		Dl_info info;

		f->address = (uintptr_t)addresses[i];
		if (dladdr(addresses[i], &info))
			f->offset = f->address - (uintptr_t)info.dli_fbase;
	}
}

/*
 * One call of malloc, so that all pairs have one stack; and its frames are told from the same
 * place: those above this function are those above malloc's caller.
 */
NOINLINE __attribute__((section("loop_text"))) static void allocate(uint32_t pairs,
								    struct loop_answer *a)
{
	for (uint32_t i = 0; i < pairs; i++) {
		void *p = sink = malloc(100 + (i & 63));

		free(p);
	}
	if (!pairs)
		chain(a);
	NO_TAIL_CALL();
}

static void spin(const struct loop_request *q, struct loop_answer *a)
{
	uint32_t batch = q->command == LOOP_SPIN ? BATCH : 0;
	uint64_t start = now_ns(), end = start + q->count * 1000000ull;

	do {
		allocate(batch, a);
		a->pairs += batch;
		a->ns = now_ns() - start;
	} while (start + a->ns < end);
}

static void pace(uint32_t ms, struct loop_answer *a)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };

	for (a->pairs = 0; a->pairs < ms; a->pairs++) {
		allocate(1, a);
		(void)nanosleep(&millisecond, NULL);
	}
}

/* Two functions that call each other by the bits of a number: as many stacks as numbers. */
static void one(uint32_t path, unsigned int bits);

NOINLINE static void zero(uint32_t path, unsigned int bits)
{
	if (bits == 0)
		sink = malloc(site_bytes);
	else if (path & 1)
		one(path >> 1, bits - 1);
	else
		zero(path >> 1, bits - 1);
	NO_TAIL_CALL();
}

NOINLINE static void one(uint32_t path, unsigned int bits)
{
	if (bits == 0)
		sink = malloc(site_bytes);
	else if (path & 1)
		one(path >> 1, bits - 1);
	else
		zero(path >> 1, bits - 1);
	NO_TAIL_CALL();
}

static void keep(uint32_t blocks)
{
	for (uint32_t i = 0; i < blocks; i++)
		sink = malloc(32);
}

NOINLINE static void work(const struct loop_request *q, struct loop_answer *a)
{
	switch (q->command) {
	case LOOP_SPIN:
	case LOOP_CHAIN:
		spin(q, a);
		break;
	case LOOP_PACE:
		pace(q->count, a);
		break;
	case LOOP_SITES:
	case LOOP_LARGE:
		site_bytes = q->command == LOOP_LARGE ? 98000 : 48;
		for (uint32_t i = 0; i < q->count; i++)
			zero(i, LOOP_SITE_BITS);
		break;
	case LOOP_BLOCKS:
		keep(q->count);
		break;
	}
	NO_TAIL_CALL();
}

NOINLINE static void descend(const struct loop_request *q, struct loop_answer *a, uint32_t depth)
{
	if (depth)
		descend(q, a, depth - 1);
	else
		work(q, a);
	NO_TAIL_CALL();
}

int main(int argc, char **argv)
{
	int from = argc > 2 ? atoi(argv[1]) : STDIN_FILENO;
	int to = argc > 2 ? atoi(argv[2]) : STDOUT_FILENO;
	struct loop_request q;
	struct loop_answer a;
	void *first[1];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)backtrace(first, 1); /* loads libgcc, and allocates, the first time only */
	while (read(from, &q, sizeof(q)) == sizeof(q)) {
		memset(&a, 0, sizeof(a));
		descend(&q, &a, q.depth);
		if (write(to, &a, sizeof(a)) != sizeof(a))
			return 1;
	}
	return 0;
}
