// SPDX-License-Identifier: GPL-2.0-or-later
/* See cfi_section.h. What is opened is what dwarf_getcfi_elf() of elfutils 0.188 opens. */
#include "elf/cfi_section.h"

#include <dwarf.h>
#include <string.h>

#define HEADER_BYTES 12
#define ENTRY_BYTES  8

static int32_t read_s32(const uint8_t *at)
{
	int32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* The table in an .eh_frame_hdr that is at @vaddr. 0 where there is none. */
static int take_table(struct cfi_section *s, const Elf_Data *data, uint64_t vaddr)
{
	const uint8_t *bytes = data ? data->d_buf : NULL;
	uint32_t count;

	if (!bytes || data->d_size < 4 || bytes[0] != 1 || bytes[2] == DW_EH_PE_omit ||
	    bytes[3] == DW_EH_PE_omit)
		return 0;
	if (data->d_size < HEADER_BYTES || bytes[1] != (DW_EH_PE_pcrel | DW_EH_PE_sdata4) ||
	    bytes[2] != DW_EH_PE_udata4 || bytes[3] != (DW_EH_PE_datarel | DW_EH_PE_sdata4))
		return -EBADMSG;
	count = (uint32_t)read_s32(bytes + 8);
	if (count > (data->d_size - HEADER_BYTES) / ENTRY_BYTES)
		return -EBADMSG;
	s->table = bytes + HEADER_BYTES;
	s->n_table = count;
	s->table_base = vaddr;
	return 0;
}

/* 1: *ret is the only one of this name. 0: there is none. -EBADMSG: of several libdw might take another. */
static int only_section(const struct image *image, const char *name, Elf_Scn **ret,
			GElf_Shdr *ret_header)
{
	size_t n = image_count_sections(image, name);

	*ret = n == 1 ? image_section(image, name, ret_header) : NULL;
	return n > 1 ? -EBADMSG : *ret != NULL;
}

static int open_by_section(const struct image *image, const char *name, struct cfi_section *s)
{
	GElf_Shdr header;
	Elf_Scn *section;
	int r;

	r = only_section(image, name, &section, &header);
	if (r <= 0 || header.sh_type == SHT_NOBITS)
		return r < 0 ? r : 0;
	/* libdw would take whichever comes first. */
	if (!s->is_eh_frame && image_count_sections(image, ".zdebug_frame") > 0)
		return -EBADMSG;
	if (header.sh_flags & SHF_COMPRESSED && elf_compress(section, 0, 0) < 0)
		return 0;
	s->data = elf_rawdata(section, NULL);
	s->vaddr = header.sh_addr;
	if (!s->data || !s->data->d_buf)
		return 0;
	if (!s->is_eh_frame)
		return 1;
	r = only_section(image, ".eh_frame_hdr", &section, &header);
	if (r > 0)
		r = take_table(s, elf_rawdata(section, NULL), header.sh_addr);
	return r < 0 ? r : 1;
}

static bool find_header(const struct image *image, GElf_Phdr *ret)
{
	size_t n = 0;

	if (elf_getphdrnum(image->elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (gelf_getphdr(image->elf, (int)i, ret) && ret->p_type == PT_GNU_EH_FRAME)
			return true;
	return false;
}

/* How long .eh_frame is, nobody says: up to the header behind it, or to the end of the file. */
static int open_by_header(const struct image *image, struct cfi_section *s)
{
	Elf_Data *data;
	uint64_t offset, end;
	GElf_Phdr p;

	if (!find_header(image, &p))
		return 0;
	data = elf_getdata_rawchunk(image->elf, (int64_t)p.p_offset, p.p_filesz, ELF_T_BYTE);
	if (!data || !data->d_buf || data->d_size < HEADER_BYTES)
		return 0;
	if (take_table(s, data, p.p_vaddr) < 0 || !s->table)
		return -EBADMSG;
	/* The word that leads to it is relative to itself. */
	s->vaddr = p.p_vaddr + 4 + (uint64_t)(int64_t)read_s32((const uint8_t *)data->d_buf + 4);
	offset = s->vaddr - p.p_vaddr + p.p_offset;
	end = offset < p.p_offset ? p.p_offset : image->size;
	if (offset >= end)
		return -EBADMSG;
	s->data = elf_getdata_rawchunk(image->elf, (int64_t)offset, end - offset, ELF_T_BYTE);
	return s->data && s->data->d_buf ? 1 : -EBADMSG;
}

int cfi_section_open(const struct image *image, const char *name, struct cfi_section *ret)
{
	const char *ident = elf_getident(image->elf, NULL);
	GElf_Shdr header;

	*ret = (struct cfi_section){ .is_eh_frame = strcmp(name, ".eh_frame") == 0 };
	if (!ident)
		return 0;
	memcpy(ret->ident, ident, sizeof(ret->ident));
	if (!ret->is_eh_frame || image_section(image, name, &header))
		return open_by_section(image, name, ret);
	return open_by_header(image, ret);
}

int cfi_section_table_entry(const struct cfi_section *s, uint32_t i, uint64_t *ret)
{
	uint64_t at =
		s->table_base + (uint64_t)(int64_t)read_s32(s->table + (size_t)ENTRY_BYTES * i + 4);

	*ret = at - s->vaddr;
	return *ret < s->data->d_size ? 0 : -ERANGE;
}
