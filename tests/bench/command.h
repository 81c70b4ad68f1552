/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running a program to its end.
 */
#ifndef SEEP_BENCH_COMMAND_H
#define SEEP_BENCH_COMMAND_H

#include "base/cleanup.h"

struct command_result {
	int status; /* of exit(2); 128 and the number of the signal that ended it */
	char *out;  /* owned: what it wrote to standard output and error */
	char *err;
};

/* @arguments ends with NULL; the first one is the program's path. Negative errno. */
int command_run(const char *const *arguments, struct command_result *ret);
void command_result_done(struct command_result *r);

#endif
