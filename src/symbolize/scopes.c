// SPDX-License-Identifier: GPL-2.0-or-later
/* Full names of functions. See scopes.h. */
#include "symbolize/scopes.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "symbolize/demangle.h"
#include "symbolize/protocol.h"

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((element)->failed = true)
#include <uthash.h>

/* Scopes around a function; an inlined call leads to its declaration in one or two steps. */
#define MAX_NESTING 64
#define MAX_STEPS   8

struct scoped_name {
	void *die;   /* where it is in the file's data */
	char *text;  /* owned */
	bool failed; /* could not be put into the hash */
	UT_hash_handle hh;
};

static struct scoped_name *name_free(struct scoped_name *name)
{
	if (name)
		free(name->text);
	free(name);
	return NULL;
}
DEFINE_CLEANUP(struct scoped_name *, name_free)

void scopes_done(struct scoped_name **names)
{
	struct scoped_name *name, *next;

	HASH_ITER(hh, *names, name, next) {
		HASH_DEL(*names, name);
		(void)name_free(name);
	}
}

/* The entry that stands where the function was declared. */
static Dwarf_Die declaration_of(const Dwarf_Die *function)
{
	Dwarf_Die at = *function, next;

	for (unsigned int i = 0; i < MAX_STEPS; i++) {
		Dwarf_Attribute attribute, *found;

		found = dwarf_attr(&at, DW_AT_abstract_origin, &attribute);
		if (!found)
			found = dwarf_attr(&at, DW_AT_specification, &attribute);
		if (!found || !dwarf_formref_die(found, &next))
			break;
		at = next;
	}
	return at;
}

/*
 * The entries around one, outermost first, the unit among them; returns how many, 0 if it is not
 * found. Entries know nothing of their parents, but come before and end behind what they hold.
 */
static size_t find_scopes(Dwarf_Die *wanted, Dwarf_Die scopes[MAX_NESTING])
{
	Dwarf_Off offset = dwarf_dieoffset(wanted);
	Dwarf_Die at;

	if (!dwarf_diecu(wanted, &at, NULL, NULL))
		return 0;
	for (size_t n = 0; n < MAX_NESTING;) {
		Dwarf_Die child, next;

		scopes[n++] = at;
		if (dwarf_child(&at, &child) != 0)
			return 0;
		while (dwarf_siblingof(&child, &next) == 0 && dwarf_dieoffset(&next) <= offset &&
		       dwarf_dieoffset(&next) > dwarf_dieoffset(&child))
			child = next;
		if (dwarf_dieoffset(&child) == offset)
			return n;
		at = child;
	}
	return 0;
}

static bool is_class(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

/* Which of the classes without a name in @parent it is, from 1. */
static unsigned int number_of(Dwarf_Die *parent, Dwarf_Die *class)
{
	unsigned int n = 1;
	Dwarf_Die die, next;

	if (dwarf_child(parent, &die) != 0)
		return n;
	while (dwarf_dieoffset(&die) < dwarf_dieoffset(class)) {
		n += is_class(&die) && !dwarf_diename(&die);
		if (dwarf_siblingof(&die, &next) != 0 ||
		    dwarf_dieoffset(&next) <= dwarf_dieoffset(&die))
			break;
		die = next;
	}
	return n;
}

/* Writes what one scope, in @parent, adds to the names in it. */
static void write_scope(FILE *f, Dwarf_Die *parent, Dwarf_Die *scope, bool holds_call_operator)
{
	const char *name = dwarf_diename(scope);
	int tag = dwarf_tag(scope);

	if (tag != DW_TAG_namespace && tag != DW_TAG_subprogram && !is_class(scope))
		return;
	if (name)
		(void)fprintf(f, "%s::", name);
	else if (tag == DW_TAG_namespace)
		(void)fprintf(f, "(anonymous namespace)::");
	else if (is_class(scope))
		(void)fprintf(f, "{%s#%u}::", holds_call_operator ? "lambda" : "unnamed type",
			      number_of(parent, scope));
}

/* A function with a linkage name says by that in which scopes it is. */
static bool write_function(FILE *f, Dwarf_Die *function)
{
	_cleanup_free_ char *readable = NULL;
	Dwarf_Attribute attribute;
	const char *name =
		dwarf_formstring(dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute));

	if (name)
		readable = demangle(name, strlen(name));
	return readable && fprintf(f, "%s::", readable) > 0;
}

/* @steps: how many functions may still lead from their definition to where they were declared. */
static void write_scopes(FILE *f, Dwarf_Die *declaration, bool is_call_operator, unsigned int steps)
{
	Dwarf_Die scopes[MAX_NESTING];
	size_t n = find_scopes(declaration, scopes), first = n;

	while (first > 1 && dwarf_tag(&scopes[first - 1]) != DW_TAG_subprogram)
		first--;
	/* The unit itself is the outermost, and has no name here. */
	if (first > 1 && !write_function(f, &scopes[first - 1])) {
		Dwarf_Die outer = declaration_of(&scopes[first - 1]);

		if (outer.addr != scopes[first - 1].addr && steps > 0)
			write_scopes(f, &outer, false, steps - 1);
		write_scope(f, &scopes[first - 2], &scopes[first - 1], false);
	}
	for (size_t i = first > 1 ? first : 1; i < n; i++)
		write_scope(f, &scopes[i - 1], &scopes[i], is_call_operator && i + 1 == n);
}

static char *format_name(Dwarf_Die *declaration, const char *name)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool failed;

	if (!f)
		return NULL;
	write_scopes(f, declaration, strcmp(name, "operator()") == 0, MAX_STEPS);
	(void)fputs(name, f);
	failed = ferror(f);
	failed |= fclose(f) != 0;
	if (failed) {
		free(text);
		return NULL;
	}
	/* What is too long to be sent is not kept; one byte more, so that it is marked as cut. */
	if (size > TEXT_BYTES_MAX) {
		char *shorter;

		text[TEXT_BYTES_MAX + 1] = 0;
		shorter = realloc(text, TEXT_BYTES_MAX + 2);
		text = shorter ? shorter : text;
	}
	return text;
}

const char *scopes_name(struct scoped_name **names, Dwarf_Die *function)
{
	_cleanup_(name_freep) struct scoped_name *added = NULL;
	Dwarf_Die declaration = declaration_of(function);
	const char *name = dwarf_diename(function);
	struct scoped_name *known = NULL;

	if (!name)
		return NULL;
	HASH_FIND_PTR(*names, &declaration.addr, known);
	if (known)
		return known->text;
	/* Without memory, the short name is better than none. */
	added = calloc(1, sizeof(*added));
	if (!added)
		return name;
	added->die = declaration.addr;
	added->text = format_name(&declaration, name);
	if (!added->text)
		return name;
	HASH_ADD_PTR(*names, die, added);
	if (added->failed)
		return name;
	return TAKE_PTR(added)->text;
}
