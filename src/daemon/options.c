// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of seepd. See options.h. */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "../bpf/abi.h" /* SAMPLING_INTERVAL_MIN */
#include "base/log.h"
#include "base/parse.h"

#define SECOND_NS 1000000000ull

static const char usage[] =
	"Usage: seepd [OPTION...]\n"
	"\n"
	"Watches processes for memory leaks; seepctl asks it. Needs root.\n"
	"\n"
	"  -s, --socket PATH      where clients connect (default: $SEEP_SOCKET, else\n"
	"                         " DEFAULT_SOCKET ")\n"
	"  -t, --track SELECTOR   watch this from the start; may be given several times\n"
	"      --tick DURATION    how often the maps are read, 1s to 1h (default: 10s)\n"
	"      --detector-tick DURATION\n"
	"                         unit of all times of the detector, 50ms to 1h (default: 60s)\n"
	"      --auto-track       track by itself what seepctl targets --suggested lists\n"
	"      --state-dir FOLDER where the history is kept (default: " DEFAULT_STATE_DIR ";\n"
	"                         none: nothing is kept)\n"
	"      --on-alert COMMAND run this for each event that people are told of, with the event "
	"as\n"
	"                         JSON on its standard input; an absolute path, and arguments\n"
	"      --on-alert-user USER\n"
	"                         whom it runs as (default: nobody)\n"
	"      --suppressions FILE\n"
	"                         leaks not to tell of, in the syntax of LeakSanitizer\n"
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
	OPT_DETECTOR_TICK,
	OPT_AUTO_TRACK,
	OPT_STATE_DIR,
	OPT_ON_ALERT,
	OPT_ON_ALERT_USER,
	OPT_SUPPRESSIONS,
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
	{ "detector-tick", required_argument, NULL, OPT_DETECTOR_TICK },
	{ "auto-track", no_argument, NULL, OPT_AUTO_TRACK },
	{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
	{ "on-alert", required_argument, NULL, OPT_ON_ALERT },
	{ "on-alert-user", required_argument, NULL, OPT_ON_ALERT_USER },
	{ "suppressions", required_argument, NULL, OPT_SUPPRESSIONS },
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

static int take_tick(const char *text, uint64_t least_ns, uint64_t *ret)
{
	uint64_t ns;
	int r;

	r = parse_duration(text, &ns);
	if (r < 0)
		return r;
	if (ns < least_ns || ns > 3600 * SECOND_NS)
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
		return take_tick(text, SECOND_NS, &o->monitor.tick_ns);
	case OPT_DETECTOR_TICK:
		return take_tick(text, DETECTOR_TICK_MIN_NS, &o->monitor.detector_tick_ns);
	case OPT_AUTO_TRACK:
		o->monitor.auto_track = true;
		return 0;
	case OPT_STATE_DIR:
		o->state_dir = text;
		return *text ? 0 : -EINVAL;
	case OPT_ON_ALERT:
		o->on_alert = text;
		return text[0] == '/' ? 0 : -EINVAL;
	case OPT_ON_ALERT_USER:
		o->on_alert_user = text;
		return *text ? 0 : -EINVAL;
	case OPT_SUPPRESSIONS:
		o->suppressions = text;
		return *text ? 0 : -EINVAL;
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

int seepd_options_parse(int argc, char **argv, struct seepd_options *o, int *ret_status)
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
