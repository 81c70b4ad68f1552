// SPDX-License-Identifier: GPL-2.0-or-later
/* A file in the symbolizer's child. See child_file.h. */
#include "symbolize/child_file.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

struct child_file *child_file_free(struct child_file *f)
{
	if (!f)
		return NULL;
	(void)lines_free(f->lines);
	symbols_done(&f->symbols);
	(void)image_free(f->mini);
	(void)image_free(f->alt);
	(void)image_free(f->debug);
	(void)image_free(f->image);
	(void)perf_map_free(f->perf_map);
	free(f);
	return NULL;
}

int child_file_open(uint32_t slot, int fd, struct child_file **ret)
{
	_cleanup_(child_file_freep) struct child_file *f = NULL;
	_cleanup_close_ int owned = fd;
	char magic[SELFMAG];
	int r;

	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->slot = slot;
	if (pread(owned, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    memcmp(magic, ELFMAG, SELFMAG) != 0)
		r = perf_map_read(TAKE_FD(owned), &f->perf_map);
	else
		r = image_open(TAKE_FD(owned), &f->image);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(f);
	return 0;
}

static bool has_build_id(const struct image *image, const uint8_t *id, size_t bytes)
{
	return bytes > 0 && image->build_id_bytes == bytes &&
	       memcmp(image->build_id, id, bytes) == 0;
}

/* A wrong debug file gives wrong lines and says nothing, so there is no other way in. */
static int verify_debug(const struct image *image, const struct image *debug)
{
	uint32_t wanted, crc;
	int r;

	if (image->build_id_bytes > 0 && debug->build_id_bytes > 0)
		return has_build_id(debug, image->build_id, image->build_id_bytes) ? 0 : -EBADMSG;
	if (!image_debug_link(image, &wanted))
		return -EBADMSG;
	r = image_crc(debug, &crc);
	if (r < 0)
		return r;
	return crc == wanted ? 0 : -EBADMSG;
}

int child_file_add_debug(struct child_file *f, int fd)
{
	_cleanup_(image_freep) struct image *debug = NULL;
	int r;

	r = image_open(fd, &debug);
	if (r < 0)
		return r;
	if (f->debug || f->has_symbols || f->has_lines)
		return -EEXIST;
	r = verify_debug(f->image, debug);
	if (r < 0)
		return r;
	f->debug = TAKE_PTR(debug);
	return 0;
}

/* The file whose DWARF is used. */
static const struct image *dwarf_image(const struct child_file *f)
{
	if (f->debug && image_has_section(f->debug, ".debug_info"))
		return f->debug;
	return f->image;
}

int child_file_add_alt(struct child_file *f, int fd)
{
	_cleanup_(image_freep) struct image *alt = NULL;
	const uint8_t *id = NULL;
	size_t bytes = 0;
	int r;

	r = image_open(fd, &alt);
	if (r < 0)
		return r;
	if (f->alt || f->has_lines)
		return -EEXIST;
	if (!image_alt_link(dwarf_image(f), &id, &bytes) || !has_build_id(alt, id, bytes))
		return -EBADMSG;
	f->alt = TAKE_PTR(alt);
	return 0;
}

/* Too long a name is none: such a file cannot be opened either. */
static void set_text(char *to, size_t size, const char *from)
{
	size_t length = from ? strnlen(from, size) : 0;

	if (length == 0 || length >= size)
		return;
	memcpy(to, from, length + 1);
}

void child_file_describe(const struct child_file *f, struct about_file *ret)
{
	const uint8_t *id = NULL;
	const char *alt;
	size_t bytes = 0;
	uint32_t crc;

	*ret = (struct about_file){ 0 };
	if (f->perf_map)
		return;
	memcpy(ret->build_id, f->image->build_id, f->image->build_id_bytes);
	ret->build_id_bytes = (uint32_t)f->image->build_id_bytes;
	if (!f->debug) {
		set_text(ret->debug_link, sizeof(ret->debug_link),
			 image_debug_link(f->image, &crc));
		if (!symbols_has_table(f->image->elf, SHT_SYMTAB) ||
		    !image_has_section(f->image, ".debug_info"))
			ret->flags |= ABOUT_WANTS_DEBUG;
	}
	alt = image_alt_link(dwarf_image(f), &id, &bytes);
	if (alt) {
		set_text(ret->alt_link, sizeof(ret->alt_link), alt);
		memcpy(ret->alt_id, id, bytes);
		ret->alt_id_bytes = (uint32_t)bytes;
	}
}

/* Fedora keeps a compressed symbol table in the file itself; libdwelf unpacks a whole file only. */
static int open_mini(const struct image *image, struct image **ret)
{
	_cleanup_close_ int packed = -EBADF, plain = -EBADF;
	Elf_Scn *section = image_section(image, ".gnu_debugdata", NULL);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	Elf *elf = NULL;
	const char *bytes;
	size_t size;
	int r = 0;

	if (!data || !data->d_buf || data->d_size == 0)
		return -ENOENT;
	packed = memfd_create("seep-packed", MFD_CLOEXEC);
	plain = memfd_create("seep-symbols", MFD_CLOEXEC);
	if (packed < 0 || plain < 0)
		return -errno;
	if (write(packed, data->d_buf, data->d_size) != (ssize_t)data->d_size)
		return -EIO;
	elf = dwelf_elf_begin(packed);
	bytes = elf ? elf_rawfile(elf, &size) : NULL;
	if (!bytes || write(plain, bytes, size) != (ssize_t)size)
		r = -EBADMSG;
	(void)elf_end(elf);
	return r < 0 ? r : image_open(TAKE_FD(plain), ret);
}

/* A full table is a superset of the dynamic one; without it, the two others add up. */
static void load_symbols(struct child_file *f)
{
	int r;

	f->has_symbols = true;
	if (symbols_has_table(f->image->elf, SHT_SYMTAB)) {
		r = symbols_add(&f->symbols, f->image->elf, SHT_SYMTAB);
	} else if (f->debug && symbols_has_table(f->debug->elf, SHT_SYMTAB)) {
		r = symbols_add(&f->symbols, f->debug->elf, SHT_SYMTAB);
	} else {
		r = symbols_add(&f->symbols, f->image->elf, SHT_DYNSYM);
		if (r == 0 && open_mini(f->image, &f->mini) == 0)
			r = symbols_add(&f->symbols, f->mini->elf, SHT_SYMTAB);
	}
	if (r < 0)
		symbols_done(&f->symbols);
	symbols_sort(&f->symbols);
}

static void load_lines(struct child_file *f)
{
	const struct image *image = dwarf_image(f);
	Dwarf *dwarf, *alt = NULL;

	f->has_lines = true;
	if (!image_has_section(image, ".debug_info"))
		return;
	dwarf = dwarf_begin_elf(image->elf, DWARF_C_READ, NULL);
	if (!dwarf)
		return;
	if (f->alt)
		alt = dwarf_begin_elf(f->alt->elf, DWARF_C_READ, NULL);
	(void)lines_new(dwarf, alt, &f->lines);
}

static size_t resolve_generated(struct child_file *f, uint64_t address,
				struct child_name names[INLINE_DEPTH_MAX])
{
	uint64_t exact = address & ~ADDRESS_EXACT;
	const char *name;

	perf_map_refresh(f->perf_map);
	name = perf_map_find(f->perf_map, address & ADDRESS_EXACT ? exact : exact - 1);

	if (name)
		names[0] = (struct child_name){
			.function = name,
			.function_length = strlen(name),
		};
	return 1;
}

size_t child_file_resolve(struct child_file *f, uint64_t address,
			  struct place places[INLINE_DEPTH_MAX],
			  struct child_name names[INLINE_DEPTH_MAX])
{
	uint64_t offset = address & ~ADDRESS_EXACT, vaddr;
	const struct symbol *symbol;
	const struct segment *segment;
	struct child_name *last;
	bool exact;
	size_t n = 0;

	names[0] = (struct child_name){ .approximate = true };
	if (f->perf_map)
		return resolve_generated(f, address, names);
	/* A return address may belong to the next line, or to the next function. */
	if (!(address & ADDRESS_EXACT) && offset > 0)
		offset--;
	segment = image_segment_of_offset(f->image, offset);
	if (!segment)
		return 1;
	vaddr = offset - segment->offset + segment->vaddr;
	if (!f->has_symbols)
		load_symbols(f);
	if (!f->has_lines)
		load_lines(f);

	symbol = symbols_lookup(&f->symbols, vaddr, segment->vaddr, &exact);
	if (f->lines)
		n = lines_find(f->lines, vaddr, places);
	for (size_t i = 0; i < n; i++) {
		const char *name = places[i].function;

		names[i] = (struct child_name){ .function = name,
						.function_length = name ? strlen(name) : 0,
						.place = &places[i],
						.approximate = !name };
	}
	last = n > 0 ? &names[n - 1] : &names[0];
	/*
	 * The symbol table tells parts of a function apart (.cold), DWARF does not. A symbol that
	 * ends before the address is no name for it: it would blame a function that has no part.
	 */
	if (symbol && exact) {
		last->function = symbol->name;
		last->function_length = symbol_name_length(symbol->name);
		last->approximate = false;
	}
	return n > 0 ? n : 1;
}
