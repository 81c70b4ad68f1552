// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a hit costs here: a child calls functions of this program that are probed as a target's are. It
 * stays, and its probes with it, so that to measure again costs a millisecond.
 *
 * The functions allocate nothing: the "block" that they return is the size that they were asked for.
 */
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <fcntl.h>
#include <malloc.h>

#include "base/log.h"
#include "base/parse.h"
#include "elf/placement.h"
#include "probe/object.h"

/*
 * So few calls take less than a time slice, so that most rounds are not interrupted: of all rounds the
 * median counts. All rounds of a measurement that is one of many take a millisecond (build machine).
 */
#define CALLS	      40u
#define CALLS_STEPPED 4u
#define ROUNDS	      5u
#define FIRST_ROUNDS  75u
#define BATCH	      100u
#define CODE_BYTES    512u	   /* that are looked at for a place */
#define WINDOW_NS     300000000ull /* longer than setting and removing probes takes */
#define WINDOW_TRIES  3
#define WINDOW_PRICE  40e6 /* when none of them tells: as under load here */

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
	MEASUREMENTS
};

/* For the child. */
struct order {
	uint32_t
		rounds; /* of each measurement; 0: only what is lost while probes are set and removed */
};

struct outcome {
	double ns[MEASUREMENTS]; /* per call, or pair */
	double lost_ns;
	double ran_ratio; /* share of that time in which it did not wait for a processor */
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

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* ns per call. Blocks of the interval's size are always taken, others as good as never. */
static double time_calls(enum measurement which, uint32_t rounds)
{
	static const call_fn functions[] = {
		[MEASURE_SKIP] = (call_fn)emulated_alloc,
		[MEASURE_FOLLOW] = (call_fn)followed_alloc,
		[MEASURE_STEP] = (call_fn)stepped_alloc,
		[MEASURE_FREE] = (call_fn)emulated_free,
		[MEASURE_PAIR] = (call_fn)emulated_alloc,
	};
	uint64_t size = which == MEASURE_PAIR ? SAMPLING_INTERVAL_MAX : 1;
	uint32_t calls = which == MEASURE_STEP ? CALLS_STEPPED : CALLS;
	double ns[FIRST_ROUNDS];

	for (uint32_t round = 0; round < rounds; round++) {
		uint64_t start = now_ns();

		for (uint32_t i = 0; i < calls; i++) {
			(void)functions[which](size);
			if (which == MEASURE_PAIR)
				(void)functions[MEASURE_FREE](size);
		}
		ns[round] = (double)(now_ns() - start) / calls;
	}
	qsort(ns, rounds, sizeof(ns[0]), compare_doubles);
	return ns[rounds / 2];
}

/* How long this thread could have run but did not, as others did. 0 if the kernel does not tell. */
static uint64_t waited_ns(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/thread-self/schedstat", "re");
	char line[64], *run, *waited, *rest = NULL;
	uint64_t ns;

	if (!f || !fgets(line, sizeof(line), f))
		return 0;
	run = strtok_r(line, " ", &rest);
	waited = run ? strtok_r(NULL, " ", &rest) : NULL;
	return waited && parse_u64(waited, &ns) == 0 ? ns : 0;
}

/* How much longer than usual as many calls took in WINDOW_NS as were made. */
static void time_window(struct outcome *ret)
{
	uint64_t waited = waited_ns(), start = now_ns(), best = UINT64_MAX, calls = 0;
	double elapsed, ran;

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
	elapsed = (double)(now_ns() - start);
	ran = elapsed - (double)(waited_ns() - waited);
	ret->lost_ns = ran - (double)(calls * best);
	ret->ran_ratio = ran / elapsed;
}

/* Measures what it is asked until the other side is gone. */
__attribute__((noreturn)) static void run_child(int socket)
{
	struct outcome outcome = { 0 };
	struct order order;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "seep-prices");
	while (recv(socket, &order, sizeof(order), 0) == sizeof(order) &&
	       order.rounds <= FIRST_ROUNDS) {
		if (order.rounds == 0)
			time_window(&outcome);
		for (int i = 0; i < MEASUREMENTS && order.rounds > 0; i++)
			outcome.ns[i] = time_calls((enum measurement)i, order.rounds);
		if (send(socket, &outcome, sizeof(outcome), MSG_NOSIGNAL) != sizeof(outcome))
			break;
	}
	_exit(0);
}

struct calibration {
	struct probe *probe;	   /* borrowed */
	struct probe_links *links; /* owned */
	pid_t pid;
	int socket; /* owned */
	uint32_t target;
	bool is_asked; /* and has not answered yet */
	struct own_mapping map;
};

static int start_child(struct calibration *c)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	c->pid = fork();
	if (c->pid == 0) {
		/* Nothing of the parent's shall stay open here. */
		if (dup2(fds[1], STDIN_FILENO) < 0 ||
		    syscall(SYS_close_range, STDIN_FILENO + 1, ~0u, 0) < 0)
			_exit(1);
		run_child(STDIN_FILENO);
	}
	close_fd(fds[1]);
	c->socket = fds[0];
	return c->pid < 0 ? -EAGAIN : 0;
}

