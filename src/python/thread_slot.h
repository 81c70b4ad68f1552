/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the threads of an interpreter keep their states.
 *
 * Found by trying, not by decoding: a state tells its thread's pthread_self(), so the words of _PyRuntime
 * that may be a pthread key are tried until that thread's slot of it holds that very state. This is the
 * same in all versions and builds, and proves the C library's layout along the way.
 */
#ifndef SEEP_PYTHON_THREAD_SLOT_H
#define SEEP_PYTHON_THREAD_SLOT_H

#include "python/interpreter.h"

/* Fills thread_slot and running of @i, or leaves them 0. @bytes: size of _PyRuntime, 0: unknown. */
void python_thread_slot_find(struct python_interpreter *i, uint64_t bytes);

#endif
