/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The classic design (classic.bpf.c), attached as its tools do: perf uprobes at the first
 * instruction of malloc and free, and one at malloc's return.
 */
#ifndef SEEP_BENCH_CLASSIC_H
#define SEEP_BENCH_CLASSIC_H

#include <sys/types.h>

#include "allocator.h"
#include "base/cleanup.h"
#include "stack.h"

struct classic;

/* Loads the programs. Negative errno. */
int classic_new(struct classic **ret);
struct classic *classic_free(struct classic *c);
DEFINE_CLEANUP(struct classic *, classic_free)

/* Probes one process, once at a time. Negative errno. */
int classic_attach(struct classic *c, const struct allocator *a, pid_t pid);
void classic_detach(struct classic *c);

/*
 * Compares the recorded stack that is most like the true one with it. -ENOENT: no stack was
 * recorded.
 */
int classic_stack(struct classic *c, const struct loop_answer *truth, struct stack_seen *ret);

#endif
