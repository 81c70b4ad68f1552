/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all verbs share: the options that may stand before or after the verb, the exit codes, and
 * the two ways out: data on standard output, messages on standard error.
 */
#ifndef SEEP_CLI_CONTEXT_H
#define SEEP_CLI_CONTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <syslog.h>

#define CLI_DEFAULT_SOCKET "/run/seep/seep.sock"

/* Every verb returns one of these. */
enum cli_exit {
	CLI_OK = 0,
	CLI_ERROR = 1,
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3, /* no daemon answers */
	CLI_DENIED = 4,
	CLI_NO_TARGET = 5,
};

/* Strings are borrowed from the environment or the command line. */
struct cli_context {
	const char *socket_path;
	const char *color; /* "auto", "always" or "never" */
	bool json;
	bool quiet;	/* no hints, no confirmations */
	bool no_legend; /* no column headings, no sums */
	bool raw_bytes; /* bytes as plain numbers */
};

/* The defaults, and $SEEP_SOCKET. */
void cli_context_init(struct cli_context *c);

/* One line on standard error. Control characters in the result become '?'. */
void cli_message(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define cli_error(...)	 cli_message(LOG_ERR, __VA_ARGS__)
#define cli_warning(...) cli_message(LOG_WARNING, __VA_ARGS__)
#define cli_info(...)	 cli_message(LOG_INFO, __VA_ARGS__)

/* Says that memory ran out and returns CLI_ERROR. */
int cli_no_memory(void);

/*
 * Writes @value to standard output: indented and in ASCII on a terminal (so that nothing in it can
 * steer the terminal), else on one line. Returns an exit code.
 */
int cli_print_json(const json_t *value);

#endif
