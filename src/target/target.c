// SPDX-License-Identifier: GPL-2.0-or-later
/* A process being watched: its values, and the words for them. See target.h. */
#include "target/target.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "target/procfs.h"

static const char *const state_names[] = {
	[TARGET_ATTACHING] = "attaching",
	[TARGET_TRACED] = "traced",
	[TARGET_FAILED] = "failed",
	[TARGET_EXITED] = "exited",
};

static const char *const mode_names[] = {
	[TARGET_WATCH] = "watch",
	[TARGET_EXACT] = "exact",
	[TARGET_SAMPLED] = "sampled",
	[TARGET_WINDOWED] = "windowed",
};

static const char *const loss_names[] = {
	[LOSS_LIVE_FULL] = "live_full",
	[LOSS_SITES_FULL] = "sites_full",
	[LOSS_STACKS_FULL] = "stacks_full",
	[LOSS_THREADS_FULL] = "threads_full",
	[LOSS_MAP_BUSY] = "map_busy",
	[LOSS_MISSED_FREE] = "missed_free",
	[LOSS_MISSED_RETURN] = "missed_return",
	[LOSS_RESULT_UNREADABLE] = "result_unreadable",
	[LOSS_STACK_UNREADABLE] = "stack_unreadable",
	[LOSS_RESTORE_FAILED] = "restore_failed",
	[LOSS_NOTE] = "note",
	[LOSS_FILES_FULL] = "files_full",
	[LOSS_TARGETS_FULL] = "targets_full",
	[LOSS_PYTHON_CODE] = "python_code",
};

static const char *const status_names[] = {
	[STACK_COMPLETE] = "complete",
	[STACK_DEPTH] = "depth",
	[STACK_NO_MAPPING] = "no_mapping",
	[STACK_NO_TABLE] = "no_table",
	[STACK_NO_CFI] = "no_cfi",
	[STACK_INVALID_RULE] = "invalid_rule",
	[STACK_READ_FAULT] = "read_fault",
	[STACK_BAD_CFA] = "bad_cfa",
	[STACK_JIT] = "jit",
};

_Static_assert(ARRAY_SIZE(loss_names) == LOSS_REASONS, "a reason without a name");
_Static_assert(ARRAY_SIZE(status_names) == STACK_STATUSES, "a status without a name");

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
	return i < n && names[i] ? names[i] : "unknown";
}

const char *target_state_name(enum target_state state)
{
	return name_of(state_names, ARRAY_SIZE(state_names), state);
}

const char *target_mode_name(enum target_mode mode)
{
	return name_of(mode_names, ARRAY_SIZE(mode_names), mode);
}

const char *loss_reason_name(enum loss_reason reason)
{
	return name_of(loss_names, ARRAY_SIZE(loss_names), reason);
}

const char *stack_status_name(enum stack_status status)
{
	return name_of(status_names, ARRAY_SIZE(status_names), status);
}

/* What target_describe() replaces. */
static void free_description(struct target *t)
{
	free(t->exe);
	free(t->cmdline);
	free(t->unit);
	free(t->cgroup);
	free(t->container);
}

struct target *target_free(struct target *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_allocators; i++)
		free(t->allocators[i]);
	free(t->allocators);
	free(t->error);
	free_description(t);
	free(t);
	return NULL;
}

/* Replaces an owned string by its printable form. NULL stays NULL. */
static int sanitize(char **s)
{
	char *copy;
	int r;

	if (!*s)
		return 0;
	r = utf8_sanitize(*s, strlen(*s), &copy);
	if (r < 0)
		return r;
	free(*s);
	*s = copy;
	return 0;
}

static int describe_names(struct target *d, const char *proc, pid_t pid)
{
	char **const strings[] = { &d->exe, &d->cmdline, &d->cgroup, &d->unit };
	bool deleted;
	int r;

	/* What cannot be read is unknown; only a process that is gone, or no memory, is a failure. */
	r = procfs_exe(proc, pid, &d->exe, &deleted);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	r = procfs_cmdline(proc, pid, &d->cmdline);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	if (!d->cmdline && !(d->cmdline = strdup("")))
		return -ENOMEM;
	r = procfs_cgroup(proc, pid, &d->cgroup);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	if (d->cgroup) {
		r = cgroup_names(d->cgroup, &d->unit, &d->container);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		r = sanitize(strings[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static void describe_start(struct target *d, const char *proc)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t boot;

	if (procfs_boot_time(proc, &boot) < 0)
		return;
	d->started.tv_sec = (time_t)(boot + d->start_ticks / hz);
	d->started.tv_nsec = (long)(d->start_ticks % hz * (1000000000 / hz));
}

int target_describe(struct target *t, const char *proc)
{
	_cleanup_(free_description) struct target d = { 0 };
	_cleanup_free_ char *comm = NULL;
	struct proc_stat before, after;
	int r;

	r = procfs_stat(proc, t->pid, &before);
	if (r < 0)
		return r;
	r = procfs_uid(proc, t->pid, &d.uid);
	if (r < 0)
		return r;
	r = describe_names(&d, proc, t->pid);
	if (r < 0)
		return r;
	r = procfs_stat(proc, t->pid, &after);
	if (r < 0)
		return r;
	if (after.start_ticks != before.start_ticks)
		return -ESRCH;
	r = utf8_sanitize(after.comm, strlen(after.comm), &comm);
	if (r < 0)
		return r;
	d.start_ticks = after.start_ticks;
	describe_start(&d, proc);

	free_description(t);
	memcpy(t->comm, comm, strlen(comm) + 1);
	t->exe = TAKE_PTR(d.exe);
	t->cmdline = TAKE_PTR(d.cmdline);
	t->unit = TAKE_PTR(d.unit);
	t->cgroup = TAKE_PTR(d.cgroup);
	t->container = TAKE_PTR(d.container);
	t->uid = d.uid;
	t->start_ticks = d.start_ticks;
	t->started = d.started;
	return 0;
}

void target_refresh(struct target *t, const char *proc, const char *cgroup_root)
{
	struct memory m;

	/* A pid that is in use anew is another process, a zombie has no memory left. */
	if (target_memory(t, proc, cgroup_root, &m) < 0 || m.rss_bytes == 0)
		return;
	t->memory = m;
	t->rss_bytes = m.rss_bytes;
	if (m.limit_bytes)
		t->limit_bytes = m.limit_bytes;
}

static bool is_service(const char *unit)
{
	static const char ending[] = ".service";
	size_t n = unit ? strlen(unit) : 0;

	return n >= sizeof(ending) && strcmp(unit + n - (sizeof(ending) - 1), ending) == 0 &&
	       strncmp(unit, "user@", 5) != 0;
}

/* Anybody may call a unit of his own like one of the system's: from "user@1000.service" on, or NULL. */
static const char *unit_of_user(const struct target *t)
{
	const char *at = t->cgroup ? strstr(t->cgroup, "/user@") : NULL;

	return at ? at + 1 : NULL;
}

const char *target_service(const struct target *t)
{
	if (is_service(t->unit))
		return unit_of_user(t) ?: t->unit;
	return t->exe ? t->exe : t->comm;
}
