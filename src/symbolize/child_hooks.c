// SPDX-License-Identifier: GPL-2.0-or-later
/* The search for functions to hook, in the symbolizer's child. */
#include <string.h>

#include "elf/placement.h"
#include "symbolize/child_file.h"

/* Bytes of a function that are looked at for branches; allocator functions are much smaller. */
#define CODE_BYTES_MAX 65536

/* Bytes that are looked at when the symbol has no size. */
#define CODE_BYTES_GUESS 64

/* Functions that take a block and do nothing for NULL. */
static const char *const null_skippers[] = { "free", "cfree", "free_sized", "free_aligned_sized" };

struct search {
	const struct image *image;
	const char *const *names;
	uint32_t n_names;
	struct hook_point *points;
	int n_points;
	bool exported;		    /* of a full table: only what other files could call */
	bool done[HOOK_NAMES_MAX];  /* names that an earlier table had */
	bool found[HOOK_NAMES_MAX]; /* names that this table has */
	uint8_t code[CODE_BYTES_MAX];
};

static bool skips_null(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(null_skippers); i++) {
		if (strcmp(null_skippers[i], name) == 0)
			return true;
	}
	return false;
}

static int add_point(struct search *s, const struct symbol *symbol, uint32_t name)
{
	const struct segment *segment = image_segment_of_vaddr(s->image, symbol->vaddr);
	struct hook_point point = { .name = name };
	size_t wanted;
	uint64_t room;
	ssize_t n;

	/* What leads to a resolver, or nowhere, is not the function. */
	if (symbol->is_ifunc || !segment || !segment->executable)
		return 0;
	room = segment->size - (symbol->vaddr - segment->vaddr);
	wanted = symbol->size == 0	       ? CODE_BYTES_GUESS :
		 symbol->size < CODE_BYTES_MAX ? (size_t)symbol->size :
						 CODE_BYTES_MAX;
	if (wanted > room)
		wanted = (size_t)room;
	point.symbol_offset = symbol->vaddr - segment->vaddr + segment->offset;
	n = image_read(s->image, point.symbol_offset, s->code, wanted);
	if (n <= 0)
		return n < 0 ? (int)n : 0;
	point.probe_offset = point.symbol_offset +
			     placement_find(s->code, (size_t)n, skips_null(s->names[name]));
	n = image_read(s->image, point.probe_offset, point.instruction, sizeof(point.instruction));
	if (n < 0)
		return (int)n;

	/* One symbol can stand in a table under several versions. */
	for (int i = 0; i < s->n_points; i++) {
		if (s->points[i].name == name && s->points[i].symbol_offset == point.symbol_offset)
			return 0;
	}
	if (s->n_points >= HOOK_POINTS_MAX)
		return -EOVERFLOW;
	s->points[s->n_points++] = point;
	return 0;
}

static int consider(const struct symbol *symbol, void *userdata)
{
	struct search *s = userdata;
	size_t length = symbol_name_length(symbol->name);

	/*
	 * A local symbol counts if it was made local by hidden visibility (an allocator linked into
	 * the program); other local functions only happen to have the name.
	 */
	if (s->exported && symbol->binding == STB_LOCAL && !symbol->is_hidden)
		return 0;
	for (uint32_t i = 0; i < s->n_names; i++) {
		int r;

		if (s->done[i] || s->names[i][0] != symbol->name[0] ||
		    strlen(s->names[i]) != length ||
		    strncmp(s->names[i], symbol->name, length) != 0)
			continue;
		s->found[i] = true;
		r = add_point(s, symbol, i);
		if (r < 0)
			return r;
	}
	return 0;
}

int child_file_find_hooks(struct child_file *f, const char *const *names, uint32_t n,
			  struct hook_point points[HOOK_POINTS_MAX])
{
	_cleanup_free_ struct search *s = NULL;
	Elf *full = NULL;
	int r;

	if (n > HOOK_NAMES_MAX)
		return -E2BIG;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->image = f->image;
	s->names = names;
	s->n_names = n;
	s->points = points;
	r = symbols_walk(f->image->elf, SHT_DYNSYM, consider, s);
	if (r < 0)
		return r;

	memcpy(s->done, s->found, sizeof(s->done));
	s->exported = true;
	if (symbols_has_table(f->image->elf, SHT_SYMTAB))
		full = f->image->elf;
	else if (f->debug)
		full = f->debug->elf;
	if (full) {
		r = symbols_walk(full, SHT_SYMTAB, consider, s);
		if (r < 0)
			return r;
	}
	return s->n_points;
}
