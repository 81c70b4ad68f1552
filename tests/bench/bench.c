// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tracing costs: ns per malloc/free pair, time of a tick, memory of the maps.
 *
 * A child runs the loop; this process sets and removes the probes around it. The three states of
 * the first table take turns within one run, so that what else the machine does hits them alike:
 * ratios can be compared, single numbers belong to the machine. "empty" has probes of the same kind
 * at the same places whose programs return at once: nobody who sets probes is faster.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/bpf.h>
#include <event2/event.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "elf/image.h"
#include "elf/placement.h"
#include "elf/unwind_table.h"
#include "monitor.h"
#include "probe/object.h"
#include "target/procfs.h"
#include "target/selector.h"

#include <dlfcn.h>

#define ROUNDS	  7
#define PAIRS	  20000u
#define SITE_BITS 14
#define MILLION	  1000000u

static void *volatile sink;

enum command {
	COMMAND_PAIRS = 'p',  /* PAIRS pairs; answers with ns per pair */
	COMMAND_DEEP = 'd',   /* PAIRS pairs below `count` frames; answers with ns per pair */
	COMMAND_SITES = 's',  /* blocks under `count` different stacks */
	COMMAND_BLOCKS = 'b', /* `count` blocks under one stack */
};

struct request {
	uint32_t command;
	uint32_t count;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

__attribute__((noinline)) static double time_pairs(uint32_t pairs)
{
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < pairs; i++) {
		void *p = sink = malloc(100 + (i & 63));

		free(p);
	}
	return (double)(now_ns() - start) / pairs;
}

__attribute__((noinline)) static double time_deep(uint32_t depth)
{
	double ns = depth ? time_deep(depth - 1) : time_pairs(PAIRS);

	__asm__ volatile("");
	return ns;
}

/* Two functions that call each other by the bits of a number: 2^SITE_BITS different stacks. */
static void one(uint32_t path, unsigned int bits);

__attribute__((noinline)) static void zero(uint32_t path, unsigned int bits)
{
	if (bits == 0)
		sink = malloc(48);
	else if (path & 1)
		one(path >> 1, bits - 1);
	else
		zero(path >> 1, bits - 1);
	__asm__ volatile("");
}

__attribute__((noinline)) static void one(uint32_t path, unsigned int bits)
{
	if (bits == 0)
		sink = malloc(48);
	else if (path & 1)
		one(path >> 1, bits - 1);
	else
		zero(path >> 1, bits - 1);
	__asm__ volatile("");
}

static double serve(const struct request *q)
{
	switch (q->command) {
	case COMMAND_PAIRS:
		return time_pairs(q->count);
	case COMMAND_DEEP:
		return time_deep(q->count);
	case COMMAND_SITES:
		for (uint32_t i = 0; i < q->count; i++)
			zero(i, SITE_BITS);
		return 0;
	default:
		for (uint32_t i = 0; i < q->count; i++)
			sink = malloc(32);
		return 0;
	}
}

struct child {
	pid_t pid;
	int to;
	int from;
};

static void die(const char *what, int r)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(r < 0 ? -r : r));
	exit(1);
}

static struct child child_start(void)
{
	struct child c;
	int to[2], from[2];
	struct request q;
	double answer;

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		die("pipe", errno);
	c.pid = fork();
	if (c.pid < 0)
		die("fork", errno);
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		while (read(to[0], &q, sizeof(q)) == sizeof(q)) {
			answer = serve(&q);
			if (write(from[1], &answer, sizeof(answer)) != sizeof(answer))
				break;
		}
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	c.to = to[1];
	c.from = from[0];
	return c;
}

static double child_ask(struct child *c, enum command command, uint32_t count)
{
	struct request q = { .command = command, .count = count };
	double answer;

	if (write(c->to, &q, sizeof(q)) != sizeof(q) ||
	    read(c->from, &answer, sizeof(answer)) != sizeof(answer))
		die("the child does not answer", EPIPE);
	return answer;
}

static void child_end(struct child *c)
{
	close(c->to);
	close(c->from);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* --- the floor: empty programs ---------------------------------------------------------------------- */

static int load_empty(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty", "GPL", code, ARRAY_SIZE(code),
			       &options);

	return fd < 0 ? -errno : fd;
}

/* File offset of libc's function, probe placed as seep places it. */
static unsigned long point_of(const char *name, bool skips_null, char *path, size_t path_bytes)
{
	uint8_t *code = dlsym(RTLD_DEFAULT, name);
	struct mapping *maps = NULL;
	unsigned long offset = 0;
	size_t n = 0;
	int r;

	r = procfs_exec_mappings("/proc", getpid(), &maps, &n);
	if (r < 0)
		die("reading own mappings", r);
	for (size_t i = 0; i < n; i++) {
		if ((uintptr_t)code < maps[i].start || (uintptr_t)code >= maps[i].end)
			continue;
		offset = (uintptr_t)code - maps[i].start + maps[i].offset +
			 placement_find(code, 64, skips_null);
		snprintf(path, path_bytes, "%s", maps[i].path);
	}
	mappings_free(maps, n);
	return offset;
}

