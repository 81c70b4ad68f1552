/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots of an ELF file: the words in which the dynamic linker writes addresses of functions.
 *
 * Code calls functions of other files, and public ones of its own, through such words (the GOT),
 * often by way of a stub in the PLT. Parses hostile input: only the sandboxed child calls it.
 */
#ifndef SEEP_ELF_SLOTS_H
#define SEEP_ELF_SLOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "elf/image.h"
#include "elf/nesting.h"

struct slots {
	struct nesting_slot *list; /* owned; ascending */
	size_t n;
};

/* @name may have a version: symbol_name_length(). */
typedef bool (*slots_is_hooked_fn)(const char *name, void *userdata);

/*
 * The slots of functions that have a hooked name, whoever defines them, and of those that the file
 * itself defines. Other files may define these as well and come first; that is not known here.
 */
int slots_read(const struct image *image, slots_is_hooked_fn is_hooked, void *userdata,
	       struct slots *ret);
void slots_done(struct slots *slots);

#endif
