/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for the books of leakgen, which no tracer of allocators sees: straight from the kernel.
 *
 * The simulation's sources are compiled for leakgen with this file included first, so that what
 * they keep of their own is not among the blocks that are watched.
 */
#ifndef SEEP_LEAKGEN_KEEP_H
#define SEEP_LEAKGEN_KEEP_H

#include <stddef.h>
#include <stdlib.h>

/* As realloc() and free(); new memory is zero. */
void *keep_realloc(void *at, size_t bytes);
void keep_free(void *at);

#ifdef LEAKGEN_KEEPS
#define realloc keep_realloc
#define free	keep_free
#endif

#endif
