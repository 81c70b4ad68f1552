/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A section with call frame information, as libdw will read it: from the same bytes. For cfi_*.c only. */
#ifndef SEEP_ELF_CFI_SECTION_H
#define SEEP_ELF_CFI_SECTION_H

#include <elf.h>

#include "elf/cfi.h"

struct cfi_section {
	Elf_Data *data;
	uint64_t vaddr;
	bool is_eh_frame;
	unsigned char ident[EI_NIDENT];
	/* The linker's sorted table in .eh_frame_hdr, by which libdw finds an entry (Linux Standard Base,
	 * 10.6.2): pairs of words, relative to an address. */
	const uint8_t *table;
	uint32_t n_table;
	uint64_t table_base;
};

/*
 * 1: it is there. 0: it is not. -EBADMSG: it is there twice, or its table has another form than linkers give
 * it. A file without section headers has its .eh_frame by way of the program header.
 */
int cfi_section_open(const struct image *image, const char *name, struct cfi_section *ret);

/* Offset in the section of the entry that the table names; -ERANGE: it names none. */
int cfi_section_table_entry(const struct cfi_section *s, uint32_t i, uint64_t *ret);

#endif
