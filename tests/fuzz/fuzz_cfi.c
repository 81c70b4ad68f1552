// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Call frame information: the input is the .eh_frame of a small program, whose text is at 0x1000.
 */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "elf/unwind_compile.h"
#include "elf/unwind_table.h"

#define TEXT_AT	   0x1000
#define TEXT_BYTES 0x1000
#define FRAMES_AT  0x2000
#define NAMES	   "\0.text\0.eh_frame\0.shstrtab"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_at(int fd, const void *data, size_t size, off_t at)
{
	if (pwrite(fd, data, size, at) != (ssize_t)size)
		abort();
}

static int make_file(const uint8_t *frames, size_t size)
{
	Elf64_Off names_at = FRAMES_AT + size, sections_at = (names_at + sizeof(NAMES) + 7) & ~7ul;
	Elf64_Ehdr head = { .e_ident = ELFMAG,
			    .e_type = ET_DYN,
			    .e_machine = EM_X86_64,
			    .e_version = EV_CURRENT,
			    .e_phoff = sizeof(head),
			    .e_shoff = sections_at,
			    .e_ehsize = sizeof(head),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = 1,
			    .e_shentsize = sizeof(Elf64_Shdr),
			    .e_shnum = 4,
			    .e_shstrndx = 3 };
	Elf64_Phdr load = { .p_type = PT_LOAD,
			    .p_flags = PF_R | PF_X,
			    .p_filesz = FRAMES_AT + size,
			    .p_memsz = FRAMES_AT + size,
			    .p_align = 0x1000 };
	Elf64_Shdr sections[4] = {
		{ .sh_type = SHT_NULL },
		{ .sh_name = 1,
		  .sh_type = SHT_PROGBITS,
		  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		  .sh_addr = TEXT_AT,
		  .sh_offset = TEXT_AT,
		  .sh_size = TEXT_BYTES },
		{ .sh_name = 7,
		  .sh_type = SHT_PROGBITS,
		  .sh_flags = SHF_ALLOC,
		  .sh_addr = FRAMES_AT,
		  .sh_offset = FRAMES_AT,
		  .sh_size = size },
		{ .sh_name = 17,
		  .sh_type = SHT_STRTAB,
		  .sh_offset = names_at,
		  .sh_size = sizeof(NAMES) },
	};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	memcpy(head.e_ident, ELFMAG, SELFMAG);
	head.e_ident[EI_CLASS] = ELFCLASS64;
	head.e_ident[EI_DATA] = ELFDATA2LSB;
	head.e_ident[EI_VERSION] = EV_CURRENT;
	write_at(fd, &head, sizeof(head), 0);
	write_at(fd, &load, sizeof(load), sizeof(head));
	if (size)
		write_at(fd, frames, size, FRAMES_AT);
	write_at(fd, NAMES, sizeof(NAMES), (off_t)names_at);
	write_at(fd, sections, sizeof(sections), (off_t)sections_at);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(unwind_table_freep) struct unwind_table *table = NULL;
	_cleanup_(image_freep) struct image *image = NULL;
	int fd = make_file(data, size);

	if (image_open(fd, &image) < 0)
		abort();
	(void)unwind_compile(image, NULL, &table);
	return 0;
}
