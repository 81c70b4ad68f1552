// SPDX-License-Identifier: GPL-2.0-or-later
/* Function symbols of an ELF file. See symbols.h. */
#include "elf/symbols.h"

#include <string.h>

/* Symbols that overlap the one found are looked at this far back; real files need one or two. */
#define MAX_OVERLAPS 64

size_t symbol_name_length(const char *name)
{
	size_t n = strcspn(name, "@");

	return n > 0 ? n : strlen(name);
}

static int walk_table(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, symbol_fn each,
		      void *userdata)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t n = data ? data->d_size / sizeof(Elf64_Sym) : 0;

	for (size_t i = 0; i < n && i <= INT32_MAX; i++) {
		struct symbol symbol;
		GElf_Sym s;
		int type, r;

		if (!gelf_getsym(data, (int)i, &s))
			return 0;
		type = GELF_ST_TYPE(s.st_info);
		if (type != STT_FUNC && type != STT_GNU_IFUNC)
			continue;
		if (s.st_shndx == SHN_UNDEF || s.st_value == 0 ||
		    s.st_value + s.st_size < s.st_value)
			continue;
		symbol = (struct symbol){
			.vaddr = s.st_value,
			.size = s.st_size,
			.name = elf_strptr(elf, header->sh_link, s.st_name),
			.binding = GELF_ST_BIND(s.st_info),
			.is_ifunc = type == STT_GNU_IFUNC,
			.is_hidden = GELF_ST_VISIBILITY(s.st_other) == STV_HIDDEN ||
				     GELF_ST_VISIBILITY(s.st_other) == STV_INTERNAL,
		};
		if (!symbol.name || !*symbol.name)
			continue;
		r = each(&symbol, userdata);
		if (r != 0)
			return r;
	}
	return 0;
}

int symbols_walk(Elf *elf, uint32_t type, symbol_fn each, void *userdata)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		int r;

		if (!gelf_getshdr(section, &header) || header.sh_type != type)
			continue;
		r = walk_table(elf, section, &header, each, userdata);
		if (r != 0)
			return r;
	}
	return 0;
}

bool symbols_has_table(Elf *elf, uint32_t type)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == type &&
		    header.sh_size >= sizeof(Elf64_Sym))
			return true;
	}
	return false;
}

struct growing {
	struct symbols *symbols;
	size_t capacity;
};

static int append(const struct symbol *symbol, void *userdata)
{
	struct growing *g = userdata;

	if (g->symbols->n == g->capacity) {
		size_t capacity = g->capacity ? 2 * g->capacity : 1024;
		struct symbol *list = reallocarray(g->symbols->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		g->symbols->list = list;
		g->capacity = capacity;
	}
	g->symbols->list[g->symbols->n++] = *symbol;
	return 0;
}

int symbols_add(struct symbols *symbols, Elf *elf, uint32_t type)
{
	struct growing g = { .symbols = symbols, .capacity = symbols->n };

	return symbols_walk(elf, type, append, &g);
}

static int binding_rank(uint8_t binding)
{
	return binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2;
}

/*
 * Which of two names for one function people would use: the public one, without the leading
 * underscores of the library's own aliases (malloc, not __libc_malloc), the shortest.
 */
static int compare_names(const struct symbol *a, const struct symbol *b)
{
	size_t under_a = strspn(a->name, "_"), under_b = strspn(b->name, "_");
	size_t length_a = symbol_name_length(a->name), length_b = symbol_name_length(b->name);

	if (binding_rank(a->binding) != binding_rank(b->binding))
		return binding_rank(a->binding) - binding_rank(b->binding);
	if (under_a != under_b)
		return under_a < under_b ? -1 : 1;
	if (length_a != length_b)
		return length_a < length_b ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare(const void *x, const void *y)
{
	const struct symbol *a = x, *b = y;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return compare_names(a, b);
}

void symbols_sort(struct symbols *symbols)
{
	size_t kept = 0;

	if (symbols->n == 0)
		return;
	qsort(symbols->list, symbols->n, sizeof(*symbols->list), compare);
	for (size_t i = 0; i < symbols->n; i++) {
		struct symbol *s = &symbols->list[i];
		uint64_t end = s->vaddr + s->size;

		if (kept > 0) {
			const struct symbol *last = &symbols->list[kept - 1];

			if (last->vaddr == s->vaddr && last->size == s->size)
				continue;
			s->reach = last->reach > end ? last->reach : end;
		} else {
			s->reach = end;
		}
		symbols->list[kept++] = *s;
	}
	symbols->n = kept;
}

void symbols_done(struct symbols *symbols)
{
	free(symbols->list);
	*symbols = (struct symbols){ 0 };
}

/* Index of the first symbol above the address. */
static size_t first_above(const struct symbols *symbols, uint64_t vaddr)
{
	size_t low = 0, high = symbols->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (symbols->list[middle].vaddr <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct symbol *symbols_lookup(const struct symbols *symbols, uint64_t vaddr, uint64_t floor,
				    bool *ret_exact)
{
	size_t above = first_above(symbols, vaddr);
	const struct symbol *nearest;

	*ret_exact = false;
	for (size_t i = above; i > 0 && above - i < MAX_OVERLAPS; i--) {
		const struct symbol *s = &symbols->list[i - 1];

		if (s->reach <= vaddr)
			break;
		if (vaddr - s->vaddr < s->size) {
			*ret_exact = true;
			return s;
		}
	}
	nearest = above > 0 ? &symbols->list[above - 1] : NULL;
	return nearest && nearest->vaddr >= floor ? nearest : NULL;
}
