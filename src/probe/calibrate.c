// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a hit costs here: a child calls functions of this program that are probed as a target's are.
 *
 * They allocate nothing: the "block" that they return is the size that they were asked for.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <fcntl.h>
#include <malloc.h>

#include "base/log.h"
#include "elf/placement.h"
#include "probe/object.h"

#define ROUNDS	      3 /* of each measurement; the best counts, the others met something else */
#define CALLS	      1000u
#define CALLS_STEPPED 200u
#define BATCH	      100u
#define CODE_BYTES    512u	   /* that are looked at for a place */
#define WINDOW_NS     300000000ull /* longer than setting and removing probes takes */

#define FUNCTION __attribute__((noinline, naked)) static void

/* push is emulated; test is not. */
FUNCTION emulated_alloc(void)
{
	__asm__ volatile("push %rbp\n\tpop %rbp\n\tmov %rdi, %rax\n\tret");
}

FUNCTION followed_alloc(void)
{
	__asm__ volatile("push %rbp\n\tpop %rbp\n\tmov %rdi, %rax\n\tret");
}

FUNCTION stepped_alloc(void)
{
	__asm__ volatile("test %rdi, %rdi\n\tmov %rdi, %rax\n\tret");
}

FUNCTION emulated_free(void)
{
	__asm__ volatile("push %rbp\n\tpop %rbp\n\tret");
}

typedef uint64_t (*call_fn)(uint64_t);

enum measurement {
	MEASURE_SKIP,
	MEASURE_FOLLOW,
	MEASURE_STEP,
	MEASURE_FREE,
	MEASURE_PAIR, /* a block is taken, and freed */
	MEASUREMENTS,
	MEASURE_WINDOW = MEASUREMENTS /* while probes are set and removed: ns that were lost */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void call_library(void)
{
	static void *volatile sink;

	sink = malloc(100);
	free(sink);
}

/* ns per call */
static double time_calls(enum measurement which)
{
	static const call_fn allocs[] = {
		[MEASURE_SKIP] = (call_fn)emulated_alloc,
		[MEASURE_FOLLOW] = (call_fn)followed_alloc,
		[MEASURE_STEP] = (call_fn)stepped_alloc,
		[MEASURE_FREE] = (call_fn)emulated_free,
		[MEASURE_PAIR] = (call_fn)emulated_alloc,
	};
	call_fn first = allocs[which];
	call_fn second = which == MEASURE_PAIR ? (call_fn)emulated_free : NULL;
	uint32_t calls = which == MEASURE_STEP ? CALLS_STEPPED : CALLS;
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();
		double ns;

		for (uint32_t i = 1; i <= calls; i++) {
			(void)first(i);
			if (second)
				(void)second(i);
		}
		ns = (double)(now_ns() - start) / calls;
		if (round == 0 || ns < best)
			best = ns;
	}
	return best;
}

/* How much longer than usual as many calls took in WINDOW_NS as were made. */
static double time_window(void)
{
	uint64_t start = now_ns(), best = UINT64_MAX, calls = 0;

	while (now_ns() - start < WINDOW_NS) {
		uint64_t before = now_ns(), after;

		for (uint32_t i = 1; i <= BATCH; i++) {
			call_library();
		}
		after = now_ns() - before;
		if (after < best)
			best = after;
		calls++;
	}
	return (double)(now_ns() - start) - (double)(calls * best);
}

/* Measures what it is asked until the other side is gone. */
__attribute__((noreturn)) static void run_child(int socket)
{
	uint32_t which;
	double ns;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (recv(socket, &which, sizeof(which), 0) == sizeof(which) && which <= MEASUREMENTS) {
		ns = which == MEASURE_WINDOW ? time_window() : time_calls((enum measurement)which);
		if (send(socket, &ns, sizeof(ns), MSG_NOSIGNAL) != sizeof(ns))
			break;
	}
	_exit(0);
}

struct calibration {
	struct probe *probe;
	struct probe_links *links;
	struct probe_links *library_links;
	pid_t pid;
	int socket;
	uint32_t target;
	struct own_mapping map;
};

static int start_child(struct calibration *c)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	c->pid = fork();
	if (c->pid == 0) {
		close_fd(fds[0]);
		run_child(fds[1]);
	}
	close_fd(fds[1]);
	c->socket = fds[0];
	return c->pid < 0 ? -EAGAIN : 0;
}

static void calibration_done(struct calibration *c)
{
	close_fd(c->socket);
	while (c->pid > 0 && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	probe_links_free(c->links);
	probe_links_free(c->library_links);
	if (!c->target)
		return;
	(void)probe_disarm(c->probe, c->pid, c->target);
	if (probe_purge_start(c->probe, c->target) < 0)
		log_debug("failed to forget the calibration, ignoring");
	while (probe_purge_step(c->probe) > 0)
		continue;
}

static int set_probes(struct calibration *c, const struct own_mapping *map)
{
	const struct {
		const void *function;
		enum hook_kind kind;
		bool calls_hooks;
	} functions[] = {
		{ emulated_alloc, HOOK_MALLOC, false },
		{ followed_alloc, HOOK_MALLOC, true },
		{ stepped_alloc, HOOK_MALLOC, false },
		{ emulated_free, HOOK_FREE, false },
	};
	struct probe_point points[ARRAY_SIZE(functions)] = { 0 };
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		points[i].offset = (uintptr_t)functions[i].function - map->start + map->offset;
		points[i].kind = functions[i].kind;
		points[i].calls_hooks = functions[i].calls_hooks;
	}
	return probe_attach(c->probe, c->target, c->pid, fd, points, ARRAY_SIZE(points), &c->links);
}

