// SPDX-License-Identifier: GPL-2.0-or-later
/* Cleaning, measuring and cutting text for terminals. See text.h. */
#include "cli/text.h"

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

char *text_clean(const char *s, bool ascii)
{
	char *clean, *from, *to;

	if (utf8_sanitize(s, strlen(s), &clean) < 0)
		return NULL;
	if (!ascii)
		return clean;
	for (from = to = clean; *from; from++) {
		unsigned char byte = (unsigned char)*from;

		/* One '?' for the first byte of a character, nothing for the others. */
		if (byte < 0x80)
			*to++ = *from;
		else if ((byte & 0xc0) != 0x80)
			*to++ = '?';
	}
	*to = '\0';
	return clean;
}

void text_put_clean(FILE *out, const char *s, bool ascii)
{
	_cleanup_free_ char *clean = s ? text_clean(s, ascii) : NULL;

	if (s)
		(void)fputs(clean ? clean : "?", out);
}

size_t text_width(const char *clean)
{
	size_t width = 0;

	for (; *clean; clean++)
		if (((unsigned char)*clean & 0xc0) != 0x80)
			width++;
	return width;
}

/* How many bytes the first @columns characters take. */
static size_t prefix_bytes(const char *clean, size_t columns)
{
	size_t width = 0, i;

	for (i = 0; clean[i]; i++) {
		if (((unsigned char)clean[i] & 0xc0) == 0x80)
			continue;
		if (width == columns)
			break;
		width++;
	}
	return i;
}

void text_put_cut(FILE *out, const char *clean, size_t columns, bool ascii)
{
	const char *mark = ascii ? "..." : "\u2026";
	size_t mark_width = ascii ? 3 : 1;

	if (columns <= mark_width || text_width(clean) <= columns) {
		(void)fputs(clean, out);
		return;
	}
	(void)fwrite(clean, 1, prefix_bytes(clean, columns - mark_width), out);
	(void)fputs(mark, out);
}

void text_put_wrapped(FILE *out, const char *clean, size_t indent, size_t columns)
{
	size_t at = indent;
	bool is_first = true; /* of its line */

	for (;;) {
		size_t bytes = strcspn(clean, " ");
		_cleanup_free_ char *word = strndup(clean, bytes);
		size_t width = word ? text_width(word) : bytes;

		if (columns && !is_first && at + 1 + width > columns) {
			(void)fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!is_first) {
			(void)fputc(' ', out);
			at++;
		}
		(void)fwrite(clean, 1, bytes, out);
		at += width;
		is_first = false;
		if (!clean[bytes])
			return;
		clean += bytes + 1;
	}
}

const char *text_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}