struct calibration *calibration_free(struct calibration *c)
{
	if (!c)
		return NULL;
	close_fd(c->socket);
	while (c->pid > 0 && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	probe_links_free(c->links);
	if (c->target) {
		(void)probe_disarm(c->probe, c->pid, c->target);
		if (probe_purge_start(c->probe, c->target) < 0)
			log_debug("failed to forget the calibration, ignoring");
		while (probe_purge_step(c->probe) > 0)
			continue;
	}
	free(c);
	return NULL;
}
DEFINE_CLEANUP(struct calibration *, calibration_free)

bool calibration_has(const struct calibration *c, pid_t tgid, uint32_t target)
{
	return c && (c->pid == tgid || c->target == target);
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
static int set_library_probes(struct calibration *c, struct probe_links **ret)
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
	return probe_attach(c->probe, c->target, c->pid, fd, points, ARRAY_SIZE(points), ret);
}

static int prepare(struct calibration *c)
{
	const struct target_control control = {
		.mode = CONTROL_SAMPLED,
		.interval = SAMPLING_INTERVAL_MAX,
	};
	int r;

	r = selftest_own_mapping(emulated_alloc, &c->map);
	if (r == 0)
		r = start_child(c);
	if (r == 0)
		r = probe_new_target(c->probe, &c->target);
	if (r == 0)
		r = probe_set_control(c->probe, c->target, &control);
	if (r == 0)
		r = publish_mapping(c, &c->map);
	if (r == 0)
		r = probe_arm(c->probe, c->pid, c->target, 0, 0);
	return r < 0 ? r : set_probes(c, &c->map);
}

static int ask(struct calibration *c, uint32_t rounds)
{
	const struct order order = { .rounds = rounds };

	if (send(c->socket, &order, sizeof(order), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(order))
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	return 0;
}

static int hear(struct calibration *c, int flags, struct outcome *ret)
{
	ssize_t n;

	do
		n = recv(c->socket, ret, sizeof(*ret), flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	return n == sizeof(*ret) ? 0 : -EPIPE;
}

static double above(double value, double base)
{
	return value > base ? value - base : 0;
}

static void take_prices(const struct outcome *o, struct probe_prices *ret)
{
	ret->skip_ns = o->ns[MEASURE_SKIP];
	ret->return_ns = above(o->ns[MEASURE_FOLLOW], o->ns[MEASURE_SKIP]);
	ret->block_ns = above(o->ns[MEASURE_PAIR], o->ns[MEASURE_FOLLOW] + o->ns[MEASURE_FREE]);
	ret->free_ns = o->ns[MEASURE_FREE];
	ret->step_ns = above(o->ns[MEASURE_STEP], o->ns[MEASURE_SKIP]);
}

/* Sets and removes the probes while the child hits them: what it lost beyond the price of its hits. */
static int measure_window(struct calibration *c, struct probe_prices *prices)
{
	struct probe_links *links = NULL;
	struct target_meter before, after;
	struct outcome outcome;
	double lost_ns;
	int r;

	r = probe_read_meter(c->probe, c->target, &before);
	if (r == 0)
		r = ask(c, 0);
	if (r < 0)
		return r;
	r = set_library_probes(c, &links);
	probe_links_free(links);
	if (hear(c, 0, &outcome) < 0)
		return -EPIPE;
	if (r == 0)
		r = probe_read_meter(c->probe, c->target, &after);
	if (r < 0)
		return r;
	lost_ns = above(outcome.lost_ns,
			(double)(after.allocations - before.allocations) * prices->skip_ns +
				(double)(after.frees - before.frees) * prices->free_ns);
	/* While it waited for a processor it had nothing to lose: that is reckoned from the rest. */
	prices->window_ns = outcome.ran_ratio > 0 ? lost_ns / outcome.ran_ratio : 0;
	return 0;
}

/* A child that got hardly any time of a busy machine has lost nothing that could be told. */
static int price_window(struct calibration *c, struct probe_prices *prices)
{
	for (int i = 0; i < WINDOW_TRIES; i++) {
		int r = measure_window(c, prices);

		if (r < 0 || prices->window_ns > 0)
			return r;
	}
	log_info("the machine is too busy to time probes: a window is assumed to cost %.0f ms",
		 WINDOW_PRICE / 1e6);
	prices->window_ns = WINDOW_PRICE;
	return 0;
}

int probe_calibrate(struct probe *p, struct probe_prices *ret)
{
	_cleanup_(calibration_freep) struct calibration *c = calloc(1, sizeof(*c));
	struct probe_prices prices = { 0 };
	struct outcome outcome;
	int r;

	if (!c)
		return -ENOMEM;
	c->probe = p;
	c->socket = -EBADF;
	r = prepare(c);
	if (r == 0)
		r = ask(c, FIRST_ROUNDS);
	if (r == 0)
		r = hear(c, 0, &outcome);
	if (r < 0)
		return r;
	take_prices(&outcome, &prices);
	r = price_window(c, &prices);
	if (r < 0)
		return r;
	log_debug("a hit costs: not followed %.0f ns, followed %.0f more, block taken %.0f more, "
		  "free %.0f, single-stepped %.0f more, a window %.0f",
		  prices.skip_ns, prices.return_ns, prices.block_ns, prices.free_ns, prices.step_ns,
		  prices.window_ns);
	p->calibration = calibration_free(p->calibration);
	p->calibration = TAKE_PTR(c);
	*ret = prices;
	return 0;
}

int probe_ask_prices(struct probe *p)
{
	struct calibration *c = p->calibration;
	int r;

	if (!c)
		return -EPIPE;
	if (c->is_asked)
		return -EAGAIN;
	r = ask(c, ROUNDS);
	c->is_asked = r == 0;
	return r;
}

int probe_prices_fd(const struct probe *p)
{
	return p->calibration ? p->calibration->socket : -EBADF;
}

int probe_read_prices(struct probe *p, struct probe_prices *ret)
{
	struct calibration *c = p->calibration;
	struct outcome outcome;
	int r;

	r = c ? hear(c, MSG_DONTWAIT, &outcome) : -EPIPE;
	if (r == -EPIPE)
		p->calibration = calibration_free(c);
	if (r < 0)
		return r;
	c->is_asked = false;
	take_prices(&outcome, ret);
	return 0;
}
