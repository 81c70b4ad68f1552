// SPDX-License-Identifier: GPL-2.0-or-later
/* How much memory a process has, and how much it may have. See memory.h. */
#include "target/memory.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "target/hierarchy.h"
#include "target/procfs.h"
#include "target/read.h"
#include "target/target.h"

#define NUMBER_MAX	64
#define STATUS_MAX	65536
#define MEMINFO_MAX	65536
#define MEMORY_STAT_MAX 65536

/* cgroup v1 writes the largest multiple of a page below 2^63 for "no limit". */
#define V1_NO_LIMIT (1ull << 62)

/* What the two versions call the same. */
struct version {
	const char *limit;
	const char *usage;
	const char *reclaimable[3]; /* of memory.stat, children included */
};

static const struct version unified = {
	"memory.max",
	"memory.current",
	{ "inactive_file ", "active_file ", "slab_reclaimable " },
};

static const struct version v1 = {
	"memory.limit_in_bytes",
	"memory.usage_in_bytes",
	{ "total_inactive_file ", "total_active_file ", NULL },
};

const char *memory_limit_name(enum memory_limit limit)
{
	switch (limit) {
	case MEMORY_LIMIT_CGROUP:
		return "cgroup";
	case MEMORY_LIMIT_HOST:
		return "host";
	default:
		return "unknown";
	}
}

/* --- a process ------------------------------------------------------------------------------------ */

/* A line of kB. Without one (kernel threads and zombies have none) 0 bytes. */
static uint64_t find_kib(const char *text, const char *key)
{
	uint64_t kib;

	if (find_number(text, key, &kib) < 0 || kib > UINT64_MAX / 1024)
		return 0;
	return kib * 1024;
}