/* The child's only mapping that matters: a stack there has one frame, without a table. */
static int publish_mapping(struct calibration *c, const struct own_mapping *map)
{
	struct probe_mapping mapping = {
		.start = map->start,
		.end = map->end,
		.offset = map->offset,
	};
	int r = probe_file_slot(c->probe, map->dev, map->inode, &mapping.slot);

	return r < 0 ? r : probe_publish_mappings(c->probe, c->target, &mapping, 1);
}

/* Where a function of a library that is mapped here is best probed. */
static int library_point(const void *function, bool is_free, struct own_mapping *map,
			 struct probe_point *ret)
{
	uint64_t address = (uintptr_t)function;
	int r = selftest_own_mapping(function, map);

	if (r < 0)
		return r;
	*ret = (struct probe_point){
		.offset = address - map->start + map->offset +
			  placement_find(function,
					 map->end - address < CODE_BYTES ? map->end - address :
									   CODE_BYTES,
					 is_free),
		.kind = is_free ? HOOK_FREE : HOOK_MALLOC,
	};
	return 0;
}

/* All that a target's are set on, though only malloc and free are called. */
static int set_library_probes(struct calibration *c)
{
	const void *const functions[] = {
		(const void *)malloc,	      (const void *)free,	   (const void *)calloc,
		(const void *)realloc,	      (const void *)reallocarray,  (const void *)memalign,
		(const void *)posix_memalign, (const void *)aligned_alloc, (const void *)valloc,
		(const void *)pvalloc,
	};
	struct probe_point points[ARRAY_SIZE(functions)] = { 0 };
	_cleanup_close_ int fd = -EBADF;
	struct own_mapping map;
	char path[64];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(functions) && r == 0; i++)
		r = library_point(functions[i], functions[i] == (const void *)free, &map,
				  &points[i]);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)map.start,
		       (unsigned long)map.end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return probe_attach(c->probe, c->target, c->pid, fd, points, ARRAY_SIZE(points),
			    &c->library_links);
}

static int prepare(struct calibration *c)
{
	int r;

	r = selftest_own_mapping(emulated_alloc, &c->map);
	if (r == 0)
		r = start_child(c);
	if (r == 0)
		r = probe_new_target(c->probe, &c->target);
	if (r == 0)
		r = publish_mapping(c, &c->map);
	if (r == 0)
		r = probe_arm(c->probe, c->pid, c->target, 0, 0);
	return r < 0 ? r : set_probes(c, &c->map);
}

static int measure(struct calibration *c, enum measurement which, double *ret)
{
	struct target_control control = {
		.mode = which == MEASURE_PAIR ? CONTROL_EXACT : CONTROL_SAMPLED,
		.interval = SAMPLING_INTERVAL_MAX,
	};
	uint32_t asked = which;
	int r;

	r = probe_set_control(c->probe, c->target, &control);
	if (r < 0)
		return r;
	if (send(c->socket, &asked, sizeof(asked), MSG_NOSIGNAL) != sizeof(asked))
		return -errno;
	if (recv(c->socket, ret, sizeof(*ret), 0) != sizeof(*ret))
		return -EPIPE;
	return 0;
}

static double above(double value, double base)
{
	return value > base ? value - base : 0;
}

/* Sets and removes the probes while the child hits them: what it lost beyond the price of its hits. */
static int measure_window(struct calibration *c, const struct probe_prices *prices, double *ret)
{
	const uint32_t asked = MEASURE_WINDOW;
	struct target_meter before, after;
	double lost = 0;
	int r;

	r = probe_read_meter(c->probe, c->target, &before);
	if (r < 0)
		return r;
	if (send(c->socket, &asked, sizeof(asked), MSG_NOSIGNAL) != sizeof(asked))
		return -errno;
	r = set_library_probes(c);
	c->library_links = probe_links_free(c->library_links);
	if (recv(c->socket, &lost, sizeof(lost), 0) != sizeof(lost))
		return -EPIPE;
	if (r == 0)
		r = probe_read_meter(c->probe, c->target, &after);
	if (r < 0)
		return r;
	*ret = above(lost, (double)(after.allocations - before.allocations) * prices->skip_ns +
				   (double)(after.frees - before.frees) * prices->free_ns);
	return 0;
}

int probe_calibrate(struct probe *p, struct probe_prices *ret)
{
	_cleanup_(calibration_done) struct calibration c = { .probe = p, .socket = -EBADF };
	double ns[MEASUREMENTS];
	int r;

	r = prepare(&c);
	for (int i = 0; i < MEASUREMENTS && r == 0; i++)
		r = measure(&c, (enum measurement)i, &ns[i]);
	if (r < 0)
		return r;
	*ret = (struct probe_prices){
		.skip_ns = ns[MEASURE_SKIP],
		.return_ns = above(ns[MEASURE_FOLLOW], ns[MEASURE_SKIP]),
		.block_ns = above(ns[MEASURE_PAIR], ns[MEASURE_FOLLOW] + ns[MEASURE_FREE]),
		.free_ns = ns[MEASURE_FREE],
		.step_ns = above(ns[MEASURE_STEP], ns[MEASURE_SKIP]),
	};
	r = measure_window(&c, ret, &ret->window_ns);
	if (r < 0)
		return r;
	log_debug("a hit costs: not followed %.0f ns, followed %.0f more, block taken %.0f more, "
		  "free %.0f, single-stepped %.0f more, a window %.0f",
		  ret->skip_ns, ret->return_ns, ret->block_ns, ret->free_ns, ret->step_ns,
		  ret->window_ns);
	return 0;
}
