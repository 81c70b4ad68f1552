// SPDX-License-Identifier: GPL-2.0-or-later
/* The parser of the command line. See options.h; --help is made in options_help.c. */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

struct parser {
	const struct option_set *set;
	void *values;
	struct cli_context *context;
	int argc;
	char **argv;
	int next; /* argument to look at */
	bool help;
	char *why; /* OPTIONS_WHY_BYTES */
};

static const char *const color_words[] = { "auto", "always", "never", NULL };

static const struct cli_option common_options[] = {
	{ "json", 'j', OPTION_FLAG, offsetof(struct cli_context, json), NULL, NULL, 0, 0,
	  "JSON on standard output: indented on a terminal, else one line" },
	{ "socket", 's', OPTION_TEXT, offsetof(struct cli_context, socket_path), "PATH", NULL, 0, 0,
	  "the daemon's socket (default: $SEEP_SOCKET or " CLI_DEFAULT_SOCKET ")" },
	{ "quiet", 'q', OPTION_FLAG, offsetof(struct cli_context, quiet), NULL, NULL, 0, 0,
	  "no confirmations and no hints" },
	{ "no-legend", 0, OPTION_FLAG, offsetof(struct cli_context, no_legend), NULL, NULL, 0, 0,
	  "no column headings and no sums" },
	{ "bytes", 0, OPTION_FLAG, offsetof(struct cli_context, raw_bytes), NULL, NULL, 0, 0,
	  "plain numbers, sizes in bytes" },
	{ "color", 0, OPTION_CHOICE, offsetof(struct cli_context, color), NULL, color_words, 0, 0,
	  "colors (default: auto, on a terminal and without $NO_COLOR)" },
	{ "help", 'h', OPTION_HELP, 0, NULL, NULL, 0, 0, "this text" },
};

const struct cli_option *options_common(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(common_options);
	return common_options;
}

static int refuse(struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct parser *p, const char *format, ...)
{
	static const char mark[] = "...";
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(p->why, OPTIONS_WHY_BYTES, format, args);
	va_end(args);
	if (n >= OPTIONS_WHY_BYTES)
		memcpy(p->why + OPTIONS_WHY_BYTES - sizeof(mark), mark, sizeof(mark));
	return -EINVAL;
}

/* The option called @name (of @length bytes) or @letter; *ret_values is where its values go. */
static const struct cli_option *find(struct parser *p, const char *name, size_t length, char letter,
				     void **ret_values)
{
	const struct cli_option *tables[] = { p->set->options, common_options };
	size_t sizes[] = { p->set->n_options, ARRAY_SIZE(common_options) };
	void *values[] = { p->values, p->context };
	size_t t, i;

	for (t = 0; t < ARRAY_SIZE(tables); t++) {
		for (i = 0; i < sizes[t]; i++) {
			const struct cli_option *o = &tables[t][i];

			if (name ? strlen(o->name) != length || memcmp(o->name, name, length) != 0 :
				   o->letter != letter)
				continue;
			*ret_values = values[t];
			return o;
		}
	}
	return NULL;
}

static bool has_value(const struct cli_option *o)
{
	return o->kind != OPTION_FLAG && o->kind != OPTION_HELP;
}

static int store_number(struct parser *p, const struct cli_option *o, const char *text,
			uint64_t *to)
{
	uint64_t max = o->max ? o->max : UINT64_MAX, value;
	int r;

	if (o->kind == OPTION_NUMBER) {
		r = parse_u64(text, &value);
		if (r == 0 && (value < o->min || value > max))
			r = -ERANGE;
		if (r < 0)
			return refuse(
				p, "--%s wants a number from %" PRIu64 " to %" PRIu64 ", not '%s'",
				o->name, o->min, max, text);
	} else if (o->kind == OPTION_SIZE) {
		r = parse_size(text, &value);
		if (r < 0)
			return refuse(p, "--%s wants a size such as 64K, 3M or 1GiB, not '%s'",
				      o->name, text);
	} else {
		r = parse_duration(text, &value);
		if (r < 0)
			return refuse(p, "--%s wants a time such as 30s, 5m or 1h30m, not '%s'",
				      o->name, text);
	}
	if (value < o->min)
		return refuse(p, "--%s: '%s' is too small", o->name, text);
	if (value > max)
		return refuse(p, "--%s: '%s' is too large", o->name, text);
	*to = value;
	return 0;
}

static int store_choice(struct parser *p, const struct cli_option *o, const char *text,
			const char **to)
{
	char words[128] = "";
	size_t i, used = 0;

	for (i = 0; o->choices[i]; i++) {
		int n;

		if (strcmp(o->choices[i], text) == 0) {
			*to = o->choices[i];
			return 0;
		}
		n = snprintf(words + used, sizeof(words) - used, "%s%s", i ? ", " : "",
			     o->choices[i]);
		assert(n >= 0 && (size_t)n < sizeof(words) - used);
		used += (size_t)n;
	}
	return refuse(p, "--%s wants one of %s, not '%s'", o->name, words, text);
}

