/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hooked functions call one another.
 *
 * A call that a hooked function makes to another one is part of the first: musl's calloc calls
 * malloc, glibc's reallocarray jumps to realloc. The kernel side tells such a call by the return
 * probe that the outer one still owes; where it would like to do without, it has to know before.
 *
 *	calloc ──call──► malloc@plt ──jmp *slot──► malloc	nested
 *	memalign ──jmp──► local ──call──► local ──call──► malloc	nested, two calls deep
 *	free ──call──► abort's relatives, which never return	not nested: nothing is left to count
 *
 * The code is hostile. Work is bounded; what is beyond a bound, and calls through registers or
 * through memory that is no known slot, count as calls of nothing.
 */
#ifndef SEEP_ELF_NESTING_H
#define SEEP_ELF_NESTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls that are followed from a hooked function; the function itself not counted. */
#define NESTING_DEPTH 3

/* A word of memory that holds the address of a function, such as an entry of the GOT. */
struct nesting_slot {
	uint64_t vaddr;
	uint64_t target; /* in the same code, or NESTING_HOOKED */
};

/* A function with the name of a hooked one, whichever file's it will be. */
#define NESTING_HOOKED UINT64_MAX

/* A hooked function: to arrive anywhere from its start to its probe is to call it. */
struct nesting_hook {
	uint64_t start;
	uint64_t probe;
};

/* All arrays are borrowed. */
struct nesting_code {
	const uint8_t *bytes; /* of one executable segment */
	size_t size;
	uint64_t vaddr; /* of the first byte */
	/*
	 * Where functions start, ascending: code that runs into one from above came from a call that
	 * never returns. Without them it goes on there, and more functions may seem to call others.
	 */
	const uint64_t *starts;
	size_t n_starts;
	const struct nesting_slot *slots; /* ascending */
	size_t n_slots;
	const struct nesting_hook *hooks; /* in any order; equal ones are aliases */
	size_t n_hooks;
};

/*
 * Sets calls_hooks[i] if hook i may call a hooked function (itself, too) while it runs: by a call or
 * a jump, directly or through a slot, at most NESTING_DEPTH calls deep. -ENOMEM; -ENOTSUP: Capstone
 * cannot be used.
 */
int nesting_find(const struct nesting_code *code, bool *calls_hooks);

#endif
