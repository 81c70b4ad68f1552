/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child under watch: probes on libc's allocator functions, and what the maps say of it.
 */
#ifndef SEEP_TESTS_WATCHED_H
#define SEEP_TESTS_WATCHED_H

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#include "elf/placement.h"
#include "probe/object.h"
#include "probe/probe.h"
#include "child.h"
#include "target/procfs.h"

/* Where this process, and so its children, has the function: file and offset of the probe. */
static inline void find_point(const char *name, enum hook_kind kind, int *fd,
			      struct probe_point *ret)
{
	uint8_t *code = dlsym(RTLD_DEFAULT, name);
	struct mapping *mappings = NULL;
	size_t n = 0;
	bool found = false;

	assert_non_null(code);
	assert_int_equal(procfs_exec_mappings("/proc", getpid(), &mappings, &n), 0);
	for (size_t i = 0; i < n && !found; i++) {
		uint64_t at = (uintptr_t)code;

		if (at < mappings[i].start || at >= mappings[i].end)
			continue;
		found = true;
		if (*fd < 0)
			*fd = open(mappings[i].path, O_RDONLY | O_CLOEXEC);
		assert_true(*fd >= 0);
		ret->offset = at - mappings[i].start + mappings[i].offset +
			      placement_find(code, 64, kind == HOOK_FREE);
		ret->kind = kind;
		/* glibc's reallocarray jumps to realloc, which jumps to malloc or calls it. */
		ret->calls_hooks = kind == HOOK_REALLOC || kind == HOOK_REALLOCARRAY;
	}
	mappings_free(mappings, n);
	assert_true(found);
}

static const struct watched_function {
	const char *name;
	enum hook_kind kind;
} functions[] = {
	{ "malloc", HOOK_MALLOC },
	{ "calloc", HOOK_CALLOC },
	{ "realloc", HOOK_REALLOC },
	{ "reallocarray", HOOK_REALLOCARRAY },
	{ "posix_memalign", HOOK_POSIX_MEMALIGN },
	{ "aligned_alloc", HOOK_ALIGNED },
	{ "memalign", HOOK_ALIGNED },
	{ "valloc", HOOK_MALLOC },
	{ "pvalloc", HOOK_MALLOC },
	{ "free", HOOK_FREE },
};

struct watched {
	struct probe *probe; /* owned, or borrowed (watch_child) */
	struct probe_links *links;
	struct child child;
	uint32_t id;
	int fd;
};

static const struct probe_options defaults = {
	.max_blocks = 1u << 16,
	.max_sites = 1u << 12,
	.max_threads = 1u << 10,
	.max_targets = 499,
	.max_frames = 48,
	.ring_bytes = 256u << 10,
};

static inline struct probe *open_probe(const struct probe_options *options)
{
	struct probe *probe = NULL;
	const char *why = NULL;
	int r;

	r = probe_new(options, &probe, &why);
	if (r < 0)
		print_error("probe_new: %s: %s\n", strerror(-r), why ? why : "");
	assert_int_equal(r, 0);
	return probe;
}

/* With links of one kind. Skips the test where there are none. */
static inline struct probe *open_with_links(enum probe_links_kind kind)
{
	struct probe_options options = defaults;

	if (selftest_links(kind, false) < 0) {
		print_message("# skip: the self-test finds no %s links that can be used\n",
			      probe_links_name(kind));
		skip();
	}
	options.force_links = probe_links_name(kind);
	return open_probe(&options);
}

/* Sets probes on the first @n functions in a process, this one's child. @id 0: it is not told whose. */
static inline struct probe_links *set_probes(struct watched *w, uint32_t id, pid_t pid, size_t n)
{
	struct probe_point points[ARRAY_SIZE(functions)] = { 0 };
	struct probe_links *links = NULL;

	for (size_t i = 0; i < n; i++)
		find_point(functions[i].name, functions[i].kind, &w->fd, &points[i]);
	assert_int_equal(probe_attach(w->probe, id, pid, w->fd, points, n, &links), 0);
	return links;
}

