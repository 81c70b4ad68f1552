/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the daemon's targets a user means: by id, or by any selector (target/selector.h) that
 * is then compared with what the daemon says of its targets.
 */
#ifndef SEEP_CLI_PICK_H
#define SEEP_CLI_PICK_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/context.h"

/*
 * The one target of @targets (an array) that @text means; borrowed from @targets. Running ones win
 * over those that have exited. -EINVAL: @text is no selector, *ret_why says why; -ESRCH: none;
 * -ENOTUNIQ: several, all listed in *ret_candidates (a new array).
 */
int pick_target(json_t *targets, const char *text, json_t **ret, json_t **ret_candidates,
		const char **ret_why);

struct selector;

/* Whether the selector means an object with the members of a target: pid, exe, comm, unit, ... */
bool pick_means(const struct selector *s, const json_t *target);

/*
 * Asks the daemon for its targets and picks. CLI_OK and *ret (a new reference); else people have
 * been told and the result is the exit code.
 */
int pick_from_daemon(const struct cli_context *context, const char *text, json_t **ret);

/* One of both. */
struct pick {
	json_t *target; /* owned */
	char *service;	/* owned: a unit, or the path of a program */
};

void pick_done(struct pick *p);

/*
 * The same for what outlives its processes: targets of one service are meant together, and what is no
 * target is the name of a service. @text NULL: the only target.
 */
int pick_target_or_service(const struct cli_context *context, const char *text, struct pick *ret);

#endif
