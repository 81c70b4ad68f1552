// SPDX-License-Identifier: GPL-2.0-or-later
/* Query strings. See query.h. */
#include "serve/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int percent_decode(const char *text, size_t n, bool plus_is_blank, char **ret, const char **ret_why)
{
	_cleanup_free_ char *out = malloc(n + 1);
	size_t used = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < n ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0) {
				*ret_why = "'%' must be followed by two hexadecimal digits.";
				return -EINVAL;
			}
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		if (c == '\0') {
			*ret_why = "The address holds a NUL byte.";
			return -EINVAL;
		}
		out[used++] = c;
	}
	out[used] = '\0';
	if (!utf8_is_printable(out, used)) {
		*ret_why = "The address must be printable UTF-8.";
		return -EINVAL;
	}
	*ret = TAKE_PTR(out);
	return 0;
}

/* One "name=value". */
static int add_item(struct query *q, const char *text, size_t n, const char **ret_why)
{
	_cleanup_free_ char *name = NULL, *value = NULL;
	const char *equals = memchr(text, '=', n);
	size_t name_bytes = equals ? (size_t)(equals - text) : n;
	int r;

	if (name_bytes == 0) {
		*ret_why = "A query parameter has no name; write name=value, joined by '&'.";
		return -EINVAL;
	}
	if (q->n == QUERY_MAX) {
		*ret_why = "There are more than 64 query parameters.";
		return -EINVAL;
	}
	r = percent_decode(text, name_bytes, true, &name, ret_why);
	if (r < 0)
		return r;
	if (equals)
		r = percent_decode(equals + 1, n - name_bytes - 1, true, &value, ret_why);
	else
		r = percent_decode("", 0, true, &value, ret_why);
	if (r < 0)
		return r;
	q->items[q->n++] = (struct query_item){ TAKE_PTR(name), TAKE_PTR(value) };
	return 0;
}

int query_parse(const char *text, struct query *ret, const char **ret_why)
{
	_cleanup_(query_done) struct query q = { .n = 0 };
	int r;

	if (!text)
		text = "";
	while (*text) {
		size_t n = strcspn(text, "&");

		r = add_item(&q, text, n, ret_why);
		if (r < 0)
			return r;
		text += n;
		if (*text == '&' && *++text == '\0') {
			*ret_why = "The query ends with '&'.";
			return -EINVAL;
		}
	}
	*ret = q;
	q.n = 0;
	return 0;
}

void query_done(struct query *q)
{
	for (size_t i = 0; i < q->n; i++) {
		free(q->items[i].name);
		free(q->items[i].value);
	}
	q->n = 0;
}

const char *query_get(const struct query *q, const char *name)
{
	for (size_t i = 0; i < q->n; i++)
		if (strcmp(q->items[i].name, name) == 0)
			return q->items[i].value;
	return NULL;
}

static const struct query_rule *find_rule(const struct query_rule *rules, const char *name)
{
	for (; rules && rules->name; rules++)
		if (strcmp(rules->name, name) == 0)
			return rules;
	return NULL;
}

const struct query_item *query_find_unknown(const struct query *q, const struct query_rule *rules)
{
	for (size_t i = 0; i < q->n; i++)
		if (!find_rule(rules, q->items[i].name))
			return &q->items[i];
	return NULL;
}

const struct query_item *query_find_repeated(const struct query *q, const struct query_rule *rules)
{
	for (size_t i = 0; i < q->n; i++) {
		const struct query_rule *rule = find_rule(rules, q->items[i].name);

		/* The first of the name is another item: this one is the second. */
		if (rule && !rule->repeats && query_get(q, q->items[i].name) != q->items[i].value)
			return &q->items[i];
	}
	return NULL;
}
