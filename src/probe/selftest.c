// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Self-tests: whether a kind of link works is found by using it, never by a version number.
 *
 * The function below is probed in this very process and called from its thread, from a second
 * thread and from a forked child. A usable kind sees exactly the calls of this process.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#include <bpf/libbpf.h>

#include "base/log.h"
#include "probe/object.h"
#include "target/procfs.h"

#define CALLS_HERE	7
#define CALLS_IN_THREAD 5
#define CALLS_IN_CHILD	3

/* Begins with an instruction that the kernel emulates; never inlined, never merged. */
__attribute__((noinline, naked)) static void selftest_function(void)
{
	__asm__ volatile("nop\n\tret");
}

static void call(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		selftest_function();
}

static void *call_in_thread(void *userdata)
{
	(void)userdata;
	call(CALLS_IN_THREAD);
	return NULL;
}

static int call_everywhere(void)
{
	pthread_t thread;
	int status, r;
	pid_t child;

	call(CALLS_HERE);
	r = pthread_create(&thread, NULL, call_in_thread, NULL);
	if (r != 0)
		return -r;
	pthread_join(thread, NULL);
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		call(CALLS_IN_CHILD);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int selftest_own_mapping(const void *function, struct own_mapping *ret)
{
	uint64_t address = (uintptr_t)function;
	struct mapping *mappings = NULL;
	size_t n = 0;
	int r;

	r = procfs_exec_mappings("/proc", getpid(), &mappings, &n);
	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; i < n; i++) {
		const struct mapping *map = &mappings[i];

		if (address < map->start || address >= map->end)
			continue;
		*ret = (struct own_mapping){
			.start = map->start,
			.end = map->end,
			.offset = map->offset,
			.dev = (uint64_t)map->major << 20 | map->minor,
			.inode = map->inode,
		};
		r = 0;
	}
	mappings_free(mappings, n);
	return r;
}

static int own_offset(const void *function, uint64_t *ret)
{
	struct own_mapping map;
	int r = selftest_own_mapping(function, &map);

	if (r == 0)
		*ret = (uintptr_t)function - map.start + map.offset;
	return r;
}

static struct bpf_program *selftest_program(const struct seep_bpf *skel, enum probe_links_kind kind)
{
	return kind == PROBE_LINKS_SESSION ? skel->progs.selftest_session : skel->progs.selftest;
}

static int load_selftest(enum probe_links_kind kind, bool legacy, struct seep_bpf **ret)
{
	struct bpf_program *prog;
	struct seep_bpf *skel;
	int r;

	skel = object_open(legacy);
	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == selftest_program(skel, kind));
	object_set_links(selftest_program(skel, kind), kind);
	skel->bss->selftest_tgid = (uint32_t)getpid();
	r = seep_bpf__load(skel);
	if (r < 0) {
		seep_bpf__destroy(skel);
		return r;
	}
	*ret = skel;
	return 0;
}

/* Of session links every second call's return is asked for. */
static bool saw_all(const struct seep_bpf *skel, enum probe_links_kind kind)
{
	const uint64_t calls = CALLS_HERE + CALLS_IN_THREAD;
	uint64_t returns = kind == PROBE_LINKS_SESSION ? (calls + 1) / 2 : 0;

	if (skel->bss->selftest_hits == calls && skel->bss->selftest_returns == returns &&
	    skel->bss->selftest_wrong_hits == 0)
		return true;
	log_debug("%s links saw %llu of %llu calls, %llu of %llu returns, and %llu calls of other "
		  "processes",
		  probe_links_name(kind), (unsigned long long)skel->bss->selftest_hits,
		  (unsigned long long)calls, (unsigned long long)skel->bss->selftest_returns,
		  (unsigned long long)returns, (unsigned long long)skel->bss->selftest_wrong_hits);
	return false;
}

int selftest_links(enum probe_links_kind kind, bool legacy)
{
	struct seep_bpf *skel = NULL;
	uint64_t offset = 0;
	int r, fd;

	/* Kernels that need the other programs are older than sessions. */
	if (legacy && kind == PROBE_LINKS_SESSION)
		return -EOPNOTSUPP;
	r = own_offset(selftest_function, &offset);
	if (r < 0)
		return r;
	r = load_selftest(kind, legacy, &skel);
	if (r < 0)
		return r;
	fd = bpf_program__fd(selftest_program(skel, kind));
	if (kind != PROBE_LINKS_PERF)
		fd = link_create_multi(kind, fd, "/proc/self/exe", (unsigned long[]){ offset },
				       NULL, 1, false, getpid());
	else
		fd = link_create_perf(fd, "/proc/self/exe", offset, false, getpid());
	if (fd < 0) {
		seep_bpf__destroy(skel);
		return fd;
	}
	r = call_everywhere();
	if (r == 0 && !saw_all(skel, kind))
		r = -EOPNOTSUPP;
	close_fd(fd);
	seep_bpf__destroy(skel);
	return r;
}
