/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A census of Python objects, as the JSON objects of the API. */
#ifndef SEEP_SERVE_VIEW_CENSUS_H
#define SEEP_SERVE_VIEW_CENSUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct monitor;
struct python_census;

enum census_sort {
	CENSUS_BY_BYTES,
	CENSUS_BY_COUNT,
	CENSUS_BY_GROWTH, /* what is not known to grow last, by its bytes */
};

struct census_options {
	bool by_type; /* kinds of one type are summed up; else each with its code */
	enum census_sort sort;
	size_t limit;
};

/* Words of the API: "bytes", ...; -EINVAL. */
int census_sort_parse(const char *text, enum census_sort *ret);

struct census_view {
	const struct python_census *census;
	uint32_t target; /* key; 0: a process that is not tracked, of which nothing more is known */
	pid_t pid;
	uint64_t taken_ns;    /* monotonic */
	uint64_t interval_ns; /* 0: no other one is planned */
};

/* -ENOMEM. */
int view_census(struct monitor *m, const struct census_view *v, const struct census_options *o,
		json_t **ret);
/* The same as a listing of /v1/sites, by type. */
int view_census_sites(struct monitor *m, const struct census_view *v,
		      const struct census_options *o, json_t **ret);

#endif
