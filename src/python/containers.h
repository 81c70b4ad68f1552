/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The references that an object holds, in the eyes of the object itself, and their names in Python.
 *
 * A word that its owner considers free (a list's slots behind its length, a deque's outside of its ends, the
 * locals of a coroutine that has ended) is no reference, whatever stands there.
 */
#ifndef SEEP_PYTHON_CONTAINERS_H
#define SEEP_PYTHON_CONTAINERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/shapes.h"

struct python_reader {
	const struct python_memory *memory;
	const struct python_layout *layout;
	uint64_t code_type;   /* PyCode_Type, which frames are checked by */
	uint64_t deadline_ns; /* monotonic; looked at in tables that are long */
};

struct python_object_ref {
	uint64_t address;
	const struct python_type *type;
	enum python_shape shape;
};

/* What a reference is, by which its name is made. */
enum python_slot_kind {
	PYTHON_SLOT_KEY,	/* value of a dict: ['key'] */
	PYTHON_SLOT_KEY_ITSELF, /* key of a dict */
	PYTHON_SLOT_ATTRIBUTE,	/* .key, in a table of an instance's own */
	PYTHON_SLOT_MEMBER,	/* .name, at an offset that the type names */
	PYTHON_SLOT_INDEX,	/* [i] of a list */
	PYTHON_SLOT_ITEM,	/* (i) of a tuple */
	PYTHON_SLOT_ANY,	/* {*} of a set */
	PYTHON_SLOT_QUEUED,	/* [*] of a deque */
	PYTHON_SLOT_LOCAL,	/* a local variable */
	PYTHON_SLOT_STACK,	/* on a frame's stack: what it awaits, iterates over */
	PYTHON_SLOT_NAMESPACE,	/* the dict with the attributes: its keys are .key */
	PYTHON_SLOT_FIXED,	/* .text */
	PYTHON_SLOT_WORD,	/* at an offset that nobody names */
};

struct python_slot {
	enum python_slot_kind kind;
	uint64_t value;
	uint64_t key; /* KEY, ATTRIBUTE: a str or another object; MEMBER: a C string; LOCAL: code */
	uint64_t index;	  /* INDEX, ITEM, LOCAL; WORD: offset */
	const char *text; /* FIXED: static */
};

/*
 * Calls back for each reference that lives; a name is told before a mere word of the same value. 0, or the
 * first result of @fn that is not 0, or -EFAULT, -EINVAL (no sane object), -ETIMEDOUT. What came before an
 * error was told.
 */
typedef int (*python_slot_fn)(const struct python_slot *slot, void *userdata);
int python_slots_each(const struct python_reader *r, const struct python_object_ref *o,
		      python_slot_fn fn, void *userdata);

/* The locals of a frame that runs, and what is known to live on its stack. */
int python_frame_slots_each(const struct python_reader *r, uint64_t frame, python_slot_fn fn,
			    void *userdata);

/* As python_slots_each(), of what is known to be a dict. */
int python_dict_slots_each(const struct python_reader *r, uint64_t dict, python_slot_fn fn,
			   void *userdata);

/*
 * Address of the table outside of the object that its references lie in, or 0; what has several (a deque)
 * tells the first. @bytes, @n of them, are the object's own.
 */
uint64_t python_table_of(const struct python_layout *l, const struct python_object_ref *o,
			 const uint8_t *bytes, size_t n);

/* "['key']", ".name", "<local x of f (file.py:17)>"; UTF-8, cut to @room. A NAMESPACE has none. */
void python_slot_name(const struct python_reader *r, const struct python_object_ref *o,
		      const struct python_slot *slot, char *to, size_t room);

#endif
