// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests of the inspector and their answers. See inspect_job.h. */
#include "python/inspect_job.h"

#include <errno.h>

struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	python_answer_done(&job->answer);
	free(job->items);
	free(job->why);
	free(job);
	return NULL;
}

static void call_census(struct job *job)
{
	struct python_census census;
	int r = job->error;

	if (r == 0)
		r = python_unpack_census(job->answer.bytes, job->answer.n, &census);
	if (r < 0) {
		job->done.census(r, job->why, NULL, job->userdata);
		return;
	}
	census.cpu_ns = job->cpu_ns;
	job->done.census(0, NULL, &census, job->userdata);
	python_census_done(&census);
}

static void call_objects(struct job *job)
{
	struct python_objects objects[PYTHON_WANTED_MAX];
	int r = job->error;

	if (r == 0)
		r = python_unpack_objects(job->answer.bytes, job->answer.n, job->n_items,
					  job->request.max, objects);
	if (r < 0) {
		job->done.objects(r, job->why, NULL, 0, job->cpu_ns, job->userdata);
		return;
	}
	job->done.objects(0, NULL, objects, job->n_items, job->cpu_ns, job->userdata);
	for (size_t i = 0; i < job->n_items; i++)
		python_objects_done(&objects[i]);
}

static void call_holders(struct job *job)
{
	struct python_holders holders;
	int r = job->error;

	if (r == 0)
		r = python_unpack_holders(job->answer.bytes, job->answer.n, &holders);
	holders.cpu_ns = job->cpu_ns;
	job->done.holders(r, job->why, r == 0 ? &holders : NULL, job->userdata);
}

static void call_constructors(struct job *job)
{
	struct python_constructors c;
	int r = job->error;

	if (r == 0)
		r = python_unpack_constructors(job->answer.bytes, job->answer.n, &c);
	job->done.constructors(r, job->why, r == 0 ? &c : NULL, job->userdata);
}

void job_call_back(struct job *job)
{
	switch (job->type) {
	case PYTHON_ASK_CENSUS:
		call_census(job);
		break;
	case PYTHON_ASK_OBJECTS:
		call_objects(job);
		break;
	case PYTHON_ASK_HOLDERS:
		call_holders(job);
		break;
	case PYTHON_ASK_CONSTRUCTORS:
		call_constructors(job);
		break;
	case PYTHON_HELLO:
		break;
	}
}
