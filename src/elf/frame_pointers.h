/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the code of a file keeps frame pointers.
 *
 * Decided from the file, never guessed while a stack is walked: where rbp is a register like any
 * other, following it yields plausible nonsense.
 */
#ifndef SEEP_ELF_FRAME_POINTERS_H
#define SEEP_ELF_FRAME_POINTERS_H

#include <stdbool.h>

#include "elf/image.h"

/* Go: the compiler keeps frame pointers on x86-64 and writes no call frame information. */
bool frame_pointers_by_go(const struct image *image);

/*
 * Whether functions make a frame with rbp before they call anybody: three in four of a sample of
 * those that have a symbol.
 */
bool frame_pointers_by_prologue(const struct image *image);

#endif
