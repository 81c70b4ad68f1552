// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * seepd: options, wiring, the event loop.
 */
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/log.h"
#include "daemon/options.h"
#include "daemon/sinks.h"
#include "daemon/suppressions.h"
#include "daemon/state_dir.h"
#include "monitor.h"
#include "serve/server.h"
#include "target/selector.h"

#define GROUP "seep" /* its members may read and operate */

/* What ends the program: owned by main, handed to the signal callback. */
struct daemon {
	struct event_base *base;
	struct event *signals[2];
};

/* A socket in a folder that systemd would have made; /run is empty after each boot. */
static int make_socket_folder(const char *socket_path)
{
	_cleanup_free_ char *folder = strdup(socket_path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static void on_signal(evutil_socket_t signal, short what, void *userdata)
{
	struct daemon *d = userdata;

	(void)what;
	log_info("received %s, stopping", strsignal((int)signal));
	(void)event_base_loopbreak(d->base);
}

static int catch_signals(struct daemon *d)
{
	static const int signals[] = { SIGINT, SIGTERM };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		d->signals[i] =
			event_new(d->base, signals[i], EV_SIGNAL | EV_PERSIST, on_signal, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int track_selectors(struct monitor *m, const struct seepd_options *o)
{
	static const struct track_options governed = { .mode = TRACK_GOVERNED };

	for (size_t i = 0; i < o->n_selectors; i++) {
		struct selector *selector = NULL;
		const char *why = NULL;
		int r;

		r = selector_parse(o->selectors[i], &selector, &why);
		if (r == -EINVAL) {
			log_error("'%s' names no process: %s", o->selectors[i], why);
			return r;
		}
		if (r == 0)
			r = monitor_track(m, selector, &governed, NULL, NULL);
		if (r < 0)
			return log_error_errno(r, "failed to track '%s'", o->selectors[i]);
	}
	return 0;
}

/* Without a place for it, a history is all that is lacking. */
static char *find_history(const struct seepd_options *o)
{
	_cleanup_free_ char *folder = NULL;
	char *path = NULL;
	int r;

	r = state_dir_prepare(o->state_dir, &path, &folder);
	if (r < 0)
		log_warning_errno(r,
				  "no history is kept: %s cannot be used; name another folder with "
				  "--state-dir, or none",
				  folder ?: "its folder");
	return path;
}

static int serve(struct daemon *d, const struct seepd_options *o)
{
	_cleanup_free_ char *history = find_history(o);
	struct monitor_options monitor_options = o->monitor;
	_cleanup_(monitor_freep) struct monitor *m = NULL;
	_cleanup_(sinks_freep) struct sinks *sinks = NULL;
	_cleanup_(server_freep) struct server *server = NULL;
	const struct group *group = getgrnam(GROUP);
	struct server_options server_options = {
		.socket_path = o->socket_path,
		.gid = group ? group->gr_gid : SERVER_NO_GROUP,
	};
	const char *why = NULL;
	int r;

	monitor_options.history_path = history;
	r = monitor_new(d->base, &monitor_options, &m, &why);
	if (r < 0) {
		log_error("cannot start: %s", why ? why : strerror(-r));
		return r;
	}
	r = sinks_new(d->base, m, o->on_alert, o->on_alert_user, &sinks);
	if (r < 0)
		return log_error_errno(r, "cannot run '%s' for alerts%s%s", o->on_alert,
				       o->on_alert_user ? " as " : "", o->on_alert_user ?: "");
	r = o->suppressions ? suppressions_load(monitor_alerts(m), o->suppressions) : 0;
	if (r < 0)
		return r;
	/* Once, and before anybody waits for an answer. */
	(void)monitor_get_prices(m);
	r = make_socket_folder(o->socket_path);
	if (r == 0)
		r = server_new(d->base, m, &server_options, &server);
	if (r < 0)
		return log_error_errno(r, "failed to listen on %s", o->socket_path);
	r = catch_signals(d);
	if (r == 0)
		r = track_selectors(m, o);
	if (r < 0)
		return r;
	log_info("listening on %s", o->socket_path);
	if (event_base_dispatch(d->base) < 0)
		return log_error_errno(-EIO, "the event loop failed");
	return 0;
}

int main(int argc, char **argv)
{
	struct seepd_options options = {
		.socket_path = getenv("SEEP_SOCKET"),
		.monitor.watch_host = true,
	};
	struct daemon d = { .base = NULL };
	int status, r;

	log_open("seepd");
	if (!options.socket_path || !*options.socket_path)
		options.socket_path = DEFAULT_SOCKET;
	if (seepd_options_parse(argc, argv, &options, &status) == 0)
		return status;
	if (options.verbose)
		log_set_level(LOG_DEBUG);
	r = limits_raise_descriptors(NULL);
	if (r < 0)
		log_warning_errno(r, "failed to raise the limit of open files, ignoring");
	d.base = event_base_new();
	if (!d.base) {
		log_error("out of memory");
		return EXIT_STATUS_ERROR;
	}
	r = serve(&d, &options);
	for (size_t i = 0; i < ARRAY_SIZE(d.signals); i++)
		if (d.signals[i])
			event_free(d.signals[i]);
	event_base_free(d.base);
	return r < 0 ? EXIT_STATUS_ERROR : EXIT_STATUS_OK;
}
