// SPDX-License-Identifier: GPL-2.0-or-later
/* Source lines and inlined functions. See lines.h. */
#include "symbolize/lines.h"

#include <dwarf.h>
#include <stdbool.h>

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((element)->failed = true)
#include <uthash.h>

#include "symbolize/ranges.h"
#include "symbolize/scopes.h"

/* Namespaces and classes around a function, lexical blocks within it. */
#define MAX_NESTING 64

/* DWARF's later language codes, which older headers of libdw lack. */
#define DW_LANG_C_PLUS_PLUS_17 0x002a
#define DW_LANG_C_PLUS_PLUS_20 0x002b

/* The functions of one compilation unit. */
struct unit {
	Dwarf_Off die;
	struct ranges functions;
	bool failed; /* could not be put into the hash */
	UT_hash_handle hh;
};

struct lines {
	Dwarf *dwarf; /* owned */
	Dwarf *alt;   /* owned; outlives dwarf's use of it */
	bool has_units;
	struct ranges units;
	struct unit *by_die;	   /* hash of the units met so far; owned */
	struct scoped_name *names; /* owned */
};

static void unit_free(struct unit *u)
{
	ranges_done(&u->functions);
	free(u);
}

struct lines *lines_free(struct lines *lines)
{
	struct unit *u, *next;

	if (!lines)
		return NULL;
	HASH_ITER(hh, lines->by_die, u, next) {
		HASH_DEL(lines->by_die, u);
		unit_free(u);
	}
	ranges_done(&lines->units);
	scopes_done(&lines->names);
	(void)dwarf_end(lines->dwarf);
	(void)dwarf_end(lines->alt);
	free(lines);
	return NULL;
}

int lines_new(Dwarf *dwarf, Dwarf *alt, struct lines **ret)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	if (!lines) {
		(void)dwarf_end(dwarf);
		(void)dwarf_end(alt);
		return -ENOMEM;
	}
	lines->dwarf = dwarf;
	lines->alt = alt;
	if (alt)
		dwarf_setalt(dwarf, alt);
	*ret = lines;
	return 0;
}

static int index_units(struct lines *lines)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	lines->has_units = true;
	while (dwarf_get_units(lines->dwarf, cu, &cu, NULL, NULL, &die, NULL) == 0) {
		int r = ranges_add(&lines->units, &die);

		if (r < 0) {
			ranges_done(&lines->units);
			return r;
		}
	}
	ranges_sort(&lines->units);
	return 0;
}

static bool may_hold_functions(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
	       tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

static int add_functions(struct ranges *functions, Dwarf_Die *parent, unsigned int depth)
{
	Dwarf_Die die;

	if (depth >= MAX_NESTING || dwarf_child(parent, &die) != 0)
		return 0;
	do {
		int tag = dwarf_tag(&die), r = 0;

		if (tag == DW_TAG_subprogram)
			r = ranges_add(functions, &die);
		else if (may_hold_functions(tag))
			r = add_functions(functions, &die, depth + 1);
		if (r < 0)
			return r;
	} while (dwarf_siblingof(&die, &die) == 0);
	return 0;
}

/* The functions of a unit, indexed when it is first asked for. NULL: no memory. */
static const struct ranges *functions_of(struct lines *lines, Dwarf_Die *cu)
{
	Dwarf_Off offset = dwarf_dieoffset(cu);
	struct unit *u = NULL;

	HASH_FIND(hh, lines->by_die, &offset, sizeof(offset), u);
	if (u)
		return &u->functions;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->die = offset;
	if (add_functions(&u->functions, cu, 0) < 0) {
		unit_free(u);
		return NULL;
	}
	ranges_sort(&u->functions);
	HASH_ADD(hh, lines->by_die, die, sizeof(u->die), u);
	if (u->failed) {
		unit_free(u);
		return NULL;
	}
	return &u->functions;
}

/* Appends the inlined calls below @parent that hold the address, outermost first. */
static size_t find_inlined(Dwarf_Die *parent, uint64_t vaddr, Dwarf_Die *chain, size_t n)
{
	Dwarf_Die at = *parent, die;

	for (unsigned int depth = 0; depth < MAX_NESTING; depth++) {
		bool found = false;

		if (dwarf_child(&at, &die) != 0)
			return n;
		do {
			int tag = dwarf_tag(&die);

			if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
				continue;
			found = dwarf_haspc(&die, vaddr) > 0;
			if (found && tag == DW_TAG_inlined_subroutine && n < INLINE_DEPTH_MAX)
				chain[n++] = die;
		} while (!found && dwarf_siblingof(&die, &die) == 0);
		if (!found)
			return n;
		at = die;
	}
	return n;
}

static const char *text_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;

	return dwarf_formstring(dwarf_attr_integrate(die, name, &attribute));
}

