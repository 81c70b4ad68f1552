// SPDX-License-Identifier: GPL-2.0-or-later
/* Slots of an ELF file. See slots.h. */
#include "elf/slots.h"

/* Of one section, that of big programs included; a hostile file can have any number. */
#define RELOCATIONS_MAX (1u << 22)

struct slots_builder {
	slots_is_hooked_fn is_hooked;
	void *userdata;
	struct slots slots;
	size_t capacity;
};

void slots_done(struct slots *slots)
{
	free(slots->list);
	*slots = (struct slots){ 0 };
}

static int add_slot(struct slots_builder *b, uint64_t vaddr, uint64_t target)
{
	if (b->slots.n == b->capacity) {
		size_t capacity = b->capacity ? 2 * b->capacity : 64;
		struct nesting_slot *list =
			reallocarray(b->slots.list, capacity, sizeof(*b->slots.list));

		if (!list)
			return -ENOMEM;
		b->slots.list = list;
		b->capacity = capacity;
	}
	b->slots.list[b->slots.n++] = (struct nesting_slot){ .vaddr = vaddr, .target = target };
	return 0;
}

static bool is_slot_type(uint64_t type)
{
	return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT;
}

/* What a slot with this symbol leads to; 0: nothing that is known. */
static uint64_t target_of(const struct slots_builder *b, const char *name, const GElf_Sym *symbol)
{
	if (name && *name && b->is_hooked(name, b->userdata))
		return NESTING_HOOKED;
	/* An IFUNC's value is its resolver. */
	return symbol->st_shndx != SHN_UNDEF && GELF_ST_TYPE(symbol->st_info) == STT_FUNC ?
		       symbol->st_value :
		       0;
}

static int read_section(struct slots_builder *b, Elf *elf, Elf_Scn *section,
			const GElf_Shdr *header)
{
	Elf_Scn *symbols = elf_getscn(elf, header->sh_link);
	Elf_Data *data = elf_getdata(section, NULL);
	Elf_Data *table = symbols ? elf_getdata(symbols, NULL) : NULL;
	size_t n = data ? data->d_size / sizeof(Elf64_Rela) : 0;
	GElf_Shdr about;

	if (!table || !gelf_getshdr(symbols, &about))
		return 0;
	for (size_t i = 0; i < n && i < RELOCATIONS_MAX; i++) {
		GElf_Rela entry;
		GElf_Sym symbol;
		uint64_t target;
		int r;

		if (!gelf_getrela(data, (int)i, &entry))
			return 0;
		if (!is_slot_type(GELF_R_TYPE(entry.r_info)) ||
		    GELF_R_SYM(entry.r_info) > INT32_MAX ||
		    !gelf_getsym(table, (int)GELF_R_SYM(entry.r_info), &symbol))
			continue;
		target = target_of(b, elf_strptr(elf, about.sh_link, symbol.st_name), &symbol);
		r = target != 0 ? add_slot(b, entry.r_offset, target) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_slots(const void *x, const void *y)
{
	const struct nesting_slot *a = x, *b = y;

	return a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

int slots_read(const struct image *image, slots_is_hooked_fn is_hooked, void *userdata,
	       struct slots *ret)
{
	struct slots_builder b = { .is_hooked = is_hooked, .userdata = userdata };
	Elf_Scn *section = NULL;
	int r = 0;

	while (r == 0 && (section = elf_nextscn(image->elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_RELA &&
		    header.sh_flags & SHF_ALLOC)
			r = read_section(&b, image->elf, section, &header);
	}
	if (r < 0) {
		slots_done(&b.slots);
		return r;
	}
	if (b.slots.n > 0)
		qsort(b.slots.list, b.slots.n, sizeof(*b.slots.list), compare_slots);
	*ret = b.slots;
	return 0;
}
