// SPDX-License-Identifier: GPL-2.0-or-later
/* The cgroup of a process: its path, the names in it, and the memory limit. See procfs.h. */
#include "target/procfs.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "target/read.h"

/* Paths are at most PATH_MAX long and there are a dozen hierarchies. */
#define CGROUP_MAX  (64 * PATH_MAX)
#define LIMIT_MAX   64
#define MEMINFO_MAX 65536

#define CONTAINER_DIGITS 64

/* cgroup v1 writes the largest multiple of a page below 2^63 for "no limit". */
#define V1_NO_LIMIT (1ull << 62)

/* A line of /proc/pid/cgroup: "4:memory:/path". */
struct hierarchy {
	const char *controllers; /* comma-separated; empty for the unified hierarchy */
	size_t controllers_n;
	char *path;
};

/* Splits off the first line of *text. False at the end; lines that are none are passed over. */
static bool next_hierarchy(char **text, struct hierarchy *ret)
{
	while (**text) {
		char *line = *text;
		size_t n = strcspn(line, "\n");
		char *first, *second;

		*text = line + n + (line[n] == '\n');
		line[n] = '\0';
		first = strchr(line, ':');
		second = first ? strchr(first + 1, ':') : NULL;
		if (!second || second[1] != '/')
			continue;
		ret->controllers = first + 1;
		ret->controllers_n = (size_t)(second - first - 1);
		ret->path = second + 1;
		return true;
	}
	return false;
}

static bool has_controller(const struct hierarchy *h, const char *name)
{
	const char *p = h->controllers;
	const char *end = p + h->controllers_n;
	size_t length = strlen(name);

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;

		if ((size_t)(stop - p) == length && memcmp(p, name, length) == 0)
			return true;
		p = stop + 1;
	}
	return false;
}

int procfs_cgroup(const char *proc, pid_t pid, char **ret)
{
	enum {
		UNIFIED,
		SYSTEMD,
		MEMORY,
		KINDS
	};
	_cleanup_free_ char *text = NULL;
	const char *paths[KINDS] = { NULL };
	const char *best = NULL;
	struct hierarchy h;
	char *rest, *copy;
	size_t n;
	int r;

	r = read_proc(proc, pid, "cgroup", CGROUP_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	rest = text;
	while (next_hierarchy(&rest, &h)) {
		if (h.controllers_n == 0)
			paths[UNIFIED] = h.path;
		else if (has_controller(&h, "name=systemd"))
			paths[SYSTEMD] = h.path;
		else if (has_controller(&h, "memory"))
			paths[MEMORY] = h.path;
	}
	for (int i = KINDS - 1; i >= 0; i--)
		if (paths[i] && (!best || strcmp(paths[i], "/") != 0))
			best = paths[i];
	if (!best)
		return -EBADMSG;
	copy = strdup(best);
	if (!copy)
		return -ENOMEM;

	*ret = copy;
	return 0;
}

/* The next component of a path; NULL after the last. */
static const char *next_component(const char **state, size_t *ret_length)
{
	const char *p = *state + strspn(*state, "/");

	*ret_length = strcspn(p, "/");
	*state = p + *ret_length;
	return *ret_length ? p : NULL;
}

static bool ends_with(const char *s, size_t n, const char *suffix)
{
	size_t length = strlen(suffix);

	return n > length && memcmp(s + n - length, suffix, length) == 0;
}

const char *cgroup_next_unit(const char **state, size_t *ret_length)
{
	const char *component;
	size_t n;

	while ((component = next_component(state, &n))) {
		if (*component == '_') {
			component++;
			n--;
		}
		if (!ends_with(component, n, ".service") && !ends_with(component, n, ".scope") &&
		    !ends_with(component, n, ".slice"))
			continue;
		*ret_length = n;
		return component;
	}
	return NULL;
}

/*
 * The id in a component such as "docker-<id>.scope", "cri-containerd-<id>.scope", "<id>" or
 * "system.slice:docker:<id>": exactly 64 digits, standing alone.
 */
static const char *container_in(const char *component, size_t length)
{
	size_t digits;

	if (memmem(component, length, "conmon", strlen("conmon")))
		return NULL;
	for (size_t i = 0; i < length; i += digits + 1) {
		size_t end;

		digits = strspn(component + i, "0123456789abcdef");
		end = i + digits;
		if (digits != CONTAINER_DIGITS || (i > 0 && !strchr("-:_", component[i - 1])))
			continue;
		if (end == length || component[end] == '.' || component[end] == ':')
			return component + i;
	}
	return NULL;
}

int cgroup_names(const char *cgroup, char **ret_unit, char **ret_container)
{
	_cleanup_free_ char *unit = NULL;
	_cleanup_free_ char *container = NULL;
	const char *last_unit = NULL;
	const char *last_container = NULL;
	size_t last_unit_n = 0;
	const char *state = cgroup;
	const char *name;
	size_t n;

	while ((name = cgroup_next_unit(&state, &n))) {
		if (ends_with(name, n, ".slice"))
			continue;
		last_unit = name;
		last_unit_n = n;
	}
	state = cgroup;
	while ((name = next_component(&state, &n))) {
		const char *id = container_in(name, n);

		if (id)
			last_container = id;
	}
	if (last_unit && !(unit = strndup(last_unit, last_unit_n)))
		return -ENOMEM;
	if (last_container && !(container = strndup(last_container, CONTAINER_DIGITS)))
		return -ENOMEM;

	*ret_unit = TAKE_PTR(unit);
	*ret_container = TAKE_PTR(container);
	return 0;
}

/* False when the file holds no limit. */
static bool read_limit(const char *folder, const char *file, uint64_t *ret_bytes)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX + NAME_MAX];
	const char *p;
	size_t n;
	int r;

	r = snprintf(path, sizeof(path), "%s/%s", folder, file);
	if (r < 0 || (size_t)r >= sizeof(path))
		return false;
	if (read_file(path, LIMIT_MAX, &text, &n, NULL) < 0)
		return false;
	p = text;
	/* "max" fails here. */
	if (parse_digits(&p, 10, ret_bytes) < 0 || (*p != '\n' && *p != '\0'))
		return false;
	return *ret_bytes <= V1_NO_LIMIT;
}

