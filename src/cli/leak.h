/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding leaks, for the verbs that are about them. CLI_OK and a new reference; else people have been
 * told and the result is the exit code.
 */
#ifndef SEEP_CLI_LEAK_H
#define SEEP_CLI_LEAK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/context.h"

/* The daemon's answer to /v1/leaks, with up to 1000 leaks. @state (a word of the API) NULL: all. */
int leak_list(const struct cli_context *context, const char *state, json_t **ret);

/*
 * Drops from the array @leaks what @text does not mean: a service, a target's id, or a selector.
 * -EINVAL: it is none of these, *ret_why says why; -ENOMEM.
 */
int leak_select(json_t *leaks, const char *text, const char **ret_why);

/* The same, with people told. CLI_OK or an exit code; @text NULL: all are meant. */
int leak_select_or_explain(json_t *leaks, const char *text);

/* The one leak whose id begins so. */
int leak_find(const struct cli_context *context, const char *text, json_t **ret);

/* Told to people, not over, and neither acknowledged nor suppressed. */
bool leak_is_open(const json_t *leak);
bool leak_is_suspect(const json_t *leak);

/* A time of the API in milliseconds; 0: absent. */
uint64_t leak_time(const json_t *object, const char *key);

#endif