static const char *function_name(struct lines *lines, Dwarf_Die *die, bool in_scopes)
{
	const char *name = text_of(die, DW_AT_linkage_name);

	if (!name)
		name = text_of(die, DW_AT_MIPS_linkage_name);
	if (!name && in_scopes)
		return scopes_name(&lines->names, die);
	return name ? name : text_of(die, DW_AT_name);
}

/* Whether names of the unit's language are names within a scope. */
static bool has_scopes(Dwarf_Die *cu)
{
	int language = dwarf_srclang(cu);

	return language == DW_LANG_C_plus_plus || language == DW_LANG_C_plus_plus_03 ||
	       language == DW_LANG_C_plus_plus_11 || language == DW_LANG_C_plus_plus_14 ||
	       language == DW_LANG_C_PLUS_PLUS_17 || language == DW_LANG_C_PLUS_PLUS_20;
}

static uint32_t number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0 || value > UINT32_MAX)
		return 0;
	return (uint32_t)value;
}

/* Where an inlined function was called from: that is where its caller is. */
static void place_of_call(Dwarf_Die *cu, Dwarf_Die *inlined, struct place *caller)
{
	Dwarf_Files *files;
	size_t n;

	caller->line = number_of(inlined, DW_AT_call_line);
	if (dwarf_getsrcfiles(cu, &files, &n) == 0)
		caller->file =
			dwarf_filesrc(files, number_of(inlined, DW_AT_call_file), NULL, NULL);
}

static void place_of_address(Dwarf_Die *cu, uint64_t vaddr, struct place *place)
{
	Dwarf_Line *line = dwarf_getsrc_die(cu, vaddr);
	int number = 0;

	if (!line)
		return;
	place->file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &number) == 0 && number > 0)
		place->line = (uint32_t)number;
}

size_t lines_find(struct lines *lines, uint64_t vaddr, struct place places[INLINE_DEPTH_MAX])
{
	Dwarf_Die chain[INLINE_DEPTH_MAX], cu;
	const struct range *unit, *function = NULL;
	const struct ranges *functions;
	const char *directory;
	bool in_scopes;
	size_t n = 0;

	if (!lines->has_units && index_units(lines) < 0)
		return 0;
	unit = ranges_find(&lines->units, vaddr);
	if (!unit || !dwarf_offdie(lines->dwarf, unit->die, &cu))
		return 0;
	functions = functions_of(lines, &cu);
	if (functions)
		function = ranges_find(functions, vaddr);
	if (function && dwarf_offdie(lines->dwarf, function->die, &chain[0]))
		n = find_inlined(&chain[0], vaddr, chain, 1);

	directory = text_of(&cu, DW_AT_comp_dir);
	in_scopes = has_scopes(&cu);
	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){
			.function = function_name(lines, &chain[n - 1 - i], in_scopes),
			.directory = directory,
		};
	/* A unit without functions (assembly) has lines all the same. */
	if (n == 0) {
		places[0] = (struct place){ .directory = directory };
		n = 1;
	}
	place_of_address(&cu, vaddr, &places[0]);
	for (size_t i = 1; i < n; i++)
		place_of_call(&cu, &chain[n - i], &places[i]);
	return n;
}
