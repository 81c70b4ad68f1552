/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call frame information: where the functions are, and what libdw says of an address, as a row.
 *
 * Parses hostile input: only the sandboxed child calls it.
 */
#ifndef SEEP_ELF_CFI_H
#define SEEP_ELF_CFI_H

#include <elfutils/libdw.h>

#include "elf/image.h"
#include "elf/unwind_table.h"

/* Start addresses of the functions that have an FDE, ascending, each once. */
struct cfi_starts {
	uint64_t *list; /* owned */
	size_t n;
};

void cfi_starts_done(struct cfi_starts *starts);

/* From .eh_frame_hdr's search table if it is usable, else from the entries of .eh_frame. */
int cfi_eh_frame_starts(const struct image *image, struct cfi_starts *starts);

/* From the entries of .debug_frame. */
int cfi_debug_frame_starts(const struct image *image, struct cfi_starts *starts);

/* Rule, offsets (not the pc) of one row of the table. */
void cfi_row(Dwarf_Frame *frame, struct unwind_row *row);

#endif
