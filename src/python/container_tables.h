/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How containers read tables: arrays of words, dicts of every kind, frames. For containers.c alone.
 */
#ifndef SEEP_PYTHON_CONTAINER_TABLES_H
#define SEEP_PYTHON_CONTAINER_TABLES_H

#include "python/containers.h"

/* Longer ones are not believed. */
#define PYTHON_TABLE_BYTES (1ull << 30)

struct python_table {
	uint64_t address;
	uint64_t n;
	uint32_t stride; /* at most 32 bytes */
};

/* In pieces. @fn gets each entry's bytes; results as python_slots_each(). */
typedef int (*python_entry_fn)(const uint8_t *entry, uint64_t index, void *userdata);
int python_table_each(const struct python_reader *r, const struct python_table *t,
		      python_entry_fn fn, void *userdata);

/* Tells the words of a table that are not 0. */
int python_words_each(const struct python_reader *r, uint64_t address, uint64_t n,
		      enum python_slot_kind kind, uint64_t key, python_slot_fn fn, void *userdata);

/* One reference at @address, unless it is 0. */
int python_word_slot(const struct python_reader *r, uint64_t address, struct python_slot slot,
		     python_slot_fn fn, void *userdata);

/* Attributes: the values of an instance, and its dict as a NAMESPACE. */
int python_attributes_each(const struct python_reader *r, const struct python_object_ref *o,
			   python_slot_fn fn, void *userdata);

int python_generator_each(const struct python_reader *r, uint64_t generator, python_slot_fn fn,
			  void *userdata);
int python_frame_object_each(const struct python_reader *r, uint64_t object, python_slot_fn fn,
			     void *userdata);

/* What a word of a stack or a frame refers to: 3.14 keeps flags in its low bits. */
static inline uint64_t python_untag(const struct python_layout *l, uint64_t word)
{
	return l->minor >= 14 ? word & ~3ull : word;
}

#endif