/* With probes on the first @n functions. */
static inline void watch_child(struct watched *w, struct probe *probe, uint32_t flags,
			       child_fn function, size_t n)
{
	*w = (struct watched){ .probe = probe, .fd = -EBADF };
	child_start(&w->child, function);
	assert_int_equal(probe_new_target(w->probe, &w->id), 0);
	w->links = set_probes(w, w->id, w->child.pid, n);
	assert_int_equal(probe_arm(w->probe, w->child.pid, w->id, flags, 0), 0);
}

static inline void unwatch_child(struct watched *w)
{
	child_end(&w->child);
	probe_links_free(w->links);
	close(w->fd);
}

static inline void forget_target(struct probe *p, uint32_t id)
{
	int r;

	assert_int_equal(probe_purge_start(p, id), 0);
	while ((r = probe_purge_step(p)) > 0)
		continue;
	assert_int_equal(r, 0);
}

/* The probe stays; of the child, nothing. */
static inline void forget_child(struct watched *w)
{
	unwatch_child(w);
	forget_target(w->probe, w->id);
}

static inline void watch_some(struct watched *w, const struct probe_options *options,
			      uint32_t flags, child_fn function, size_t n)
{
	watch_child(w, open_probe(options), flags, function, n);
}

static inline void watch(struct watched *w, const struct probe_options *options, uint32_t flags,
			 child_fn function)
{
	watch_some(w, options, flags, function, ARRAY_SIZE(functions));
}

static inline void unwatch(struct watched *w)
{
	unwatch_child(w);
	probe_free(w->probe);
}

/* The first CPU that this process may run on. */
static inline unsigned int first_cpu(void)
{
	unsigned int cpu = 0;
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	return cpu;
}

static inline void stay_on_cpu(uint64_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		abort();
}

/*
 * From here on the child's calls are taken as @control says, on one CPU: each follows a process of its
 * own, to whose seed it adds its number.
 */
static inline void control_child(struct watched *w, struct target_control control)
{
	unsigned int cpu = first_cpu();

	if (control.seed)
		control.seed = control.seed * 0x9e3779b97f4a7c15ull - cpu;
	assert_int_equal(probe_set_control(w->probe, w->id, &control), 0);
	child_ask(&w->child, stay_on_cpu, cpu);
}

struct sum {
	uint32_t target;
	unsigned int sites;
	struct site_totals totals;
};

static inline void add_sums(struct site_sums *to, const struct site_sums *sums)
{
	to->bytes += sums->bytes;
	to->count += sums->count;
	to->extra_bytes += sums->extra_bytes;
	to->extra_count += sums->extra_count;
	to->variance += sums->variance;
}

static inline int add_site(uint64_t stack, const struct site_totals *totals, void *userdata)
{
	struct sum *sum = userdata;

	(void)stack;
	if (totals->target != sum->target)
		return 0;
	sum->sites++;
	add_sums(&sum->totals.allocated, &totals->allocated);
	add_sums(&sum->totals.freed, &totals->freed);
	for (size_t i = 0; i < AGE_BINS; i++)
		sum->totals.freed_by_age[i] += totals->freed_by_age[i];
	return 0;
}

static inline struct sum sum_of(struct watched *w, uint32_t target)
{
	struct sum sum = { .target = target };

	assert_int_equal(probe_read_sites(w->probe, add_site, &sum), 0);
	return sum;
}

static inline struct target_counters counters_of(struct watched *w)
{
	struct target_counters c;

	assert_int_equal(probe_read_counters(w->probe, w->id, &c), 0);
	return c;
}

static inline void assert_nothing_lost(struct watched *w)
{
	struct target_counters c = counters_of(w);

	for (unsigned int i = 0; i < LOSS_REASONS; i++)
		assert_int_equal(c.lost[i], 0);
}

#endif
