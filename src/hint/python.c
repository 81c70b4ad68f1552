// SPDX-License-Identifier: GPL-2.0-or-later
/* Patterns of Python objects: what they are, and what holds them. See hint.h. */
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "hint/recognisers.h"

/* "asyncio.tasks.Task" ends with the component "Task", and so does "Task". */
static bool ends_with_component(const char *text, const char *component)
{
	const char *dot = strrchr(text, '.');

	return strcmp(dot ? dot + 1 : text, component) == 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* What is between the separators of a path: "app", "_tasks", "items" of "app._tasks[…].items{*}". */
static bool path_has(const struct hint_facts *f, const char *list)
{
	static const char separators[] = ".[]{}()*' ";
	const char *p = f->path ? f->path : "";
	char word[64];

	while (*p) {
		size_t n = strcspn(p, separators);

		if (n > 0 && n < sizeof(word)) {
			memcpy(word, p, n);
			word[n] = '\0';
			if (parse_is_listed(list, word))
				return true;
		}
		p += n;
		p += strspn(p, separators);
	}
	return false;
}

static bool is_held_in(const struct hint_facts *f, const char *list)
{
	return f->container && parse_is_listed(list, f->container);
}

#define DICTS "dict collections.OrderedDict collections.defaultdict collections.Counter"
#define LISTS "list collections.deque bytearray"
#define SETS  "set"

static bool is_task(const struct hint_facts *f)
{
	return ends_with_component(f->type, "Task") || ends_with_component(f->type, "Future");
}

static const char *recognise_running_task(const struct hint_facts *f)
{
	if (!is_task(f) || f->ending != HINT_NOT_ENDED)
		return NULL;
	return "These tasks have not ended: what they wait for does not come. A timeout "
	       "(asyncio.wait_for()), or cancel() when their connection or request is over, ends "
	       "them.";
}

static const char *recognise_task_in_set(const struct hint_facts *f)
{
	if (!is_task(f) || !is_held_in(f, SETS))
		return NULL;
	return "Tasks stay in a set after they have ended: "
	       "task.add_done_callback(tasks.discard), where the set is called tasks, takes each "
	       "out when it is done.";
}

static const char *recognise_kept_task(const struct hint_facts *f)
{
	if (!is_task(f) || !is_held_in(f, DICTS " " LISTS))
		return NULL;
	return "Tasks are kept after they have ended: a function given to "
	       "task.add_done_callback() can take each out of what holds it.";
}

static const char *recognise_lru_cache(const struct hint_facts *f)
{
	if (!is_held_in(f, "functools._lru_cache_wrapper"))
		return NULL;
	return "A cache of a function has no bound: functools.lru_cache(maxsize=N) instead of "
	       "maxsize=None or functools.cache drops what was used last the longest ago.";
}

static const char *recognise_logging_handler(const struct hint_facts *f)
{
	bool is_handler = ends_with(f->type, "Handler") || ends_with(f->type, "Filter");

	if (!path_has(f, "handlers filters") ||
	    !(is_handler || path_has(f, "logging root loggerDict")))
		return NULL;
	return "Handlers are added to a logger again and again: addHandler() belongs where the "
	       "program starts, not where a request is served, or has a removeHandler() at its "
	       "end.";
}

static const char *recognise_callback(const struct hint_facts *f)
{
	static const char names[] =
		"callbacks _callbacks callback_list handlers _handlers listeners _listeners "
		"observers _observers subscribers _subscribers hooks _hooks receivers "
		"_exithandlers "
		"on_close on_exit finalizers";
	bool is_function = parse_is_listed("function method builtin_function_or_method cell "
					   "functools.partial",
					   f->type);
	bool is_held = f->holding == HINT_HELD_BY_ROOT && is_held_in(f, LISTS " " SETS " " DICTS);

	if (!path_has(f, names) && !(is_function && is_held))
		return NULL;
	return "Callbacks are registered again and again, and each holds what it refers to: "
	       "register "
	       "once, or take it out when what it is for has ended (a weakref.WeakMethod where "
	       "nobody knows when).";
}

static const char *recognise_generator(const struct hint_facts *f)
{
	if (!parse_is_listed("generator async_generator", f->type) || f->ending == HINT_ENDED)
		return NULL;
	return "Generators are kept that were never run to their end, with all of their local "
	       "variables: close() (contextlib.closing() in a with statement) lets them go.";
}

static const char *recognise_coroutine(const struct hint_facts *f)
{
	if (strcmp(f->type, "coroutine") != 0 || f->ending == HINT_ENDED)
		return NULL;
	return "Coroutines are kept that never end: await each, under a timeout where what it "
	       "waits "
	       "for may not come, or close() it.";
}

static const char *recognise_traceback(const struct hint_facts *f)
{
	if (!parse_is_listed("traceback frame", f->type) && !path_has(f, "__traceback__ tb_frame"))
		return NULL;
	return "Exceptions that are kept hold the frames of their traceback with all local "
	       "variables: keep what str(e) says, or set e.__traceback__ to None.";
}

static const char *recognise_cycle(const struct hint_facts *f)
{
	if (f->holding != HINT_HELD_BY_NOBODY)
		return NULL;
	return "Nothing that was found holds them but they each other: a cycle that the collector "
	       "does not come to. Is it off (gc.isenabled()) or frozen? Else a weakref.ref() "
	       "breaks "
	       "the cycle.";
}

static const char *recognise_frame(const struct hint_facts *f)
{
	if (f->holding != HINT_HELD_BY_FRAME)
		return NULL;
	return "A local variable of a function that still runs holds them: what a loop collects "
	       "has "
	       "to be worked off or dropped inside of the loop.";
}

/* "app.Registry.items[…]": by convention only classes' names begin with a capital. */
static bool is_of_class(const char *path)
{
	const char *p = path;

	while ((p = strchr(p, '.'))) {
		const char *next = strpbrk(++p, ".[({<");

		if (next && *p >= 'A' && *p <= 'Z')
			return *next == '.';
		if (next && *next != '.')
			return false;
	}
	return false;
}

static const char *recognise_class_attribute(const struct hint_facts *f)
{
	if (f->holding != HINT_HELD_BY_ROOT || !f->path || !is_of_class(f->path) ||
	    !is_held_in(f, DICTS " " LISTS " " SETS))
		return NULL;
	return "They are held by an attribute of a class, which all of its instances share and "
	       "which "
	       "lives as long as the program: an attribute of the instance (self.x = ... in "
	       "__init__) goes with it.";
}

static const char *recognise_dict(const struct hint_facts *f)
{
	if (!is_held_in(f, DICTS))
		return NULL;
	return "A dict only grows: its entries need an end, by pop() when what they are for is "
	       "over, "
	       "by a bound (functools.lru_cache(maxsize=N)), or by a weakref.WeakValueDictionary.";
}

static const char *recognise_list(const struct hint_facts *f)
{
	if (!is_held_in(f, LISTS " " SETS))
		return NULL;
	return "What is added to a list or set is never taken out: remove it when it is used up, "
	       "or "
	       "let collections.deque(maxlen=N) keep the latest only.";
}

/* What they are says more than what holds them, and a name in the path more than a container. */
const struct recogniser python_recognisers[] = {
	{ "running-task", recognise_running_task },
	{ "task-in-set", recognise_task_in_set },
	{ "kept-task", recognise_kept_task },
	{ "lru-cache", recognise_lru_cache },
	{ "logging-handler", recognise_logging_handler },
	{ "traceback", recognise_traceback },
	{ "cycle", recognise_cycle },
	{ "generator", recognise_generator },
	{ "coroutine", recognise_coroutine },
	{ "callback", recognise_callback },
	{ "frame", recognise_frame },
	{ "class-attribute", recognise_class_attribute },
	{ "dict", recognise_dict },
	{ "list", recognise_list },
	{ 0 },
};
