/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of an address after '?', with its percent-encoding. Pure.
 */
#ifndef SEEP_SERVE_QUERY_H
#define SEEP_SERVE_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#define QUERY_MAX 64

struct query_item {
	char *name;  /* owned */
	char *value; /* owned */
};

struct query {
	struct query_item items[QUERY_MAX];
	size_t n;
};

/* Names that a route knows. A list of them ends with a NULL name. */
struct query_rule {
	const char *name;
	bool repeats;
};

/*
 * Takes "a=1&b=%2F"; NULL is an empty query. Text that is no printable UTF-8 and NUL bytes are
 * refused. -EINVAL, then *ret_why is a static sentence; -ENOMEM.
 */
int query_parse(const char *text, struct query *ret, const char **ret_why);
void query_done(struct query *q);

const char *query_get(const struct query *q, const char *name); /* NULL: not there */

/* The first item that no rule knows; NULL: none. */
const struct query_item *query_find_unknown(const struct query *q, const struct query_rule *rules);
/* The first item that is there twice and may not be; NULL: none. */
const struct query_item *query_find_repeated(const struct query *q, const struct query_rule *rules);

/* @n bytes at @text, %XX and, if wanted, '+' decoded. Errors as of query_parse(). Caller frees. */
int percent_decode(const char *text, size_t n, bool plus_is_blank, char **ret,
		   const char **ret_why);

#endif
