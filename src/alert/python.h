/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an alert knows of leaking Python objects: their type, where they are made, who holds them.
 */
#ifndef SEEP_ALERT_PYTHON_H
#define SEEP_ALERT_PYTHON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define ALERT_LINES_MAX	     16
#define ALERT_HOLDERS_MAX    8
#define ALERT_COMPANIONS_MAX 8

/* A line that makes such objects. All texts are owned; NULL: not known. */
struct alert_line {
	char *function;
	char *file;
	uint32_t line;	    /* 0: not known */
	uint64_t survivors; /* of those that were seen to be made, */
	uint64_t sampled;
	double share; /* of all survivors that were sampled, 0 to 1 */
};

struct alert_holder {
	char *path;	 /* from a root to the objects: "app._tasks" */
	char *container; /* type of what holds them; NULL: not known */
	unsigned int samples;
};

/* What comes and stays with each object. */
struct alert_companion {
	char *type;
	double per_object;
};

struct alert_python {
	char *type; /* "_asyncio.Task" */
	char *function; /* the code that a task, coroutine or generator runs; NULL: the type runs none */
	char *file;
	uint32_t line;
	bool done;					   /* they have all ended */
	double bytes_per_object;			   /* with companions; 0: not known */
	struct alert_companion with[ALERT_COMPANIONS_MAX]; /* the largest first */
	size_t n_with;
	struct alert_line created_at[ALERT_LINES_MAX]; /* largest share first */
	size_t n_created_at;
	double constructions_seen; /* share of all constructions that were seen; 0: not known */
	struct alert_holder held_by[ALERT_HOLDERS_MAX]; /* most samples first */
	size_t n_held_by;
	unsigned int held_samples; /* objects whose holders were looked for */
};

struct alert_python *alert_python_new(const char *type); /* NULL: no memory */
struct alert_python *alert_python_free(struct alert_python *p);
DEFINE_CLEANUP(struct alert_python *, alert_python_free)

/* Copies of the texts, which may be NULL. Of more than there is room for the rest is left out. -ENOMEM. */
int alert_python_set_code(struct alert_python *p, const char *function, const char *file,
			  uint32_t line, bool done);
int alert_python_add_companion(struct alert_python *p, const char *type, double per_object);
int alert_python_add_line(struct alert_python *p, const struct alert_line *line);
int alert_python_add_holder(struct alert_python *p, const char *path, const char *container,
			    unsigned int samples);

/* What is not known of @to any more, and is of @from, goes over. */
void alert_python_keep(struct alert_python *from, struct alert_python *to);

/* "type", "runs", "with", "created_at" and so on, into an alert's object; @p NULL: empty. -ENOMEM. */
int alert_python_put(json_t *o, const struct alert_python *p);

/* "created_at" alone: an array, the caller's. NULL: no memory. */
json_t *alert_python_lines(const struct alert_python *p);

/* The way back, not trusted: -EINVAL, -ENOMEM. *ret NULL: the alert is none of Python objects. */
int alert_python_read(const json_t *o, struct alert_python **ret);

/* "_asyncio.Task of Hub.audit (story.py:16)", "app.Session". The caller's; -ENOMEM. */
int alert_python_name(const struct alert_python *p, char **ret);

#endif
