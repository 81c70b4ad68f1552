/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request of the inspector, and who waits for its answer. */
#ifndef SEEP_PYTHON_INSPECT_JOB_H
#define SEEP_PYTHON_INSPECT_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "python/answers.h"
#include "python/inspect.h"

struct job {
	struct job *next;
	enum python_message type;
	struct python_request request;
	void *items; /* owned: what is wanted, or samples */
	size_t n_items;
	size_t item_bytes;
	union {
		python_census_fn census;
		python_objects_fn objects;
		python_holders_fn holders;
		python_constructors_fn constructors;
	} done;
	void *userdata;
	bool is_over;
	int error;
	char *why; /* owned; NULL: not known */
	uint64_t cpu_ns;
	struct python_answer answer;
};

struct job *job_free(struct job *job);
DEFINE_CLEANUP(struct job *, job_free)

/* Unpacks the answer for who asked. The callback may free the inspector, not the job. */
void job_call_back(struct job *job);

#endif