int memory_of_process(const char *proc, pid_t pid, struct memory *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r;

	/* statm lacks swap. Newlines in the name are escaped in this file. */
	r = read_proc(proc, pid, "status", STATUS_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	if (!strstr(text, "\nUid:"))
		return -EBADMSG;
	ret->rss_bytes = find_kib(text, "VmRSS:");
	ret->anonymous_bytes = find_kib(text, "RssAnon:");
	ret->swap_bytes = find_kib(text, "VmSwap:");
	return 0;
}

/* --- limits --------------------------------------------------------------------------------------- */

/* -EBADMSG when the file holds no number ("max"). */
static int read_number(const char *folder, const char *file, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX + NAME_MAX];
	const char *p;
	size_t n;
	int r;

	r = snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	r = read_file(path, NUMBER_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	p = text;
	if (parse_digits(&p, 10, ret) < 0 || (*p != '\n' && *p != '\0'))
		return -EBADMSG;
	return 0;
}

static int read_usage(const char *folder, const struct version *v, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX + NAME_MAX];
	uint64_t bytes;
	size_t n;
	int r;

	r = read_number(folder, v->usage, ret);
	if (r < 0)
		return r;
	r = snprintf(path, sizeof(path), "%s/memory.stat", folder);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	if (read_file(path, MEMORY_STAT_MAX, &text, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(v->reclaimable) && v->reclaimable[i]; i++) {
		if (find_number(text, v->reclaimable[i], &bytes) < 0)
			continue;
		/* Read one after the other, the files of a small group may disagree. */
		if (bytes >= *ret)
			return -EBADMSG;
		*ret -= bytes;
	}
	return 0;
}

static void take_level(struct memory *m, uint64_t limit, const uint64_t *usage,
		       enum memory_limit of)
{
	uint64_t left = 0;

	if (usage && *usage < limit)
		left = limit - *usage;
	if (usage && (!m->is_bounded || left < m->headroom_bytes)) {
		m->headroom_bytes = left;
		m->is_bounded = true;
	}
	if (m->limit_of != MEMORY_LIMIT_UNKNOWN && limit >= m->limit_bytes)
		return;
	m->limit_bytes = limit;
	m->usage_bytes = usage ? *usage : 0;
	m->limit_of = of;
}

/* A cgroup and all above it. */
static void take_cgroups(struct memory *m, const char *mount, const char *cgroup,
			 const struct version *v)
{
	char folder[2 * PATH_MAX];
	size_t root_n = strlen(mount);
	uint64_t limit, usage;
	char *slash;
	int r;

	/* "/../x" is a cgroup outside of the namespace that we see. */
	if (strncmp(cgroup, "/..", 3) == 0 && (cgroup[3] == '/' || cgroup[3] == '\0'))
		return;
	r = snprintf(folder, sizeof(folder), "%s%s", mount, cgroup);
	if (r < 0 || (size_t)r >= sizeof(folder))
		return;
	for (;;) {
		if (read_number(folder, v->limit, &limit) == 0 && limit <= V1_NO_LIMIT)
			take_level(m, limit, read_usage(folder, v, &usage) < 0 ? NULL : &usage,
				   MEMORY_LIMIT_CGROUP);
		slash = strrchr(folder + root_n, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

static void take_hierarchy(struct memory *m, const struct hierarchy *h, const char *cgroup_root)
{
	bool is_unified = h->controllers_n == 0;
	char mount[PATH_MAX];
	char probe[PATH_MAX + NAME_MAX];
	const char *folder = "/memory";
	int r;

	if (is_unified) {
		/* On hosts with both versions, systemd mounts the unified one a level deeper. */
		r = snprintf(probe, sizeof(probe), "%s/unified/cgroup.controllers", cgroup_root);
		if (r < 0 || (size_t)r >= sizeof(probe))
			return;
		folder = access(probe, F_OK) == 0 ? "/unified" : "";
	} else if (!hierarchy_has(h, "memory")) {
		return;
	}
	r = snprintf(mount, sizeof(mount), "%s%s", cgroup_root, folder);
	if (r < 0 || (size_t)r >= sizeof(mount))
		return;
	take_cgroups(m, mount, h->path, is_unified ? &unified : &v1);
}

static void take_host(struct memory *m, const char *proc)
{
	_cleanup_free_ char *text = NULL;
	uint64_t total, available, used = 0;
	char path[PATH_MAX];
	size_t n;
	int r;

	r = snprintf(path, sizeof(path), "%s/meminfo", proc);
	if (r < 0 || (size_t)r >= sizeof(path) || read_file(path, MEMINFO_MAX, &text, &n, NULL) < 0)
		return;
	total = find_kib(text, "MemTotal:");
	available = find_kib(text, "MemAvailable:");
	if (!total)
		return;
	if (available < total)
		used = total - available;
	take_level(m, total, available ? &used : NULL, MEMORY_LIMIT_HOST);
}

int memory_bounds(const char *proc, const char *cgroup_root, pid_t pid, struct memory *ret)
{
	_cleanup_free_ char *text = NULL;
	struct memory m = {
		.rss_bytes = ret->rss_bytes,
		.anonymous_bytes = ret->anonymous_bytes,
		.swap_bytes = ret->swap_bytes,
	};
	struct hierarchy h;
	char *rest;
	size_t n;
	int r;

	r = read_proc(proc, pid, "cgroup", CGROUP_MAX, &text, &n, NULL);
	if (r == -ESRCH)
		return r;
	/* A kernel without cgroups has no such file; the host's memory is a limit all the same. */
	rest = text;
	while (r == 0 && hierarchy_next(&rest, &h))
		take_hierarchy(&m, &h, cgroup_root);
	take_host(&m, proc);
	if (m.limit_of == MEMORY_LIMIT_UNKNOWN)
		return -EBADMSG;
	*ret = m;
	return 0;
}

int procfs_memory_limit(const char *proc, const char *cgroup_root, pid_t pid, uint64_t *ret_bytes)
{
	struct memory m = { 0 };
	int r;

	r = memory_bounds(proc, cgroup_root, pid, &m);
	if (r == 0)
		*ret_bytes = m.limit_bytes;
	return r;
}

int target_memory(const struct target *t, const char *proc, const char *cgroup_root,
		  struct memory *ret)
{
	struct memory m = { 0 };
	struct proc_stat stat;
	int r;

	r = memory_of_process(proc, t->pid, &m);
	if (r < 0)
		return r;
	r = memory_bounds(proc, cgroup_root, t->pid, &m);
	if (r < 0 && r != -EBADMSG)
		return r;
	/* Last: had the pid changed hands meanwhile, this would be the new one's. */
	r = procfs_stat(proc, t->pid, &stat);
	if (r < 0)
		return r;
	if (stat.start_ticks != t->start_ticks)
		return -ESRCH;
	*ret = m;
	return 0;
}
