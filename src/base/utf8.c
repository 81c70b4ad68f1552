// SPDX-License-Identifier: GPL-2.0-or-later
/* Text from elsewhere. See utf8.h. */
#include "base/utf8.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/* Length of the character at @s and its code point; 0 when there is no valid one. */
static size_t decode(const char *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)s[0];
	uint32_t c;
	size_t length;

	if (lead < 0x80) {
		*ret = lead;
		return 1;
	}
	if (lead < 0xc0 || lead >= 0xf8)
		return 0;
	length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (length > n)
		return 0;
	c = lead & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)s[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (next & 0x3f);
	}
	if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;

	*ret = c;
	return length;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

bool utf8_is_valid(const char *s, size_t n)
{
	uint32_t c;

	for (size_t i = 0, length; i < n; i += length) {
		length = decode(s + i, n - i, &c);
		if (length == 0)
			return false;
	}
	return true;
}

bool utf8_is_printable(const char *s, size_t n)
{
	uint32_t c;

	for (size_t i = 0, length; i < n; i += length) {
		length = decode(s + i, n - i, &c);
		if (length == 0 || is_control(c))
			return false;
	}
	return true;
}

int utf8_sanitize(const char *s, size_t n, char **ret)
{
	char *copy;
	size_t out = 0;
	uint32_t c;

	copy = malloc(n + 1);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0, length; i < n; i += length) {
		length = decode(s + i, n - i, &c);
		if (length == 0 || is_control(c)) {
			copy[out++] = '?';
			length = length ? length : 1;
			continue;
		}
		memcpy(copy + out, s + i, length);
		out += length;
	}
	copy[out] = '\0';

	*ret = copy;
	return 0;
}
