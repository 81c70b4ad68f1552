// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * seepd: options, wiring, the event loop.
 */
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/parse.h"
#include "monitor.h"
#include "serve/server.h"
#include "target/selector.h"

#define DEFAULT_SOCKET "/run/seep/seep.sock"
#define GROUP	       "seep" /* its members may read and operate */
#define SECOND_NS      1000000000ull
#define MAX_SELECTORS  64

enum {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_ERROR = 1,
	EXIT_STATUS_USAGE = 2,
};

struct seepd_options {
	const char *socket_path;
	struct monitor_options monitor;
	const char *selectors[MAX_SELECTORS];
	size_t n_selectors;
	bool verbose;
};

/* What ends the program: owned by main, handed to the signal callback. */
struct daemon {
	struct event_base *base;
	struct event *signals[2];
};

static const char usage[] =
	"Usage: seepd [OPTION...]\n"
	"\n"
	"Watches processes for memory leaks; seepctl asks it. Needs root.\n"
	"\n"
	"  -s, --socket PATH      where clients connect (default: $SEEP_SOCKET, else\n"
	"                         " DEFAULT_SOCKET ")\n"
	"  -t, --track SELECTOR   watch this from the start; may be given several times\n"
	"      --tick DURATION    how often the maps are read, 1s to 1h (default: 10s)\n"
	"      --budget PERCENT   of one processor that tracing may cost a process (default: 2)\n"
	"      --total-budget PERCENT\n"
	"                         the same for all processes together (default: 5)\n"
	"      --sampling-interval SIZE\n"
	"                         a block each so many bytes, while sampling (default: 64K)\n"
	"      --max-blocks N     room for live blocks, all targets (default: 1048576)\n"
	"      --max-sites N      room for call stacks, all targets (default: 65536)\n"
	"      --max-threads N    room for threads, all targets (default: 16384)\n"
	"      --max-targets N    processes watched at once (default: 500)\n"
	"      --max-frames N     frames kept of a stack, 1 to 127 (default: 48)\n"
	"      --ring-size SIZE   of the buffer for notes from the kernel (default: 256K)\n"
	"      --links KIND       session, multi or perf: set probes this way (default: what "
	"works)\n"
	"  -v, --verbose          say what is being done\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n";

