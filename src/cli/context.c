// SPDX-License-Identifier: GPL-2.0-or-later
/* Defaults of the common options, messages and JSON output. See context.h. */
#include "cli/context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/render.h"
#include "cli/text.h"

void cli_context_init(struct cli_context *c)
{
	const char *path = getenv("SEEP_SOCKET");

	*c = (struct cli_context){
		.socket_path = path && *path ? path : CLI_DEFAULT_SOCKET,
		.color = "auto",
	};
}

void cli_message(int level, const char *format, ...)
{
	_cleanup_free_ char *raw = NULL;
	_cleanup_free_ char *clean = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&raw, format, args);
	va_end(args);
	if (n < 0) {
		raw = NULL; /* vasprintf() leaves it undefined on failure */
		log_message(level, "out of memory");
		return;
	}
	clean = text_clean(raw, false);
	log_message(level, "%s", clean ? clean : "out of memory");
}

int cli_no_memory(void)
{
	log_error("out of memory");
	return CLI_ERROR;
}

int cli_print_json(const json_t *value)
{
	int r = render_json(stdout, value, isatty(STDOUT_FILENO) == 1);

	if (r < 0) {
		cli_error("failed to write JSON to standard output: %s", strerror(-r));
		return CLI_ERROR;
	}
	return CLI_OK;
}
