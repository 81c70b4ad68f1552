/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which code coroutines, generators, frames and tasks run, and whether they have ended.
 */
#ifndef SEEP_PYTHON_RUNNING_H
#define SEEP_PYTHON_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#include "python/layout.h"

/* Bytes of a generator that are looked at. */
#define PYTHON_GENERATOR_READ 80

/* Address of its code; 0: this version is not known well enough. */
uint64_t python_code_of_generator(const struct python_layout *l, const uint8_t *object);
/* It has returned, or was closed. */
bool python_generator_has_ended(const struct python_layout *l, const uint8_t *object);

#endif
