/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of seepctl doctor that tells where probes go in a file, and what they meet there.
 */
#ifndef SEEP_CLI_DOCTOR_PLACES_H
#define SEEP_CLI_DOCTOR_PLACES_H

#include <jansson.h>

struct cli_context;

/* The file of the C library that this program uses. Caller frees. -ENOENT: it uses none. */
int doctor_c_library(char **ret);

/*
 * Adds an object for each function of the file that seep hooks, in the order of the hook table:
 * {"file","build_id","function","site","offset","distance","instruction","emulated","calls_hooks"},
 * offset and distance in bytes. The file is read by the sandboxed child. -ENOEXEC: not an ELF file
 * for this machine; -EINVAL: not a regular file; other errors of opening it.
 */
int doctor_find_places(const char *path, json_t *places);

/* As a table on standard output; nothing for an empty array. 0 or -ENOMEM. */
int doctor_print_places(const json_t *places, const struct cli_context *context);

#endif
