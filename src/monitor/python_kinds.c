// SPDX-License-Identifier: GPL-2.0-or-later
/* Names and counts of Python objects, as the detector on kinds needs them. See python.h. */
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "detect/detector.h"
#include "heap/ids.h"
#include "monitor/detect.h"
#include "monitor/python.h"
#include "monitor/state.h"

/* A code is told by its file's last part and not by its line: both move with an upgrade. */
uint64_t python_kind_key(const struct python_kind *k)
{
	uint64_t h = id_add_text(ID_START, k->type);

	h = id_add_text(h, k->function);
	h = id_add_text(h, path_base_name(k->file));
	return id_end(id_add_number(h, k->done)) ?: 1;
}

uint64_t python_alert_id(const struct tracked *t, uint64_t key)
{
	uint64_t h = id_add_text(ID_START, target_service(t->target));

	return id_end(id_add_number(id_add_text(h, "type"), key));
}

enum rank {
	RANK_TASK,
	RANK_FUTURE,
	RANK_COROUTINE,
	RANK_INSTANCE,
	RANK_FUNCTION,
	RANK_CONTAINER,
	RANK_PART, /* what all of the others are made of */
};

/* Built in, or of modules that others use to hold their own. */
static const struct {
	const char *type;
	enum rank rank;
} ranks[] = {
	{ "coroutine", RANK_COROUTINE },
	{ "generator", RANK_COROUTINE },
	{ "async_generator", RANK_COROUTINE },
	{ "function", RANK_FUNCTION },
	{ "method", RANK_FUNCTION },
	{ "functools.partial", RANK_FUNCTION },
	{ "dict", RANK_CONTAINER },
	{ "list", RANK_CONTAINER },
	{ "set", RANK_CONTAINER },
	{ "frozenset", RANK_CONTAINER },
	{ "collections.deque", RANK_CONTAINER },
	{ "collections.OrderedDict", RANK_CONTAINER },
	{ "collections.defaultdict", RANK_CONTAINER },
	{ "_contextvars.Context", RANK_PART },
	{ "Context", RANK_PART },
	{ "hamt", RANK_PART },
	{ "weakref.ReferenceType", RANK_PART },
	{ "weakref.KeyedRef", RANK_PART },
	{ "_thread.RLock", RANK_PART },
	{ "_thread.lock", RANK_PART },
	{ "functools._lru_list_elem", RANK_CONTAINER },
};

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

uint8_t python_kind_rank(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranks); i++)
		if (strcmp(ranks[i].type, type) == 0)
			return (uint8_t)ranks[i].rank;
	if (ends_with(type, ".Task"))
		return RANK_TASK;
	if (ends_with(type, ".Future"))
		return RANK_FUTURE;
	/* With a module: of the program, or of its libraries. */
	return strchr(type, '.') && strncmp(type, "builtins.", 9) != 0 ? RANK_INSTANCE : RANK_PART;
}

const struct python_kind *python_find_kind(const struct python_watch *w, uint64_t key)
{
	/* They are by bytes: the first one is the largest. */
	for (size_t i = 0; i < w->census.n; i++)
		if (w->keys[i] == key)
			return &w->census.kinds[i];
	return NULL;
}

/* The clock of work: what the process has done, whoever made objects meanwhile. Milliseconds. */
static uint64_t cpu_ms(pid_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

int python_count(struct python_watch *w, uint64_t now_ns)
{
	struct kind_process process = {
		.work = cpu_ms(w->tracked->target->pid),
		.tasks_made = w->census.tasks_made,
	};
	_cleanup_free_ struct kind_count *list = calloc(w->census.n + 1, sizeof(*list));
	struct detector_process memory;

	if (!list)
		return -ENOMEM;
	detect_read_process(w->tracked, &memory);
	process.usage_bytes = memory.usage_bytes;
	process.limit_bytes = memory.limit_bytes;
	if (memory.usage_bytes > 0 && memory.limit_bytes > 0)
		w->tracked->usage_share = memory.usage_bytes / memory.limit_bytes;
	for (size_t i = 0; i < w->census.n; i++) {
		const struct python_kind *k = &w->census.kinds[i];
		uint8_t rank = python_kind_rank(k->type);

		list[i] = (struct kind_count){
			.key = w->keys[i],
			.count = k->count,
			.bytes = k->bytes,
			.rank = rank,
			.is_task = rank == RANK_TASK,
			.has_ended = k->done,
		};
	}
	return kind_watch_count(w->kinds, now_ns, &process, list, w->census.n);
}