struct floor_links {
	int program;
	int links[3];
};

static struct floor_links floor_attach(pid_t pid)
{
	struct floor_links f;
	unsigned long alloc, release;
	char path[512];

	alloc = point_of("malloc", false, path, sizeof(path));
	release = point_of("free", true, path, sizeof(path));
	f.program = load_empty();
	if (f.program < 0)
		die("loading the empty program (uprobe_multi, kernel 6.6)", f.program);
	f.links[0] = link_create_multi(f.program, path, &release, NULL, 1, false, pid);
	f.links[1] = link_create_multi(f.program, path, &alloc, NULL, 1, true, pid);
	f.links[2] = link_create_multi(f.program, path, &alloc, NULL, 1, false, pid);
	for (int i = 0; i < 3; i++)
		if (f.links[i] < 0)
			die("setting an empty probe", f.links[i]);
	return f;
}

static void floor_detach(struct floor_links *f)
{
	for (int i = 0; i < 3; i++)
		close(f->links[i]);
	close(f->program);
}

/* --- seep ------------------------------------------------------------------------------------------- */

struct watcher {
	struct event_base *base;
	struct monitor *monitor;
};

static struct watcher watcher_open(uint32_t max_blocks)
{
	struct monitor_options options = { .max_blocks = max_blocks, .tick_ns = 3600000000000ull };
	struct watcher w = { .base = event_base_new() };
	const char *why = NULL;
	int r;

	if (!w.base)
		die("event loop", ENOMEM);
	r = monitor_new(w.base, &options, &w.monitor, &why);
	if (r < 0) {
		fprintf(stderr, "bench: %s\n", why ? why : strerror(-r));
		exit(1);
	}
	return w;
}

static void watcher_close(struct watcher *w)
{
	monitor_free(w->monitor);
	event_base_free(w->base);
}

static void watcher_track(struct watcher *w, pid_t pid)
{
	struct target **targets = NULL;
	struct selector *selector;
	char text[16];
	size_t n = 0;
	int r;

	snprintf(text, sizeof(text), "%d", (int)pid);
	r = selector_parse(text, &selector, NULL);
	if (r == 0)
		r = monitor_track(w->monitor, selector, false, &targets, &n);
	if (r < 0 || n != 1)
		die("tracking the child", r < 0 ? r : ESRCH);
	while (targets[0]->state == TARGET_ATTACHING)
		event_base_loop(w->base, EVLOOP_ONCE);
	if (targets[0]->state != TARGET_TRACED)
		die(targets[0]->error ? targets[0]->error : "the child is not traced", EIO);
	free(targets);
}

static void watcher_untrack(struct watcher *w, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	if (monitor_untrack(w->monitor, text) < 0)
		die("untracking the child", ENOENT);
}

/* --- tables ------------------------------------------------------------------------------------------- */

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(values[0]), compare_doubles);
	return values[n / 2];
}

static void bench_pairs(void)
{
	double bare[ROUNDS], floor_ns[ROUNDS], seep[ROUNDS];
	struct watcher w = watcher_open(1u << 20);
	struct child c = child_start();
	struct floor_links f;
	double b, e, s;

	for (int i = 0; i < ROUNDS; i++) {
		bare[i] = child_ask(&c, COMMAND_PAIRS, 100 * PAIRS);
		f = floor_attach(c.pid);
		floor_ns[i] = child_ask(&c, COMMAND_PAIRS, PAIRS);
		floor_detach(&f);
		watcher_track(&w, c.pid);
		seep[i] = child_ask(&c, COMMAND_PAIRS, PAIRS);
		watcher_untrack(&w, c.pid);
	}
	b = median(bare, ROUNDS);
	e = median(floor_ns, ROUNDS);
	s = median(seep, ROUNDS);
	printf("one malloc/free pair, median of %d interleaved rounds\n", ROUNDS);
	printf("  %-34s %8.0f ns\n", "unprobed", b);
	printf("  %-34s %8.0f ns\n", "empty probes (the floor)", e);
	printf("  %-34s %8.0f ns   %.2f times the floor\n", "seep, every block, whole stacks", s,
	       s / e);
	child_end(&c);
	watcher_close(&w);
}

#define SHALLOW 3
#define DEEP	43 /* with start-up code still below the default limit of 48 frames */

