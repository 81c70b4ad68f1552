// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * seepd: options, wiring, the event loop.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "alert/book.h"
#include "base/cleanup.h"
#include "base/fd_store.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/words.h"
#include "daemon/config.h"
#include "daemon/listeners.h"
#include "daemon/notify.h"
#include "daemon/privileges.h"
#include "daemon/reload.h"
#include "daemon/sinks.h"
#include "daemon/suppressions.h"
#include "daemon/state_dir.h"
#include "monitor.h"
#include "serve/server.h"
#include "target/selector.h"

/* Owned by main, handed to callbacks. */
struct daemon {
	struct event_base *base;
	struct event *signals[2]; /* what ends the program */
	struct monitor *monitor;  /* borrowed from serve() */
	struct notify notify;
	struct fd_store *store; /* owned: what the service manager has handed over, and keeps */
	int argc;		/* for reloads */
	char **argv;
};

static void on_signal(evutil_socket_t signal, short what, void *userdata)
{
	struct daemon *d = userdata;

	(void)what;
	log_info("received %s, stopping", strsignal((int)signal));
	notify_stopping(&d->notify);
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

static void on_tick(void *userdata)
{
	struct daemon *d = userdata;
	struct target *const *targets;
	struct monitor_info info;
	char status[NOTIFY_STATUS_MAX];

	monitor_get_info(d->monitor, &info);
	(void)snprintf(status, sizeof(status),
		       "Targets: %zu, open alerts: %zu, cost: %s of one processor.",
		       monitor_targets(d->monitor, &targets),
		       alert_book_count_open(monitor_alerts(d->monitor)),
		       words_share(info.total_cost_ratio).text);
	notify_tick(&d->notify, status);
}

static void tell_ready(struct daemon *d)
{
	struct monitor_info info;

	monitor_get_info(d->monitor, &info);
	notify_ready(&d->notify, info.tick_ns);
}

static void on_reload(void *userdata)
{
	struct daemon *d = userdata;

	notify_reloading(&d->notify);
}

/* Whether it was taken is told in the log. */
static void on_reloaded(bool is_loaded, void *userdata)
{
	(void)is_loaded;
	tell_ready(userdata);
}

/* What is not needed any more once the self-test has found out how probes are set. */
static int drop_privileges(struct monitor *m, const struct seepd_options *o, unsigned others)
{
	struct monitor_info info;
	unsigned wanted = others;
	int r;

	monitor_get_info(m, &info);
	if (strcmp(info.links, "perf") == 0)
		wanted |= PRIVILEGE_PERF_UPROBES;
	if (o->on_alert)
		wanted |= PRIVILEGE_COMMANDS;
	r = privileges_keep(wanted);
	return r < 0 ? log_error_errno(r, "failed to drop capabilities") : 0;
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
		/* By the last seepd. */
		if (r == -EEXIST)
			r = 0;
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

static int make_monitor(struct daemon *d, const struct seepd_options *o, struct monitor **ret)
{
	_cleanup_free_ char *history = find_history(o);
	struct monitor_options options = o->monitor;
	const char *why = NULL;
	int r;

	options.history_path = history;
	options.store = d->store;
	options.force_links = o->links ? monitor_link_words[o->links - 1] : NULL;
	r = monitor_new(d->base, &options, ret, &why);
	if (r < 0)
		log_error("cannot start: %s", why ? why : strerror(-r));
	return r;
}

static int make_sinks(struct daemon *d, struct monitor *m, const struct seepd_options *o,
		      struct sinks **ret)
{
	int r;

	r = sinks_new(d->base, m, o->on_alert, o->on_alert_user, ret);
	if (r < 0)
		return log_error_errno(r, "cannot run '%s' for alerts%s%s", o->on_alert,
				       o->on_alert_user ? " as " : "", o->on_alert_user ?: "");
	return o->suppressions ? suppressions_load(monitor_alerts(m), o->suppressions) : 0;
}

/* Takes over @config. */
static int serve(struct daemon *d, struct config *config)
{
	const struct seepd_options *o = &config->options;
	_cleanup_(monitor_freep) struct monitor *m = NULL;
	_cleanup_(sinks_freep) struct sinks *sinks = NULL;
	_cleanup_(server_freep) struct server *server = NULL;
	_cleanup_(reload_freep) struct reload *reload = NULL;
	struct reload_options reload_options = { .argc = d->argc,
						 .argv = d->argv,
						 .base = d->base,
						 .on_begin = on_reload,
						 .on_end = on_reloaded,
						 .userdata = d };
	int r;

	r = make_monitor(d, o, &m);
	if (r == 0)
		r = drop_privileges(m, o, PRIVILEGE_OWN_SOCKET);
	if (r == 0)
		r = make_sinks(d, m, o, &sinks);
	if (r < 0)
		return r;
	/* Once, and before anybody waits for an answer. */
	(void)monitor_get_prices(m);
	r = listeners_start(d->base, m, o, d->store, &server);
	if (r == 0)
		r = drop_privileges(m, o, 0);
	if (r == 0)
		r = catch_signals(d);
	if (r == 0)
		r = track_selectors(m, o);
	if (r < 0)
		return r;
	reload_options.monitor = m;
	reload_options.sinks = sinks;
	r = reload_new(&reload_options, config, &reload);
	if (r < 0)
		return log_error_errno(r, "failed to take the configuration");
	server_set_config(server, reload_status(reload));
	fd_store_close_rest(d->store);
	d->monitor = m;
	monitor_on_tick(m, on_tick, d);
	tell_ready(d);
	if (event_base_dispatch(d->base) < 0)
		return log_error_errno(-EIO, "the event loop failed");
	return 0;
}

/* Mistakes stand alone on their lines, so that editors can jump to them. */
static int say_check(const struct config *c)
{
	const struct problems *p = &c->problems;

	for (size_t i = 0; i < p->n; i++)
		(void)fprintf(stderr, "%s\n", p->lines[i]);
	if (p->left_out)
		(void)fprintf(stderr, "and %zu more\n", p->left_out);
	if (problems_count(p) > 0)
		return EXIT_STATUS_ERROR;
	for (size_t i = 0; i < c->files.n; i++)
		(void)printf("%s\n", c->files.paths[i]);
	(void)printf("no mistakes in %zu files, %zu targets\n", c->files.n, c->rules.n);
	return EXIT_STATUS_OK;
}

static int refuse_config(const struct config *c)
{
	for (size_t i = 0; i < c->problems.n; i++)
		log_error("%s", c->problems.lines[i]);
	log_error("the configuration is wrong, see 'seepd --check'");
	return EXIT_STATUS_CONFIG;
}

static int run(struct daemon *d, struct config *config)
{
	int r;

	/* A reload that comes before there is anything to reload. */
	(void)signal(SIGHUP, SIG_IGN);
	r = limits_raise_descriptors(NULL);
	if (r < 0)
		log_warning_errno(r, "failed to raise the limit of open files, ignoring");
	d->base = event_base_new();
	if (!d->base) {
		log_error("out of memory");
		return EXIT_STATUS_ERROR;
	}
	r = serve(d, config);
	for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	event_base_free(d->base);
	return r < 0 ? EXIT_STATUS_ERROR : EXIT_STATUS_OK;
}

int main(int argc, char **argv)
{
	struct daemon d = { .argc = argc, .argv = argv };
	struct config config;
	int status, r;

	log_open("seepd");
	notify_init(&d.notify);
	/* Before anything else opens a descriptor. */
	r = fd_store_new(&d.store);
	if (r < 0) {
		log_error_errno(r, "failed to take the sockets of the service manager");
		return EXIT_STATUS_ERROR;
	}
	if (config_read(argc, argv, &config, &status) == 1) {
		log_set_level(seepd_options_log_level(&config.options));
		if (config.options.check)
			status = say_check(&config);
		else if (problems_count(&config.problems) > 0)
			status = refuse_config(&config);
		else
			status = run(&d, &config);
	}
	config_done(&config);
	fd_store_free(d.store);
	return status;
}