enum option_value {
	OPT_TICK = 256,
	OPT_BUDGET,
	OPT_TOTAL_BUDGET,
	OPT_SAMPLING_INTERVAL,
	OPT_MAX_BLOCKS,
	OPT_MAX_SITES,
	OPT_MAX_THREADS,
	OPT_MAX_TARGETS,
	OPT_MAX_FRAMES,
	OPT_RING_SIZE,
	OPT_LINKS,
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "track", required_argument, NULL, 't' },
	{ "tick", required_argument, NULL, OPT_TICK },
	{ "budget", required_argument, NULL, OPT_BUDGET },
	{ "total-budget", required_argument, NULL, OPT_TOTAL_BUDGET },
	{ "sampling-interval", required_argument, NULL, OPT_SAMPLING_INTERVAL },
	{ "max-blocks", required_argument, NULL, OPT_MAX_BLOCKS },
	{ "max-sites", required_argument, NULL, OPT_MAX_SITES },
	{ "max-threads", required_argument, NULL, OPT_MAX_THREADS },
	{ "max-targets", required_argument, NULL, OPT_MAX_TARGETS },
	{ "max-frames", required_argument, NULL, OPT_MAX_FRAMES },
	{ "ring-size", required_argument, NULL, OPT_RING_SIZE },
	{ "links", required_argument, NULL, OPT_LINKS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int take_number(const char *text, uint64_t min, uint64_t max, uint32_t *ret)
{
	uint64_t value;
	int r;

	r = parse_u64_range(text, min, max, &value);
	if (r == 0)
		*ret = (uint32_t)value;
	return r;
}

static int take_tick(const char *text, uint64_t *ret)
{
	uint64_t ns;
	int r;

	r = parse_duration(text, &ns);
	if (r < 0)
		return r;
	if (ns < SECOND_NS || ns > 3600 * SECOND_NS)
		return -ERANGE;
	*ret = ns;
	return 0;
}

static int take_interval(const char *text, uint32_t *ret)
{
	uint64_t bytes;
	int r;

	r = parse_size(text, &bytes);
	if (r < 0)
		return r;
	if (bytes < SAMPLING_INTERVAL_MIN || bytes > SAMPLING_INTERVAL_MAX)
		return -ERANGE;
	*ret = (uint32_t)bytes;
	return 0;
}

static int take_ring_size(const char *text, uint32_t *ret)
{
	uint64_t bytes;
	int r;

	r = parse_size(text, &bytes);
	if (r < 0)
		return r;
	if (bytes < 4096 || bytes > 64u << 20 || (bytes & (bytes - 1)))
		return -ERANGE;
	*ret = (uint32_t)bytes;
	return 0;
}

static int take_value(struct seepd_options *o, int option, const char *text)
{
	switch (option) {
	case 's':
		o->socket_path = text;
		return *text ? 0 : -EINVAL;
	case 't':
		if (o->n_selectors == MAX_SELECTORS)
			return -ERANGE;
		o->selectors[o->n_selectors++] = text;
		return 0;
	case OPT_TICK:
		return take_tick(text, &o->monitor.tick_ns);
	case OPT_BUDGET:
		return parse_percent(text, &o->monitor.budget_ratio);
	case OPT_TOTAL_BUDGET:
		return parse_percent(text, &o->monitor.total_budget_ratio);
	case OPT_SAMPLING_INTERVAL:
		return take_interval(text, &o->monitor.sampling_interval);
	case OPT_MAX_BLOCKS:
		return take_number(text, 64, 1u << 28, &o->monitor.max_blocks);
	case OPT_MAX_SITES:
		return take_number(text, 16, 1u << 24, &o->monitor.max_sites);
	case OPT_MAX_THREADS:
		return take_number(text, 16, 1u << 22, &o->monitor.max_threads);
	case OPT_MAX_TARGETS:
		return take_number(text, 1, 100000, &o->monitor.max_targets);
	case OPT_MAX_FRAMES:
		return take_number(text, 1, 127, &o->monitor.max_frames);
	case OPT_RING_SIZE:
		return take_ring_size(text, &o->monitor.ring_bytes);
	case OPT_LINKS:
		o->monitor.force_links = text;
		for (size_t i = 0; monitor_link_words[i]; i++)
			if (strcmp(text, monitor_link_words[i]) == 0)
				return 0;
		return -EINVAL;
	default:
		return -EINVAL;
	}
}

/* 1: go on. Else *ret_status is the program's exit status. */
static int parse_options(int argc, char **argv, struct seepd_options *o, int *ret_status)
{
	int option, index = -1, r;

	*ret_status = EXIT_STATUS_USAGE;
	while ((option = getopt_long(argc, argv, "s:t:vhV", long_options, &index)) != -1) {
		switch (option) {
		case 'v':
			o->verbose = true;
			continue;
		case 'h':
			(void)fputs(usage, stdout);
			*ret_status = EXIT_STATUS_OK;
			return 0;
		case 'V':
			(void)puts("seepd " SEEP_VERSION);
			*ret_status = EXIT_STATUS_OK;
			return 0;
		case '?':
			(void)fputs("Try 'seepd --help'.\n", stderr);
			return 0;
		}
		r = take_value(o, option, optarg);
		if (r < 0) {
			log_error("'%s' is %s; try 'seepd --help'", optarg,
				  r == -ERANGE ? "out of range for this option" :
						 "not a valid value for this option");
			return 0;
		}
	}
	if (optind < argc) {
		log_error("unexpected argument '%s'; try 'seepd --help'", argv[optind]);
		return 0;
	}
	return 1;
}

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

static int serve(struct daemon *d, const struct seepd_options *o)
{
	_cleanup_(monitor_freep) struct monitor *m = NULL;
	_cleanup_(server_freep) struct server *server = NULL;
	const struct group *group = getgrnam(GROUP);
	struct server_options server_options = {
		.socket_path = o->socket_path,
		.gid = group ? group->gr_gid : SERVER_NO_GROUP,
	};
	const char *why = NULL;
	int r;

	r = monitor_new(d->base, &o->monitor, &m, &why);
	if (r < 0) {
		log_error("cannot start: %s", why ? why : strerror(-r));
		return r;
	}
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
	struct seepd_options options = { .socket_path = getenv("SEEP_SOCKET") };
	struct daemon d = { .base = NULL };
	int status, r;

	log_open("seepd");
	if (!options.socket_path || !*options.socket_path)
		options.socket_path = DEFAULT_SOCKET;
	if (parse_options(argc, argv, &options, &status) == 0)
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
