// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where functions with call frame information start.
 *
 * libdw finds the entry of an address but does not list the addresses. So the entries are read one by one.
 */
#include <dwarf.h>
#include <limits.h>
#include <string.h>

#include "elf/cfi_section.h"

/* Pointer encodings: the low half of the byte is the format, the high half what it is relative to. */
#define ENCODING_FORMAT	  0x0f
#define ENCODING_RELATIVE 0xf0

/* Files of linkers need less than three: each entry, and a short CIE with each. */
#define WALK_PER_BYTE 8u

struct starts_builder {
	struct cfi_starts *starts;
	size_t capacity;
};

void cfi_starts_done(struct cfi_starts *starts)
{
	free(starts->list);
	*starts = (struct cfi_starts){ 0 };
}

static int add_start(struct starts_builder *b, uint64_t start)
{
	struct cfi_starts *starts = b->starts;

	if (starts->n >= UNWIND_MAX_ROWS)
		return -EFBIG;
	if (starts->n == b->capacity) {
		size_t capacity = b->capacity ? 2 * b->capacity : 1024;
		uint64_t *list = reallocarray(starts->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		starts->list = list;
		b->capacity = capacity;
	}
	starts->list[starts->n++] = start;
	return 0;
}

static int compare_starts(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort_starts(struct cfi_starts *starts)
{
	size_t kept = 0;

	if (starts->n == 0)
		return;
	qsort(starts->list, starts->n, sizeof(*starts->list), compare_starts);
	for (size_t i = 0; i < starts->n; i++) {
		if (kept == 0 || starts->list[kept - 1] != starts->list[i])
			starts->list[kept++] = starts->list[i];
	}
	starts->n = kept;
}

static int32_t read_s32(const uint8_t *at)
{
	int32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* What the FDEs of a CIE have in common. */
struct cie {
	uint64_t offset;
	uint8_t encoding;	    /* of addresses: the byte of the 'R' in the augmentation */
	bool has_augmentation_size; /* the 'z' */
	size_t augmentation_size;   /* of each FDE, without 'z' */
};

/*
 * The entries of a section, read one after the other. Each names a CIE, which is read again where it is not the
 * one before; a file that lies could make that a square of its size.
 */
struct walk {
	const struct cfi_section *section;
	struct cie cie;	 /* of the last FDE */
	uint64_t n_left; /* bytes of entries that may be read */
};

static struct walk walk_of(const struct cfi_section *s)
{
	return (struct walk){
		.section = s,
		.cie = { .offset = UINT64_MAX },
		.n_left = WALK_PER_BYTE * s->data->d_size,
	};
}

/* As dwarf_next_cfi(), or -EBADMSG. */
static int read_entry(struct walk *w, uint64_t at, Dwarf_Off *next, Dwarf_CFI_Entry *ret)
{
	const struct cfi_section *s = w->section;
	int r = dwarf_next_cfi(s->ident, s->data, s->is_eh_frame, at, next, ret);

	if (r != 0)
		return r;
	if (*next - at > w->n_left)
		return -EBADMSG;
	w->n_left -= *next - at;
	return 0;
}

/* Bytes of a pointer, by its encoding; 0: none that compilers write. */
static size_t pointer_bytes(uint8_t encoding)
{
	switch (encoding & ENCODING_FORMAT) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	default:
		return 0;
	}
}

/* -EBADMSG where it has another form than compilers give it: libdw might read it in another way. */
static int read_augmentation(const Dwarf_CIE *entry, struct cie *cie)
{
	const uint8_t *data = entry->augmentation_data, *end;

	if (entry->augmentation[0] == '\0')
		return 0;
	if (entry->augmentation[0] != 'z' || !data)
		return -EBADMSG;
	cie->has_augmentation_size = true;
	end = data + entry->augmentation_data_size;
	for (const char *c = entry->augmentation + 1; *c; c++) {
		if (*c == 'S' || *c == 'B')
			continue;
		if (data >= end)
			return -EBADMSG;
		if (*c == 'R') {
			cie->encoding = *data++;
		} else if (*c == 'L') {
			data++;
		} else if (*c == 'P') {
			size_t n = pointer_bytes(*data);

			if (n == 0 || n >= (size_t)(end - data))
				return -EBADMSG;
			data += 1 + n;
		} else {
			return -EBADMSG;
		}
	}
	return 0;
}

static int read_cie(struct walk *w, uint64_t offset)
{
	Dwarf_CFI_Entry entry;
	Dwarf_Off next;

	if (read_entry(w, offset, &next, &entry) != 0 || !dwarf_cfi_cie_p(&entry))
		return -EBADMSG;
	if (!cfi_registers_fit(entry.cie.initial_instructions, entry.cie.initial_instructions_end))
		return -EBADMSG;
	w->cie = (struct cie){ .offset = offset,
			       .encoding = DW_EH_PE_absptr,
			       .augmentation_size = entry.cie.fde_augmentation_data_size };
	return read_augmentation(&entry.cie, &w->cie);
}

static int read_pointer(const struct cfi_section *s, uint8_t encoding, const uint8_t *at,
			const uint8_t *end, uint64_t *ret)
{
	size_t n = pointer_bytes(encoding);
	uint64_t value;

	if (n == 0 || n > (size_t)(end - at))
		return -EBADMSG;
	if (n == sizeof(value))
		memcpy(&value, at, sizeof(value));
	else if ((encoding & ENCODING_FORMAT) == DW_EH_PE_udata4)
		value = (uint32_t)read_s32(at);
	else
		value = (uint64_t)(int64_t)read_s32(at);
	switch (encoding & ENCODING_RELATIVE) {
	case DW_EH_PE_absptr:
		break;
	case DW_EH_PE_pcrel:
		value += s->vaddr + (uint64_t)(at - (const uint8_t *)s->data->d_buf);
		break;
	default:
		return -EBADMSG;
	}
	*ret = value;
	return 0;
}

/* The start address of an FDE, if its instructions are fit for libdw. */
static int read_fde(const struct cfi_section *s, const struct cie *cie, const Dwarf_FDE *fde,
		    uint64_t *ret)
{
	size_t address = pointer_bytes(cie->encoding);
	const uint8_t *at = fde->start + 2 * address;
	int r;

	r = read_pointer(s, cie->encoding, fde->start, fde->end, ret);
	if (r < 0 || (size_t)(fde->end - fde->start) < 2 * address)
		return -EBADMSG;
	if (!cfi_skip_augmentation(&at, fde->end, cie->has_augmentation_size,
				   cie->augmentation_size))
		return -EBADMSG;
	return cfi_registers_fit(at, fde->end) ? 0 : -EBADMSG;
}

/* One entry, wherever it is. 1: an FDE, and *ret where it starts; 0: none. */
static int check_entry(struct walk *w, const Dwarf_CFI_Entry *entry, uint64_t *ret)
{
	int r = 0;

	if (dwarf_cfi_cie_p(entry))
		return 0;
	if (entry->fde.CIE_pointer != w->cie.offset)
		r = read_cie(w, entry->fde.CIE_pointer);
	if (r == 0)
		r = read_fde(w->section, &w->cie, &entry->fde, ret);
	return r < 0 ? r : 1;
}

static int starts_from_entries(const struct cfi_section *s, struct starts_builder *b)
{
	struct walk w = walk_of(s);
	Dwarf_Off at = 0, next = 0;
	Dwarf_CFI_Entry entry;
	uint64_t start;
	int r;

	for (;; at = next) {
		r = read_entry(&w, at, &next, &entry);
		if (r == -EBADMSG)
			return r;
		if (r == 1 || next <= at || next == (Dwarf_Off)-1)
			return 0;
		if (r != 0)
			continue;
		r = check_entry(&w, &entry, &start);
		if (r > 0)
			r = add_start(b, start);
		if (r < 0)
			return r;
	}
}

/* The entries that libdw will find by the table: in a file that lies these are others. */
static int check_table(const struct cfi_section *s)
{
	struct walk w = walk_of(s);
	Dwarf_CFI_Entry entry;
	uint64_t at, start;
	Dwarf_Off next;

	for (uint32_t i = 0; i < s->n_table; i++) {
		if (cfi_section_table_entry(s, i, &at) < 0 ||
		    read_entry(&w, at, &next, &entry) != 0 || check_entry(&w, &entry, &start) <= 0)
			return -EBADMSG;
	}
	return 0;
}

static int read_starts(const struct image *image, const char *name, struct cfi_starts *starts)
{
	struct starts_builder b = { .starts = starts };
	struct cfi_section section;
	int r;

	r = cfi_section_open(image, name, &section);
	if (r <= 0)
		return r;
	r = starts_from_entries(&section, &b);
	if (r == 0)
		r = check_table(&section);
	if (r < 0)
		return r;
	sort_starts(starts);
	return 0;
}

int cfi_eh_frame_starts(const struct image *image, struct cfi_starts *starts)
{
	return read_starts(image, ".eh_frame", starts);
}

int cfi_debug_frame_starts(const struct image *image, struct cfi_starts *starts)
{
	return read_starts(image, ".debug_frame", starts);
}
