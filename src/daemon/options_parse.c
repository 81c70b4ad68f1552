// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of seepd. See options.h. */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static const char usage[] =
	"Usage: seepd [OPTION...]\n"
	"\n"
	"Watches processes for memory leaks; seepctl asks it. Needs root.\n"
	"\n"
	"  -s, --socket PATH      where clients connect (default: $SEEP_SOCKET, else\n"
	"                         " DEFAULT_SOCKET ")\n"
	"      --http ADDRESS:PORT\n"
	"                         serve metrics on a loopback address, too (default: no)\n"
	"      --config PATH      a folder with seep.conf, or a file, instead of /etc/seep,\n"
	"                         /run/seep and /usr/lib/seep\n"
	"      --check            say what is wrong with the configuration, and end\n"
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
	"      --census-budget PERCENT\n"
	"                         the same for counting the objects of a Python process (default:\n"
	"                         0.5)\n"
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
	"  -V, --version          the version\n"
	"\n"
	"Options win over the configuration, see seep.conf(5).\n";

enum {
	OPT_CONFIG = 256,
	OPT_CHECK,
	OPT_SETTING, /* and the place in seepd_settings */
};

static const struct option fixed_options[] = {
	{ "track", required_argument, NULL, 't' },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
};

/* The fixed ones, one for each setting that has an option, and the end. Caller frees. */
static struct option *make_options(void)
{
	struct option *list =
		calloc(ARRAY_SIZE(fixed_options) + n_seepd_settings + 1, sizeof(*list));
	size_t n = ARRAY_SIZE(fixed_options);

	if (!list)
		return NULL;
	memcpy(list, fixed_options, sizeof(fixed_options));
	for (size_t i = 0; i < n_seepd_settings; i++) {
		const struct setting *s = &seepd_settings[i];

		if (!s->option)
			continue;
		list[n++] = (struct option){
			.name = s->option,
			.has_arg = s->kind == SETTING_SWITCH ? no_argument : required_argument,
			.val = OPT_SETTING + (int)i,
		};
	}
	return list;
}

static int set_text(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int add_selector(struct seepd_options *o, const char *text, char why[SETTING_WHY_MAX])
{
	if (o->n_selectors < MAX_SELECTORS)
		return set_text(&o->selectors[o->n_selectors++], text);
	(void)snprintf(why, SETTING_WHY_MAX, "--track is given more than %d times", MAX_SELECTORS);
	return -EINVAL;
}

static const struct setting *find_option(const char *name)
{
	for (size_t i = 0; i < n_seepd_settings; i++)
		if (seepd_settings[i].option && strcmp(seepd_settings[i].option, name) == 0)
			return &seepd_settings[i];
	return NULL;
}

static int take_option(struct seepd_options *o, int option, const char *text,
		       char why[SETTING_WHY_MAX])
{
	const struct setting *s;
	char reason[SETTING_WHY_MAX] = "it is not understood";
	int r;

	if (option == 't')
		return add_selector(o, text, why);
	if (option == OPT_CONFIG)
		return set_text(&o->config, text);
	s = option == 's' ? find_option("socket") : &seepd_settings[option - OPT_SETTING];
	r = setting_take(s, o, text ? text : "yes", reason);
	if (r == -EINVAL)
		(void)snprintf(why, SETTING_WHY_MAX, "--%s: %.200s", s->option, reason);
	return r;
}

/* 1: taken. 0: the program ends, with @ret_status. */
static int take(struct seepd_options *o, int option, const char *text, int *ret_status)
{
	char why[SETTING_WHY_MAX] = "";
	int r;

	switch (option) {
	case 'v':
		o->log_level = LOG_LEVEL_DEBUG;
		return 1;
	case OPT_CHECK:
		o->check = true;
		return 1;
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
	r = take_option(o, option, text, why);
	if (r == 0)
		return 1;
	log_error("%s; try 'seepd --help'", r == -ENOMEM ? "out of memory" : why);
	return 0;
}

int seepd_options_parse(int argc, char **argv, struct seepd_options *o, int *ret_status)
{
	_cleanup_free_ struct option *options = make_options();
	int option;

	*ret_status = EXIT_STATUS_USAGE;
	if (!options) {
		log_error("out of memory");
		return 0;
	}
	/* 0 and not 1: it may have been here before, when the configuration was read last. */
	optind = 0;
	while ((option = getopt_long(argc, argv, "s:t:vhV", options, NULL)) != -1)
		if (take(o, option, optarg, ret_status) == 0)
			return 0;
	if (optind < argc) {
		log_error("unexpected argument '%s'; try 'seepd --help'", argv[optind]);
		return 0;
	}
	return 1;
}