/* The least limit of a cgroup and all above it, UINT64_MAX for none. */
static uint64_t least_limit(const char *mount, const char *cgroup, const char *file)
{
	char folder[2 * PATH_MAX];
	uint64_t least = UINT64_MAX;
	size_t root_n = strlen(mount);
	uint64_t limit;
	char *slash;
	int r;

	/* "/../x" is a cgroup outside of the namespace that we see. */
	if (strncmp(cgroup, "/..", 3) == 0 && (cgroup[3] == '/' || cgroup[3] == '\0'))
		return UINT64_MAX;
	r = snprintf(folder, sizeof(folder), "%s%s", mount, cgroup);
	if (r < 0 || (size_t)r >= sizeof(folder))
		return UINT64_MAX;
	for (;;) {
		if (read_limit(folder, file, &limit) && limit < least)
			least = limit;
		slash = strrchr(folder + root_n, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static uint64_t hierarchy_limit(const struct hierarchy *h, const char *cgroup_root)
{
	char mount[PATH_MAX];
	char probe[PATH_MAX + NAME_MAX];
	const char *folder = NULL;
	int r;

	if (h->controllers_n == 0) {
		/* On hosts with both versions, systemd mounts the unified one a level deeper. */
		r = snprintf(probe, sizeof(probe), "%s/unified/cgroup.controllers", cgroup_root);
		if (r < 0 || (size_t)r >= sizeof(probe))
			return UINT64_MAX;
		folder = access(probe, F_OK) == 0 ? "/unified" : "";
	} else if (has_controller(h, "memory")) {
		folder = "/memory";
	} else {
		return UINT64_MAX;
	}
	r = snprintf(mount, sizeof(mount), "%s%s", cgroup_root, folder);
	if (r < 0 || (size_t)r >= sizeof(mount))
		return UINT64_MAX;
	return least_limit(mount, h->path,
			   h->controllers_n == 0 ? "memory.max" : "memory.limit_in_bytes");
}

static int host_memory(const char *proc, uint64_t *ret_bytes)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	uint64_t kib;
	size_t n;
	int r;

	r = snprintf(path, sizeof(path), "%s/meminfo", proc);
	if (r < 0 || (size_t)r >= sizeof(path))
		return -ENAMETOOLONG;
	r = read_file(path, MEMINFO_MAX, &text, &n, NULL);
	if (r < 0)
		return r;
	r = find_number(text, "MemTotal:", &kib);
	if (r < 0)
		return r;
	return __builtin_mul_overflow(kib, (uint64_t)1024, ret_bytes) ? -EBADMSG : 0;
}

int procfs_memory_limit(const char *proc, const char *cgroup_root, pid_t pid, uint64_t *ret_bytes)
{
	_cleanup_free_ char *text = NULL;
	uint64_t least = UINT64_MAX;
	struct hierarchy h;
	uint64_t limit;
	char *rest;
	size_t n;
	int r;

	r = read_proc(proc, pid, "cgroup", CGROUP_MAX, &text, &n, NULL);
	if (r == -ESRCH)
		return r;
	/* A kernel without cgroups has no such file; the host's memory is a limit all the same. */
	rest = text;
	while (r == 0 && next_hierarchy(&rest, &h)) {
		limit = hierarchy_limit(&h, cgroup_root);
		if (limit < least)
			least = limit;
	}
	r = host_memory(proc, &limit);
	if (r == 0 && limit < least)
		least = limit;
	if (least == UINT64_MAX)
		return r < 0 ? r : -EBADMSG;

	*ret_bytes = least;
	return 0;
}
