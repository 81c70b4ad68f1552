/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiles unwind tables out of open ELF files.
 *
 * unwind_table_compile() is this with the file's own .debug_frame.
 */
#ifndef SEEP_ELF_UNWIND_COMPILE_H
#define SEEP_ELF_UNWIND_COMPILE_H

#include "elf/image.h"
#include "elf/unwind_table.h"

/*
 * @debug, if not NULL, is the file's separate debug file: its .debug_frame is used for what the
 * file's .eh_frame does not cover, if that says next to nothing and the file has none itself. Errors as unwind_table_compile().
 */
int unwind_compile(const struct image *image, const struct image *debug, struct unwind_table **ret);

#endif
