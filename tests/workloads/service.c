// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O1 -fno-builtin -fno-optimize-sibling-calls
 *
 * service [--clean]: a service in compressed time, until its standard input ends. Each 20 ms it takes
 * 20 requests; of the records that make_record() makes one in five is never freed (--clean: none), the
 * others live for up to 400 ms. fill_page() fills a cache of 2003 pages and is done. It tells how much had
 * leaked when, in its first minutes: {"leaked_bytes": so much, "grown": [[seconds since 1970, bytes], ...]}.
 */
#include <poll.h>
#include <time.h>

#include "workload.h"

#define STEP_MS	      20
#define REQUESTS      20
#define RECORD_BYTES  4001
#define PAGE_BYTES    3001
#define PAGES	      2003
#define PAGES_AT_ONCE 7
#define HELD_MAX      4096
#define LIFE_MS	      400
#define POINT_MS      100
#define POINTS	      2000 /* less than a pipe holds, when nobody reads */

struct held {
	void *record;
	uint64_t until_ms;
};

static struct held held[HELD_MAX];
static unsigned n_held, n_pages;
static void *cache[PAGES];
static uint64_t leaked;

/* How much had leaked when. */
static struct point {
	uint64_t ms;
	uint64_t bytes;
} points[POINTS];
static unsigned n_points;

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

static void note_growth(void)
{
	uint64_t ms = clock_ms(CLOCK_REALTIME);

	if (n_points < POINTS && (n_points == 0 || ms >= points[n_points - 1].ms + POINT_MS))
		points[n_points++] = (struct point){ ms, leaked };
}

static void say_growth(void)
{
	say("{\"leaked_bytes\":%llu,\"grown\":[", (unsigned long long)leaked);
	for (unsigned i = 0; i < n_points; i++)
		say("%s[%llu.%03u,%llu]", i ? "," : "", (unsigned long long)points[i].ms / 1000,
		    (unsigned)(points[i].ms % 1000), (unsigned long long)points[i].bytes);
	say("]}\n");
}

static NOINLINE void *make_record(void)
{
	void *p = malloc(RECORD_BYTES);

	if (!p)
		die("malloc failed");
	memset(p, 1, RECORD_BYTES);
	return p;
}

static NOINLINE void *fill_page(void)
{
	void *p = malloc(PAGE_BYTES);

	if (!p)
		die("malloc failed");
	memset(p, 1, PAGE_BYTES);
	return p;
}

static void warm_up(void)
{
	for (int i = 0; i < PAGES_AT_ONCE && n_pages < PAGES; i++, n_pages++)
		cache[n_pages] = fill_page();
}

static void take_requests(bool is_clean, unsigned step)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		void *record = make_record();

		if (!is_clean && i % 5 == 0) {
			leaked += RECORD_BYTES;
			continue;
		}
		if (n_held == HELD_MAX)
			die("too many records");
		held[n_held++] = (struct held){ record, now_ms() + (step * 7 + i * 13) % LIFE_MS };
	}
}

static void forget_old(void)
{
	uint64_t now = now_ms();
	unsigned kept = 0;

	for (unsigned i = 0; i < n_held; i++) {
		if (held[i].until_ms <= now)
			free(held[i].record);
		else
			held[kept++] = held[i];
	}
	n_held = kept;
}

int main(int argc, char **argv)
{
	bool is_clean = has_flag(argc, argv, "--clean");
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	workload_begin(argc, argv);
	note_growth();
	for (unsigned step = 0; poll(&input, 1, STEP_MS) == 0; step++) {
		take_requests(is_clean, step);
		warm_up();
		forget_old();
		note_growth();
	}
	say_growth();
	return 0;
}
