// SPDX-License-Identifier: GPL-2.0-or-later
/* Where alerts go beyond the API. See sinks.h. */
#include "daemon/sinks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "alert/command.h"
#include "alert/events.h"
#include "alert/journal.h"
#include "base/log.h"
#include "daemon/privileges.h"
#include "monitor.h"

#define WORDS_MAX 32

struct sinks {
	struct event_base *base;       /* borrowed */
	struct monitor *monitor;       /* borrowed */
	struct alert_command *command; /* owned; NULL: none */
};

/* The record that the event has just got. */
static const char *newest_record(struct monitor *m)
{
	const struct events *events = monitor_events(m);
	uint64_t last = events_last_id(events), missed;
	const struct event_record *record = last ? events_next(events, last - 1, &missed) : NULL;

	return record ? record->json : NULL;
}

static void on_alert(int number, const struct alert *a, void *userdata)
{
	enum alert_event event = (enum alert_event)number;
	struct sinks *s = userdata;
	const char *json;
	int r;

	r = journal_write(event, a);
	if (r < 0)
		log_debug_errno(r, "the journal did not take an event");
	if (!s->command || !alert_command_wants(event, a))
		return;
	json = newest_record(s->monitor);
	r = json ? alert_command_run(s->command, event, a, json) : -ENOMEM;
	if (r < 0)
		log_warning_errno(r,
				  "the command for alerts is not run for an event of leak %016llx",
				  (unsigned long long)a->id);
}

static int make_command(struct event_base *base, const char *line, const char *user,
			struct alert_command **ret)
{
	_cleanup_free_ char *words = strdup(line);
	const char *argv[WORDS_MAX + 1] = { NULL };
	struct command_options options = { .argv = argv, .user = user };
	char *rest, *word;
	size_t n = 0;

	if (!words)
		return -ENOMEM;
	for (word = strtok_r(words, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		if (n == WORDS_MAX)
			return -E2BIG;
		argv[n++] = word;
	}
	return n ? alert_command_new(base, &options, ret) : -EINVAL;
}

int sinks_set_command(struct sinks *s, const char *command, const char *user)
{
	struct alert_command *new = NULL;
	int r;

	r = command ? make_command(s->base, command, user, &new) : 0;
	if (r < 0)
		return r;
	alert_command_free(s->command);
	s->command = new;
	/* It may come with a reload, after the rights to run it were dropped. */
	if (new &&geteuid() == 0 && !privileges_have(PRIVILEGE_COMMANDS))
		log_warning("'%s' cannot run for alerts, that takes CAP_SETUID, CAP_SETGID and "
			    "CAP_KILL: restart seepd, and see /usr/lib/seep/command.conf",
			    command);
	return 0;
}

int sinks_new(struct event_base *base, struct monitor *m, const char *command, const char *user,
	      struct sinks **ret)
{
	_cleanup_(sinks_freep) struct sinks *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->monitor = m;
	r = sinks_set_command(s, command, user);
	if (r < 0)
		return r;
	monitor_on_alert(m, on_alert, s);
	*ret = TAKE_PTR(s);
	return 0;
}

struct sinks *sinks_free(struct sinks *s)
{
	if (!s)
		return NULL;
	monitor_on_alert(s->monitor, NULL, NULL);
	alert_command_free(s->command);
	free(s);
	return NULL;
}
