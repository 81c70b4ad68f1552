/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of generated code: the text file /tmp/perf-PID.map that runtimes write for profilers, a line
 * "START SIZE NAME" per function, numbers in hex. Hostile text: only the sandboxed child reads it.
 */
#ifndef SEEP_SYMBOLIZE_PERF_MAP_H
#define SEEP_SYMBOLIZE_PERF_MAP_H

#include <stdint.h>

#include "base/cleanup.h"

#define PERF_MAP_BYTES_MAX (64u << 20)

struct perf_map;

/* Takes over @fd, also on failure. -ENOEXEC: not one line is of this form. -EFBIG, -ENOMEM. */
int perf_map_read(int fd, struct perf_map **ret);

/* Reads the file again if it has grown: runtimes add to it all the time. */
void perf_map_refresh(struct perf_map *m);

struct perf_map *perf_map_free(struct perf_map *m);
DEFINE_CLEANUP(struct perf_map *, perf_map_free)

/* The function at an address, borrowed; NULL: none. Of several the one written last. */
const char *perf_map_find(const struct perf_map *m, uint64_t address);

#endif
