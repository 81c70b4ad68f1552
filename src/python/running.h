/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which code coroutines, generators, frames and tasks run, and whether they have ended.
 */
#ifndef SEEP_PYTHON_RUNNING_H
#define SEEP_PYTHON_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#include "python/layout.h"
#include "python/memory.h"

/* Bytes of a generator that are looked at. */
#define PYTHON_GENERATOR_READ 80

/* Address of its code; 0: this version is not known well enough. */
uint64_t python_code_of_generator(const struct python_layout *l, const uint8_t *object);
/* It has returned, or was closed. */
bool python_generator_has_ended(const struct python_layout *l, const uint8_t *object);

/* Bytes of a frame that are looked at. */
#define PYTHON_FRAME_READ 40

/* Address of its code, of a frame object with its first bytes at @object; 0: it cannot be read. */
uint64_t python_code_of_frame(const struct python_layout *l, const struct python_memory *memory,
			      const uint8_t *object);

#endif
