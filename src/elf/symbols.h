/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Function symbols of an ELF file, sorted by address.
 *
 * libdwfl searches its symbols one by one for every address; here it is a binary search. Names
 * point into the ELF files that they were read from, which outlive the index.
 */
#ifndef SEEP_ELF_SYMBOLS_H
#define SEEP_ELF_SYMBOLS_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct symbol {
	uint64_t vaddr;
	uint64_t size;	  /* 0: not known */
	uint64_t reach;	  /* highest end of this and all symbols before it */
	const char *name; /* borrowed; may have a version: symbol_name_length() */
	uint8_t binding;  /* STB_… */
	bool is_hidden;	  /* STV_HIDDEN or STV_INTERNAL */
	bool is_ifunc;	  /* the address is that of a resolver, not of the function */
};

struct symbols {
	struct symbol *list; /* owned; one per address and size, the best of its aliases */
	size_t n;
};

/* Length of a name without its "@VERSION". */
size_t symbol_name_length(const char *name);

/* Called for every function that a table defines; a non-zero result ends the walk. */
typedef int (*symbol_fn)(const struct symbol *symbol, void *userdata);

/*
 * Walks the functions of all tables of one type (SHT_SYMTAB or SHT_DYNSYM). Returns what @each
 * returned last.
 */
int symbols_walk(Elf *elf, uint32_t type, symbol_fn each, void *userdata);

/* Whether the file has a table of that type with contents. */
bool symbols_has_table(Elf *elf, uint32_t type);

/* Adds a file's functions; symbols_sort() comes after the last one. */
int symbols_add(struct symbols *symbols, Elf *elf, uint32_t type);
void symbols_sort(struct symbols *symbols);
void symbols_done(struct symbols *symbols);

/*
 * The function at an address. *ret_exact: the address lies within the symbol's size; otherwise it
 * is only the nearest symbol below, not below @floor. NULL: there is none.
 */
const struct symbol *symbols_lookup(const struct symbols *symbols, uint64_t vaddr, uint64_t floor,
				    bool *ret_exact);

#endif
