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

/*
 * Whether call frame instructions name but registers that x86-64 has. False as well where one is not known,
 * or has an address, which no compiler for x86-64 writes: what stands behind it cannot be told.
 */
bool cfi_registers_fit(const uint8_t *start, const uint8_t *end);

/*
 * Moves @at behind an FDE's augmentation data, of which either the size stands there (LEB128) or is @size.
 * False: it does not end before @end.
 */
bool cfi_skip_augmentation(const uint8_t **at, const uint8_t *end, bool has_size, size_t size);

void cfi_starts_done(struct cfi_starts *starts);

/*
 * From the entries of .eh_frame. -EBADMSG: an entry names registers that there are not, see above, or has another
 * form than compilers give it.
 */
int cfi_eh_frame_starts(const struct image *image, struct cfi_starts *starts);

/* From the entries of .debug_frame. -EBADMSG as above. */
int cfi_debug_frame_starts(const struct image *image, struct cfi_starts *starts);

/* Rule, offsets (not the pc) of one row of the table. */
void cfi_row(Dwarf_Frame *frame, struct unwind_row *row);

#endif
