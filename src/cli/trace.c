// SPDX-License-Identifier: GPL-2.0-or-later
/* seepctl trace: processes that are already running, for a while, without a daemon. */
#include "cli/verbs.h"

#include <signal.h>
#include <string.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "cli/options.h"
#include "cli/session.h"
#include "target/selector.h"

#define SECOND_NS 1000000000ull

struct trace_values {
	struct session_options session;
	uint64_t duration_ns;
	bool follow;
};

static const struct cli_option options[] = {
	{ "for", 'f', OPTION_DURATION, offsetof(struct trace_values, duration_ns), "DURATION", NULL,
	  SECOND_NS / 10, 7 * 86400 * SECOND_NS, "how long, as 30s or 1h30m (default: 60s)" },
	{ "follow", 0, OPTION_FLAG, offsetof(struct trace_values, follow), NULL, NULL, 0, 0,
	  "trace the processes that it forks, too" },
	TAKING_BUDGET_OPTION(struct trace_values, session.taking),
	SESSION_OPTIONS(struct trace_values, session),
};

static const struct option_set trace_options = {
	.verb = "trace",
	.operands = "SELECTOR",
	.about =
		"Traces running processes for a while and ends with a report on the blocks that\n"
		"were allocated meanwhile and not freed. Needs no daemon. Ctrl-C ends it early,\n"
		"with the report. A selector is a pid, a program's path, its name, or FIELD=value\n"
		"(exe, comm, cmd, unit, cgroup, container).",
	.examples = "  seepctl trace 4242 --for 30s\n"
		    "  seepctl trace redis-server --for 5m --by line\n"
		    "  seepctl trace 'cmd=*worker*' --for 1h -j -o report.json",
	.options = options,
	.n_options = ARRAY_SIZE(options),
	.min_operands = 1,
	.max_operands = 1,
};

struct trace {
	struct session session;
	bool done;
	struct event *timer;	    /* owned */
	struct event *interrupt[2]; /* owned */
};

static void on_end(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	((struct trace *)userdata)->done = true;
}

/* Nothing is left to trace when every target has exited or failed. */
static void on_tick(void *userdata)
{
	struct trace *trace = userdata;
	struct target *const *targets;
	size_t n = monitor_targets(trace->session.monitor, &targets);

	for (size_t i = 0; i < n; i++)
		if (targets[i]->state == TARGET_ATTACHING || targets[i]->state == TARGET_TRACED)
			return;
	trace->done = true;
}

static int start_timers(struct trace *trace, uint64_t duration_ns)
{
	static const int signals[] = { SIGINT, SIGTERM };
	struct timeval after = {
		.tv_sec = (time_t)(duration_ns / SECOND_NS),
		.tv_usec = (suseconds_t)(duration_ns % SECOND_NS / 1000),
	};

	trace->timer = event_new(trace->session.base, -1, 0, on_end, trace);
	if (!trace->timer || event_add(trace->timer, &after) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		trace->interrupt[i] = event_new(trace->session.base, signals[i],
						EV_SIGNAL | EV_PERSIST, on_end, trace);
		if (!trace->interrupt[i] || event_add(trace->interrupt[i], NULL) < 0)
			return -ENOMEM;
	}
	monitor_on_tick(trace->session.monitor, on_tick, trace);
	return 0;
}

static int complain(const char *selector, int r)
{
	switch (r) {
	case -ESRCH:
		cli_error("no process matches '%s'", selector);
		return CLI_NO_TARGET;
	case -EPERM:
		cli_error("'%s' is seep itself or PID 1, which are never traced", selector);
		return CLI_DENIED;
	case -ENOSPC:
		cli_error("'%s' matches more processes than can be traced at once", selector);
		return CLI_ERROR;
	default:
		cli_error("cannot trace '%s': %s", selector, strerror(-r));
		return CLI_ERROR;
	}
}

static int track(struct trace *trace, const char *text, const struct trace_values *values,
		 pid_t *ret)
{
	const struct track_options how = taking_options(&values->session.taking, values->follow);
	_cleanup_free_ struct target **targets = NULL;
	struct selector *selector = NULL;
	const char *why = NULL;
	size_t n = 0;
	int r;

	r = selector_parse(text, &selector, &why);
	if (r == -EINVAL) {
		cli_error("'%s' names no process: %s", text, why ? why : "it is no selector");
		return CLI_USAGE;
	}
	if (r == 0)
		r = monitor_track(trace->session.monitor, selector, &how, &targets, &n);
	if (r < 0 || n == 0)
		return complain(text, r < 0 ? r : -ESRCH);
	*ret = targets[0]->pid;
	return CLI_OK;
}

static bool was_traced(const struct trace *trace)
{
	struct target *const *targets;
	size_t n = monitor_targets(trace->session.monitor, &targets);

	for (size_t i = 0; i < n; i++)
		if (targets[i]->attached_ns)
			return true;
	return false;
}

static int trace_for(struct trace *trace, const char *text, const struct trace_values *values)
{
	const struct target *root;
	pid_t pid;
	int code;

	if (values->session.taking.exact && !trace->session.context->quiet)
		taking_print_price(monitor_pair_ns(trace->session.monitor));
	code = track(trace, text, values, &pid);
	if (code != CLI_OK)
		return code;
	session_settle(&trace->session, 60 * SECOND_NS);
	if (start_timers(trace, values->duration_ns) < 0)
		return cli_no_memory();
	if (!trace->session.context->quiet)
		cli_message(LOG_NOTICE, "tracing %s; Ctrl-C ends early", text);
	session_wait(&trace->session, &trace->done);
	/* Why has been said when it happened. */
	if (!was_traced(trace))
		return CLI_ERROR;
	root = session_find(&trace->session, pid);
	return root ? session_report(&trace->session, root) : CLI_ERROR;
}

int cli_trace(int argc, char **argv, const struct cli_context *parent)
{
	struct cli_context context = *parent;
	struct trace_values values = {
		.session = SESSION_DEFAULTS,
		.duration_ns = 60 * SECOND_NS,
	};
	struct trace trace = { .done = false };
	struct operands operands;
	int code;

	if (!options_begin(&trace_options, argc, argv, &values, &context, &operands, &code))
		return code;
	if (!taking_check(&values.session.taking))
		return CLI_USAGE;
	code = session_open(&trace.session, &values.session, &context, true);
	if (code == CLI_OK)
		code = trace_for(&trace, operands.items[0], &values);
	if (trace.timer)
		event_free(trace.timer);
	for (size_t i = 0; i < ARRAY_SIZE(trace.interrupt); i++)
		if (trace.interrupt[i])
			event_free(trace.interrupt[i]);
	session_close(&trace.session);
	return code;
}
