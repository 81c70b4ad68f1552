// SPDX-License-Identifier: GPL-2.0-or-later
/* What all renderings share: options, styles, JSON. See render.h. */
#include "cli/render.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/context.h"
#include "cli/text.h"

static bool wants_colour(const struct cli_context *context, bool terminal)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (strcmp(context->color, "always") == 0)
		return true;
	if (strcmp(context->color, "never") == 0)
		return false;
	return terminal && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
}

static unsigned terminal_columns(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void render_options_init(struct render_options *o, const struct cli_context *context, FILE *out)
{
	int fd = fileno(out);
	bool terminal = fd >= 0 && isatty(fd) == 1;

	*o = (struct render_options){
		.colour = wants_colour(context, terminal),
		.ascii = terminal && strcmp(nl_langinfo(CODESET), "UTF-8") != 0,
		.legend = !context->no_legend,
		.raw_bytes = context->raw_bytes,
		.hints = !context->quiet && !context->no_legend,
		.indent_json = terminal,
		.columns = terminal ? terminal_columns(fd) : 0,
	};
}

void render_style(FILE *out, const struct render_options *o, enum render_style style)
{
	static const char *const codes[] = {
		[RENDER_PLAIN] = "\033[0m",
		[RENDER_BOLD] = "\033[1m",
		[RENDER_DIM] = "\033[2m",
		[RENDER_WARN] = "\033[33m",
	};

	if (o->colour)
		(void)fputs(codes[style], out);
}

int render_json(FILE *out, const json_t *value, bool indent)
{
	size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) |
		       (indent ? JSON_INDENT(2) | JSON_ENSURE_ASCII : 0);

	errno = 0;
	if (json_dumpf(value, out, flags) < 0 || fputc('\n', out) == EOF || fflush(out) != 0)
		return errno > 0 ? -errno : -EIO;
	return 0;
}

void render_next(FILE *out, const struct render_options *o, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;
	int n;

	if (!o->hints)
		return;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		text = NULL; /* vasprintf() leaves it undefined on failure */
		return;
	}
	(void)fputs("\nNext: ", out);
	render_style(out, o, RENDER_BOLD);
	text_put_clean(out, text, o->ascii);
	render_style(out, o, RENDER_PLAIN);
	(void)fputc('\n', out);
}