static void bench_frames(void)
{
	double shallow[ROUNDS], deep[ROUNDS];
	struct watcher w = watcher_open(1u << 20);
	struct child c = child_start();
	double s, d;

	watcher_track(&w, c.pid);
	for (int i = 0; i < ROUNDS; i++) {
		shallow[i] = child_ask(&c, COMMAND_DEEP, SHALLOW);
		deep[i] = child_ask(&c, COMMAND_DEEP, DEEP);
	}
	s = median(shallow, ROUNDS);
	d = median(deep, ROUNDS);
	printf("\none frame more on the stack, hot (pairs below %d and %d frames)\n", SHALLOW,
	       DEEP);
	printf("  %-34s %8.0f ns\n", "unwinding a frame", (d - s) / (DEEP - SHALLOW));
	child_end(&c);
	watcher_close(&w);
}

/* Executable segments, in MB. */
static double text_of(int fd)
{
	struct image *image = NULL;
	uint64_t bytes = 0;

	if (image_open(dup(fd), &image) < 0)
		return 0;
	for (size_t i = 0; i < image->n_segments; i++)
		bytes += image->segments[i].executable ? image->segments[i].size : 0;
	image_free(image);
	return (double)bytes / (1 << 20);
}

static void bench_table(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct unwind_table *table = NULL;
	double times[ROUNDS], text_mb = text_of(fd), table_mb = 0;
	uint32_t rows = 0;

	if (fd < 0)
		return;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = now_ns();

		if (unwind_table_compile(fd, &table) < 0)
			return;
		times[i] = (double)(now_ns() - start) / 1e6;
		rows = table->n_rows;
		table_mb = (double)(table->n_rows * sizeof(struct unwind_row) +
				    (table->n_buckets + 1) * sizeof(uint32_t)) /
			   (1 << 20);
		unwind_table_free(table);
	}
	printf("  %-40s %5.2f MB %7u rows %6.1f ms %6.3f MB per MB\n", path, text_mb, rows,
	       median(times, ROUNDS), table_mb / text_mb);
}

static void bench_tables(void)
{
	static const char *const files[] = {
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
		"/usr/bin/python3.11",
	};

	printf("\nunwind tables: text, rows, time to compile, size\n");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		bench_table(files[i]);
}

static double tick_ms(struct watcher *w)
{
	double times[ROUNDS];
	struct monitor_info info;

	for (int i = 0; i < ROUNDS; i++) {
		if (monitor_tick(w->monitor) < 0)
			die("tick", EIO);
		monitor_get_info(w->monitor, &info);
		times[i] = (double)info.last_tick_ns / 1e6;
	}
	return median(times, ROUNDS);
}

/* Bytes that the kernel accounts to this process's maps (fdinfo, kernel 6.4 and later exact). */
static double map_megabytes(void)
{
	double bytes = 0;

	for (int fd = 0; fd < 256; fd++) {
		char path[64], line[128];
		_cleanup_fclose_ FILE *f = NULL;
		unsigned long long value;
		bool is_map = false;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			if (strncmp(line, "map_type:", 9) == 0)
				is_map = true;
			else if (is_map && sscanf(line, "memlock: %llu", &value) == 1)
				bytes += (double)value;
		}
	}
	return bytes / (1 << 20);
}

static void bench_ticks(void)
{
	static const uint32_t counts[] = { 10, 1000, 10000 };
	struct watcher w = watcher_open(2u << 20);
	struct child c = child_start();
	double empty_mb = map_megabytes();
	struct monitor_info info;
	uint32_t done = 0;

	watcher_track(&w, c.pid);
	printf("\ntime of a tick\n");
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		child_ask(&c, COMMAND_SITES, counts[i]);
		done += counts[i];
		(void)monitor_tick(w.monitor);
		monitor_get_info(w.monitor, &info);
		printf("  %6llu sites, %8llu live blocks %8.2f ms\n",
		       (unsigned long long)info.sites, (unsigned long long)info.live_blocks,
		       tick_ms(&w));
	}
	child_ask(&c, COMMAND_BLOCKS, MILLION);
	(void)monitor_tick(w.monitor);
	monitor_get_info(w.monitor, &info);
	printf("  %6llu sites, %8llu live blocks %8.2f ms\n", (unsigned long long)info.sites,
	       (unsigned long long)info.live_blocks, tick_ms(&w));
	printf("\nmemory of the maps\n");
	printf("  %-34s %8.1f MB\n", "idle", empty_mb);
	printf("  %8u live blocks, %6u sites    %8.1f MB\n", MILLION + done, (unsigned)info.sites,
	       map_megabytes());
	child_end(&c);
	watcher_close(&w);
}

int main(void)
{
	struct utsname u;

	log_set_level(LOG_WARNING);
	if (uname(&u) == 0)
		printf("Linux %s, %s\n\n", u.release, u.machine);
	bench_pairs();
	bench_frames();
	bench_tables();
	bench_ticks();
	return 0;
}
