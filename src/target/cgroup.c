// SPDX-License-Identifier: GPL-2.0-or-later
/* The cgroup of a process: its path, and the names in it. See procfs.h and hierarchy.h. */
#include "target/procfs.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "target/hierarchy.h"
#include "target/read.h"

#define CONTAINER_DIGITS 64

bool hierarchy_next(char **text, struct hierarchy *ret)
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

bool hierarchy_has(const struct hierarchy *h, const char *controller)
{
	const char *p = h->controllers;
	const char *end = p + h->controllers_n;
	size_t length = strlen(controller);

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *stop = comma ? comma : end;

		if ((size_t)(stop - p) == length && memcmp(p, controller, length) == 0)
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
	while (hierarchy_next(&rest, &h)) {
		if (h.controllers_n == 0)
			paths[UNIFIED] = h.path;
		else if (hierarchy_has(&h, "name=systemd"))
			paths[SYSTEMD] = h.path;
		else if (hierarchy_has(&h, "memory"))
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
