/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that seep listens to.
 */
#ifndef SEEP_PROBE_HOOKS_H
#define SEEP_PROBE_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "../bpf/abi.h"

struct hook {
	enum hook_kind kind;
	bool required; /* a file without it is no allocator */
};

/* The symbols to look for, and what each means; same index. */
extern const char *const hook_names[];
extern const struct hook hooks[];
extern const size_t n_hooks;

#endif
