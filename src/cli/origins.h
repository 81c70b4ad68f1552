/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seepctl census --origins: the lines that make objects of a type which stay. */
#ifndef SEEP_CLI_ORIGINS_H
#define SEEP_CLI_ORIGINS_H

#include "cli/context.h"

/* Asks the daemon to look for them, waits until it has, and prints them. An exit code. */
int cli_origins(const struct cli_context *context, const char *selector, const char *type);

#endif
