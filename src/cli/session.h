/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A monitor in the foreground: what seepctl run and seepctl trace have in common.
 */
#ifndef SEEP_CLI_SESSION_H
#define SEEP_CLI_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "cli/context.h"
#include "cli/grouping.h"
#include "cli/taking.h"
#include "monitor.h"

struct event_base;

/* Options of both verbs; limit 0: 20 sites as text, all in JSON. */
struct session_options {
	struct grouping grouping;
	const char *output; /* file for the report; NULL: standard output */
	struct taking taking;
	uint64_t max_blocks;
	uint64_t max_frames;
	uint64_t ring_bytes;
	const char *links; /* NULL, or one of monitor_link_words */
	bool verbose;
};

#define SESSION_DEFAULTS                                                               \
	{                                                                              \
		.grouping = { .by = "stack", .sort = "live" }, .max_blocks = 2u << 20, \
		.max_frames = 48                                                       \
	}

/* Rows of a table of struct cli_option; @type has a struct session_options called @member. */
#define SESSION_OPTIONS(type, member)                                                          \
	GROUPING_OPTIONS(type, member.grouping),                                               \
		{ "output", 'o', OPTION_TEXT, offsetof(type, member.output), "FILE",           \
		  NULL,	    0,	 0,	      "write the report to a file" },                  \
		TAKING_EXACT_OPTION(type, member.taking),                                      \
		TAKING_SAMPLE_OPTION(type, member.taking),                                     \
		{ "max-blocks",                                                                \
		  0,                                                                           \
		  OPTION_NUMBER,                                                               \
		  offsetof(type, member.max_blocks),                                           \
		  "N",                                                                         \
		  NULL,                                                                        \
		  64,                                                                          \
		  1u << 28,                                                                    \
		  "room for this many live blocks (default: 2097152)" },                       \
		{ "max-frames", 0, OPTION_NUMBER, offsetof(type, member.max_frames),	 "N",  \
		  NULL,		1, 127,		  "frames kept of a stack (default: 48)" },    \
		{ "ring-size",                                                                 \
		  0,                                                                           \
		  OPTION_SIZE,                                                                 \
		  offsetof(type, member.ring_bytes),                                           \
		  "SIZE",                                                                      \
		  NULL,                                                                        \
		  4096,                                                                        \
		  64u << 20,                                                                   \
		  "of the buffer for notes from the kernel (default: 256K)" },                 \
		{ "links",                                                                     \
		  0,                                                                           \
		  OPTION_CHOICE,                                                               \
		  offsetof(type, member.links),                                                \
		  NULL,                                                                        \
		  monitor_link_words,                                                          \
		  0,                                                                           \
		  0,                                                                           \
		  "set probes this way, not the best that works" },                            \
	{                                                                                      \
		"verbose", 'v', OPTION_FLAG, offsetof(type, member.verbose), NULL, NULL, 0, 0, \
			"say what is being done"                                               \
	}

struct session {
	struct event_base *base; /* owned */
	struct monitor *monitor; /* owned */
	const struct session_options *options;
	const struct cli_context *context;
	uint64_t started_ns;
	bool names_found;
	struct rlimit descriptors; /* before session_open() raised it */
};

/* Makes the monitor. An exit code; what went wrong has been said. */
int session_open(struct session *s, const struct session_options *options,
		 const struct cli_context *context, bool keep_exited);
void session_close(struct session *s);

/* Runs the event loop until *@done is set. */
void session_wait(struct session *s, const bool *done);

/* Waits until the files announced to the monitor have been looked at, at most @timeout_ns. */
void session_settle(struct session *s, uint64_t timeout_ns);

/* The target of a process: of its last image, if it executed several. NULL: none. */
const struct target *session_find(const struct session *s, pid_t pid);

/*
 * Reads the maps a last time, finds the names and writes the report on @root and on all other
 * targets as its children. An exit code.
 */
int session_report(struct session *s, const struct target *root);

#endif
