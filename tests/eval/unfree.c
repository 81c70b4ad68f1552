// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ld-unfree.so, for LD_PRELOAD: plants a leak in a program that has none, by not passing on a share
 * of the frees of what a certain function, or anything it calls, has allocated.
 *
 *   UNFREE_FUNCTION  an exported function ("dictAdd"), or MODULE+BEGIN-END with hexadecimal addresses
 *                    as in the file ("memcached+8410-8a20"), for those without a name; the module may
 *                    be loaded later
 *   UNFREE_SHARE     of the blocks, 0 to 1 (0.01)
 *   UNFREE_AFTER     seconds since the start of the program; blocks of before are freed (0)
 *   UNFREE_SEED      (1)
 *   UNFREE_REPORT    what was done is written to this path + ".PID", at exit and at most once a
 *                    second before
 *
 * Which blocks are to stay is decided by chance when they are allocated: only then the stack is
 * looked at, so that a share of 1 % costs a walk in one of 100 allocations. Their addresses are kept
 * in a table, in which each free looks. realloc() hands the decision on to the new address.
 *
 * All memory comes from the program's own allocator, by one call for blocks that stay and blocks
 * that do not, so that both have the same stack in the eyes of a tracer. seep must not take the
 * library for an allocator: a free that is not passed on has not happened. By its name it is a
 * dynamic linker, whose own malloc() is nobody's business.
 *
 * Blocks that are freed by other names (sdallocx, operators of jemalloc's) must not be under the
 * function.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "unfree_table.h"

#define FRAMES_MAX 64 /* that far up the function is looked for */

/* dlsym() may allocate before the allocator is known; glibc takes a few dozen bytes. */
#define EARLY_BYTES 16384

static struct {
	void *(*malloc)(size_t n);
	void *(*calloc)(size_t n, size_t size);
	void *(*realloc)(void *p, size_t n);
	int (*posix_memalign)(void **ret, size_t alignment, size_t n);
	void *(*aligned_alloc)(size_t alignment, size_t n);
	void *(*memalign)(size_t alignment, size_t n);
	void (*free)(void *p);
	size_t (*usable)(void *p);
} real;

static struct {
	char function[256];
	char module[128];     /* empty: a function by name */
	uintptr_t begin, end; /* in the file, of a module */
	uint64_t threshold;   /* a draw below it is chosen */
	uint64_t seed;
	struct timespec after; /* on the clock of the machine */
	char report[256];      /* empty: none */
} settings;

/* Where the function is in memory; 0: not (yet). */
static _Atomic uintptr_t range_begin, range_end;
static _Atomic unsigned long long modules_seen;

static _Atomic uint64_t n_looked, n_marked, n_moved, n_dropped, dropped_bytes, n_full;
static _Atomic int64_t next_report; /* seconds */
static _Atomic uint64_t threads;

static char early[EARLY_BYTES] __attribute__((aligned(16)));
static size_t early_used;

static __thread bool is_inside;
static __thread uint64_t state;

/* --- the function ---------------------------------------------------------------------------- */

static int find_module(struct dl_phdr_info *info, size_t size, void *userdata)
{
	const char *name = info->dlpi_name;
	const char *slash;

	(void)size;
	(void)userdata;
	/* The first is the program itself, without a name. */
	if (!*name)
		name = program_invocation_name;
	slash = strrchr(name, '/');
	if (strcmp(slash ? slash + 1 : name, settings.module) != 0)
		return 0;
	atomic_store(&range_end, info->dlpi_addr + settings.end);
	atomic_store(&range_begin, info->dlpi_addr + settings.begin);
	return 1;
}

static int count_modules(struct dl_phdr_info *info, size_t size, void *userdata)
{
	(void)size;
	*(unsigned long long *)userdata = info->dlpi_adds;
	return 1;
}

static bool has_range(void)
{
	unsigned long long modules = 0;

	if (atomic_load(&range_begin))
		return true;
	if (!*settings.module)
		return false;
	dl_iterate_phdr(count_modules, &modules);
	if (atomic_exchange(&modules_seen, modules) != modules)
		dl_iterate_phdr(find_module, NULL);
	return atomic_load(&range_begin) != 0;
}

struct walk {
	uintptr_t begin, end;
	int frames;
	bool found;
};

static _Unwind_Reason_Code look_at(struct _Unwind_Context *context, void *userdata)
{
	struct walk *w = userdata;
	int before = 0;
	uintptr_t ip = _Unwind_GetIPInfo(context, &before);

	if (!before)
		ip--; /* the call, not what comes after it */
	w->found = ip >= w->begin && ip < w->end;
	return w->found || ++w->frames == FRAMES_MAX ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static bool is_under_function(void)
{
	struct walk w = { .end = 0 };

	if (!has_range())
		return false;
	w.begin = atomic_load(&range_begin);
	w.end = atomic_load(&range_end);
	_Unwind_Backtrace(look_at, &w);
	return w.found;
}

/* --- chance ---------------------------------------------------------------------------------- */

static uint64_t draw(void)
{
	if (state == 0)
		state = (settings.seed + atomic_fetch_add(&threads, 1) + 1) *
				0x9e3779b97f4a7c15ull |
			1;
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 2685821657736338717ull;
}

static bool is_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec > settings.after.tv_sec ||
	       (now.tv_sec == settings.after.tv_sec && now.tv_nsec >= settings.after.tv_nsec);
}

/* Shall the block that is about to be made stay for ever? */
static bool choose(void)
{
	bool chosen = false;
	int saved;

	if (!settings.threshold || is_inside || draw() > settings.threshold - 1)
		return false;
	is_inside = true;
	saved = errno;
	if (is_time()) {
		atomic_fetch_add(&n_looked, 1);
		chosen = is_under_function();
	}
	errno = saved;
	is_inside = false;
	return chosen;
}

static __attribute__((noinline)) void mark(void *p, bool chosen)
{
	if (!p || !chosen)
		return;
	if (table_add(p))
		atomic_fetch_add(&n_marked, 1);
	else
		atomic_fetch_add(&n_full, 1);
}

/* --- telling --------------------------------------------------------------------------------- */

static void write_report(void)
{
	char path[512], text[512];
	int n, fd;

	n = snprintf(path, sizeof(path), "%s.%d", settings.report, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	n = snprintf(text, sizeof(text),
		     "{\"pid\":%d,\"function\":\"%s\",\"found\":%s,\"looked\":%llu,\"marked\":%llu,"
		     "\"moved_by_realloc\":%llu,\"dropped_count\":%llu,\"dropped_bytes\":%llu,"
		     "\"table_full\":%llu}\n",
		     (int)getpid(), settings.function, range_begin ? "true" : "false",
		     (unsigned long long)n_looked, (unsigned long long)n_marked,
		     (unsigned long long)n_moved, (unsigned long long)n_dropped,
		     (unsigned long long)dropped_bytes, (unsigned long long)n_full);
	if (n < 0 || (size_t)n >= sizeof(text))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	/* Numbers only grow, so a shorter text never follows a longer one. */
	(void)!pwrite(fd, text, (size_t)n, 0);
	close(fd);
}

static void report_now_and_then(void)
{
	int64_t due = atomic_load(&next_report);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (!*settings.report || now.tv_sec < due || is_inside ||
	    !atomic_compare_exchange_strong(&next_report, &due, now.tv_sec + 1))
		return;
	is_inside = true;
	write_report();
	is_inside = false;
}

static __attribute__((destructor)) void report_at_exit(void)
{
	if (*settings.report && range_begin) {
		is_inside = true;
		write_report();
	}
}

/* A child tells what it did itself. */
static void after_fork(void)
{
	n_looked = n_marked = n_moved = n_dropped = dropped_bytes = n_full = 0;
}

/* --- beginning ------------------------------------------------------------------------------- */

static void *next(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		abort();
	return p;
}

/* The first allocation comes before any thread. */
static void find_real(void)
{
	is_inside = true;
	real.calloc = next("calloc");
	real.realloc = next("realloc");
	real.posix_memalign = next("posix_memalign");
	real.aligned_alloc = next("aligned_alloc");
	real.memalign = next("memalign");
	real.usable = next("malloc_usable_size");
	real.free = next("free");
	real.malloc = next("malloc");
	is_inside = false;
}

/* Valid for now: servers write their titles over the environment. */
static const char *setting(const char *name, const char *other)
{
	const char *value = getenv(name);

	return value && *value ? value : other;
}

/* By its exact place, or by a name that is exported. */
static void find_function(void)
{
	const ElfW(Sym) *symbol = NULL;
	unsigned long begin, end;
	Dl_info info;
	void *p;

	if (sscanf(settings.function, "%127[^+]+%lx-%lx", settings.module, &begin, &end) == 3) {
		settings.begin = begin;
		settings.end = end;
		return;
	}
	settings.module[0] = '\0';
	p = dlsym(RTLD_DEFAULT, settings.function);
	if (!p || !dladdr1(p, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol ||
	    symbol->st_size == 0)
		return;
	atomic_store(&range_end, (uintptr_t)p + symbol->st_size);
	atomic_store(&range_begin, (uintptr_t)p);
}

static __attribute__((constructor)) void begin(void)
{
	double share = strtod(setting("UNFREE_SHARE", "0.01"), NULL);
	double after = strtod(setting("UNFREE_AFTER", "0"), NULL);

	if (!real.malloc)
		find_real();
	is_inside = true;
	snprintf(settings.function, sizeof(settings.function), "%s",
		 setting("UNFREE_FUNCTION", ""));
	settings.seed = strtoull(setting("UNFREE_SEED", "1"), NULL, 10);
	snprintf(settings.report, sizeof(settings.report), "%s", setting("UNFREE_REPORT", ""));
	clock_gettime(CLOCK_MONOTONIC_COARSE, &settings.after);
	settings.after.tv_sec += (time_t)after;
	settings.after.tv_nsec += (long)(1e9 * (after - (double)(time_t)after));
	if (settings.after.tv_nsec >= 1000000000) {
		settings.after.tv_sec++;
		settings.after.tv_nsec -= 1000000000;
	}
	find_function();
	pthread_atfork(NULL, NULL, after_fork);
	is_inside = false;
	if (*settings.function && share > 0)
		settings.threshold = share >= 1 ? UINT64_MAX : (uint64_t)(share * 0x1p64);
}

/* --- the allocator --------------------------------------------------------------------------- */

static bool is_early(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)early && (uintptr_t)p < (uintptr_t)early + EARLY_BYTES;
}

static void *early_alloc(size_t n)
{
	size_t room = (n + 15) & ~(size_t)15;
	void *p = early + early_used;

	if (n > EARLY_BYTES || room > EARLY_BYTES - early_used)
		abort();
	early_used += room;
	return p;
}

/* Whether there is no allocator yet, because this call is part of looking for it. */
static bool is_too_early(void)
{
	if (real.malloc)
		return false;
	if (is_inside)
		return true;
	find_real();
	return false;
}

void *malloc(size_t n)
{
	bool chosen;
	void *p;

	if (is_too_early())
		return early_alloc(n);
	chosen = choose();
	p = real.malloc(n);
	mark(p, chosen);
	return p;
}

void *calloc(size_t n, size_t size)
{
	bool chosen;
	void *p;

	if (is_too_early())
		return early_alloc(n * size);
	chosen = choose();
	p = real.calloc(n, size);
	mark(p, chosen);
	return p;
}

void free(void *p)
{
	int saved;

	if (!p || is_early(p))
		return;
	if (!table_take(p)) {
		real.free(p);
		return;
	}
	saved = errno;
	atomic_fetch_add(&n_dropped, 1);
	atomic_fetch_add(&dropped_bytes, real.usable(p));
	report_now_and_then();
	errno = saved;
}

/* The decision for a block moves with it. @was: whether it had been made for the old one. */
static void mark_moved(void *old, void *p, bool was, bool chosen)
{
	if (!p) {
		if (was)
			table_add(old);
		return;
	}
	if (was && p != old)
		atomic_fetch_add(&n_moved, 1);
	if (!was)
		mark(p, chosen);
	else if (!table_add(p))
		atomic_fetch_add(&n_full, 1);
}

void *realloc(void *old, size_t n)
{
	bool chosen, was;
	void *p;

	if (is_too_early() || is_early(old))
		abort(); /* glibc does not do that */
	was = old && table_take(old);
	chosen = !was && choose();
	p = real.realloc(old, n);
	if (n > 0)
		mark_moved(old, p, was, chosen);
	return p;
}

void *reallocarray(void *old, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

int posix_memalign(void **ret, size_t alignment, size_t n)
{
	bool chosen = choose();
	int r = real.posix_memalign(ret, alignment, n);

	mark(r == 0 ? *ret : NULL, chosen);
	return r;
}

void *aligned_alloc(size_t alignment, size_t n)
{
	bool chosen = choose();
	void *p = real.aligned_alloc(alignment, n);

	mark(p, chosen);
	return p;
}

void *memalign(size_t alignment, size_t n)
{
	bool chosen = choose();
	void *p = real.memalign(alignment, n);

	mark(p, chosen);
	return p;
}