static int store(struct parser *p, const struct cli_option *o, const char *text, void *values)
{
	void *to = (char *)values + o->offset;
	struct option_list *list = to;

	switch (o->kind) {
	case OPTION_HELP:
		p->help = true;
		return 0;
	case OPTION_FLAG:
		*(bool *)to = true;
		return 0;
	case OPTION_TEXT:
		if (!*text)
			return refuse(p, "--%s wants a value that is not empty", o->name);
		*(const char **)to = text;
		return 0;
	case OPTION_CHOICE:
		return store_choice(p, o, text, to);
	case OPTION_LIST:
		if (!*text)
			return refuse(p, "--%s wants a value that is not empty", o->name);
		if (list->n == OPTION_LIST_MAX)
			return refuse(p, "--%s can be given %d times at most", o->name,
				      OPTION_LIST_MAX);
		list->items[list->n++] = text;
		return 0;
	case OPTION_PERCENT:
		if (parse_percent(text, to) < 0)
			return refuse(p, "--%s wants a percentage above 0, up to 100, not '%s'",
				      o->name, text);
		return 0;
	case OPTION_NUMBER:
	case OPTION_SIZE:
	case OPTION_DURATION:
		return store_number(p, o, text, to);
	}
	assert(false);
	return -EINVAL;
}

/* "--name" or "--name=value"; the argument itself has been taken. */
static int take_long(struct parser *p, const char *argument)
{
	const char *name = argument + 2, *equals = strchr(name, '=');
	size_t length = equals ? (size_t)(equals - name) : strlen(name);
	const char *text = equals ? equals + 1 : NULL;
	const struct cli_option *o;
	void *values;

	o = find(p, name, length, 0, &values);
	if (!o)
		return refuse(p, "unknown option '--%.*s'", (int)(length > 64 ? 64 : length), name);
	if (!has_value(o) && text)
		return refuse(p, "--%s takes no value", o->name);
	if (has_value(o) && !text) {
		if (p->next >= p->argc)
			return refuse(p, "--%s wants a value", o->name);
		text = p->argv[p->next++];
	}
	return store(p, o, text, values);
}

/* "-jq", "-sPATH" or "-s" "PATH". */
static int take_letters(struct parser *p, const char *argument)
{
	const char *at;

	for (at = argument + 1; *at; at++) {
		const struct cli_option *o;
		const char *text = NULL;
		void *values;
		int r;

		o = find(p, NULL, 0, *at, &values);
		if (!o)
			return refuse(p, "unknown option '-%c'", *at);
		if (has_value(o)) {
			text = at[1] ? at + 1 : p->next < p->argc ? p->argv[p->next++] : NULL;
			if (!text)
				return refuse(p, "-%c wants a value", *at);
		}
		r = store(p, o, text, values);
		if (r < 0)
			return r;
		if (has_value(o))
			break;
	}
	return 0;
}

static int check_operands(struct parser *p, const struct operands *operands)
{
	if (operands->n < p->set->min_operands)
		return refuse(p, "%s is missing",
			      p->set->operands ? p->set->operands : "an argument");
	if (operands->n > p->set->max_operands)
		return refuse(p, "surplus argument '%s'", operands->items[p->set->max_operands]);
	return 0;
}

int options_parse(const struct option_set *set, int argc, char **argv, void *values,
		  struct cli_context *context, struct operands *ret, char why[OPTIONS_WHY_BYTES])
{
	struct parser p = {
		.set = set,
		.values = values,
		.context = context,
		.argc = argc,
		.argv = argv,
		.next = 1,
		.why = why,
	};
	struct operands operands = { .items = argv + 1, .n = 0 };
	bool literal = false;
	int r;

	while (p.next < argc) {
		char *argument = argv[p.next++];

		if (literal || argument[0] != '-' || argument[1] == '\0') {
			operands.items[operands.n++] = argument;
			literal = literal || set->stop_at_operand;
			continue;
		}
		if (strcmp(argument, "--") == 0) {
			literal = true;
			continue;
		}
		r = argument[1] == '-' ? take_long(&p, argument) : take_letters(&p, argument);
		if (r < 0)
			return r;
		if (p.help)
			return 1;
	}
	r = check_operands(&p, &operands);
	if (r < 0)
		return r;
	/* Ends the list as exec(3) wants it; without options in front, argv's own end does. */
	if (operands.n + 1 < (size_t)argc)
		operands.items[operands.n] = NULL;
	*ret = operands;
	return 0;
}
