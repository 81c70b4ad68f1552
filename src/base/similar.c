// SPDX-License-Identifier: GPL-2.0-or-later
/* Likeness of words. See similar.h. */
#include "base/similar.h"

#include <stddef.h>
#include <string.h>

#define TOO_FAR 3

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Not that of the locale: the words are the program's. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned d[SIMILAR_BYTES_MAX + 1][SIMILAR_BYTES_MAX + 1];
	size_t i, j;

	for (i = 0; i <= n; i++)
		d[i][0] = (unsigned)i;
	for (j = 0; j <= m; j++)
		d[0][j] = (unsigned)j;
	for (i = 1; i <= n; i++) {
		for (j = 1; j <= m; j++) {
			d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1,
					d[i - 1][j - 1] + (lower(a[i - 1]) != lower(b[j - 1])));
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1, d[i][j]);
		}
	}
	return d[n][m];
}

unsigned similar_distance(const char *written, const char *word)
{
	size_t n = strnlen(written, SIMILAR_BYTES_MAX + 1),
	       m = strnlen(word, SIMILAR_BYTES_MAX + 1);
	unsigned d;

	if (n == 0 || n > SIMILAR_BYTES_MAX || m > SIMILAR_BYTES_MAX)
		return SIMILAR_NOT;
	d = distance(written, n, word, m);
	return d < TOO_FAR && 2 * d < n + 1 ? d : SIMILAR_NOT;
}
