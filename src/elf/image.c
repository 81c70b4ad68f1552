// SPDX-License-Identifier: GPL-2.0-or-later
/* One ELF file. See image.h. */
#include "elf/image.h"

#include <elfutils/libdwelf.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

struct image *image_free(struct image *image)
{
	if (!image)
		return NULL;
	if (image->elf)
		(void)elf_end(image->elf);
	image->fd = close_fd(image->fd);
	free(image->segments);
	free(image);
	return NULL;
}

static bool is_supported(Elf *elf)
{
	GElf_Ehdr header;
	const char *ident;

	if (elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64)
		return false;
	ident = elf_getident(elf, NULL);
	if (!ident || ident[EI_DATA] != ELFDATA2LSB)
		return false;
	return gelf_getehdr(elf, &header) && header.e_machine == EM_X86_64;
}

static int read_segments(struct image *image)
{
	size_t n;

	if (elf_getphdrnum(image->elf, &n) != 0)
		return -ENOEXEC;
	if (n == 0)
		return 0;
	image->segments = calloc(n, sizeof(*image->segments));
	if (!image->segments)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(image->elf, (int)i, &p))
			return -ENOEXEC;
		if (p.p_type != PT_LOAD || p.p_filesz == 0 || p.p_vaddr + p.p_filesz < p.p_vaddr ||
		    p.p_offset + p.p_filesz < p.p_offset)
			continue;
		image->segments[image->n_segments++] = (struct segment){
			.vaddr = p.p_vaddr,
			.offset = p.p_offset,
			.size = p.p_filesz,
			.executable = p.p_flags & PF_X,
		};
	}
	return 0;
}

/* Takes the build-id out of a list of notes, if it is there. */
static bool find_build_id(struct image *image, Elf_Data *notes)
{
	size_t at = 0, name, desc;
	GElf_Nhdr note;

	if (!notes || !notes->d_buf)
		return false;
	while (at < notes->d_size && (at = gelf_getnote(notes, at, &note, &name, &desc)) > 0) {
		const char *data = notes->d_buf;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") ||
		    memcmp(data + name, "GNU", sizeof("GNU")) != 0)
			continue;
		if (note.n_descsz == 0 || note.n_descsz > BUILD_ID_MAX)
			continue;
		memcpy(image->build_id, data + desc, note.n_descsz);
		image->build_id_bytes = note.n_descsz;
		return true;
	}
	return false;
}

static bool build_id_from_segments(struct image *image)
{
	size_t n;

	if (elf_getphdrnum(image->elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(image->elf, (int)i, &p) || p.p_type != PT_NOTE)
			continue;
		if (find_build_id(image,
				  elf_getdata_rawchunk(image->elf, (int64_t)p.p_offset, p.p_filesz,
						       p.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR)))
			return true;
	}
	return false;
}

static void read_build_id(struct image *image)
{
	Elf_Scn *section = NULL;

	if (build_id_from_segments(image))
		return;
	while ((section = elf_nextscn(image->elf, section))) {
		GElf_Shdr header;

		if (gelf_getshdr(section, &header) && header.sh_type == SHT_NOTE &&
		    find_build_id(image, elf_getdata(section, NULL)))
			return;
	}
}

int image_open(int fd, struct image **ret)
{
	_cleanup_(image_freep) struct image *image = NULL;
	_cleanup_close_ int owned = fd;
	struct stat st;
	int r;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	image = calloc(1, sizeof(*image));
	if (!image)
		return -ENOMEM;
	image->fd = TAKE_FD(owned);
	if (fstat(image->fd, &st) < 0)
		return -errno;
	image->size = (uint64_t)st.st_size;

	image->elf = elf_begin(image->fd, ELF_C_READ_MMAP, NULL);
	if (!image->elf || !is_supported(image->elf))
		return -ENOEXEC;
	r = read_segments(image);
	if (r < 0)
		return r;
	read_build_id(image);

	*ret = TAKE_PTR(image);
	return 0;
}

const struct segment *image_segment_of_offset(const struct image *image, uint64_t offset)
{
	const struct segment *found = NULL;

	for (size_t i = 0; i < image->n_segments; i++) {
		const struct segment *s = &image->segments[i];

		if (offset < s->offset || offset - s->offset >= s->size)
			continue;
		if (s->executable)
			return s;
		if (!found)
			found = s;
	}
	return found;
}

const struct segment *image_segment_of_vaddr(const struct image *image, uint64_t vaddr)
{
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct segment *s = &image->segments[i];

		if (vaddr >= s->vaddr && vaddr - s->vaddr < s->size)
			return s;
	}
	return NULL;
}

bool image_offset_to_vaddr(const struct image *image, uint64_t offset, uint64_t *ret)
{
	const struct segment *s = image_segment_of_offset(image, offset);

	if (!s)
		return false;
	*ret = offset - s->offset + s->vaddr;
	return true;
}

bool image_vaddr_to_offset(const struct image *image, uint64_t vaddr, uint64_t *ret)
{
	const struct segment *s = image_segment_of_vaddr(image, vaddr);

	if (!s)
		return false;
	*ret = vaddr - s->vaddr + s->offset;
	return true;
}

/* What PT_DYNAMIC says: whether libraries are needed, and whether this is a program. */
static bool needs_libraries(const struct image *image, const GElf_Phdr *p, bool *ret_program)
{
	Elf_Data *data =
		elf_getdata_rawchunk(image->elf, (int64_t)p->p_offset, p->p_filesz, ELF_T_DYN);
	size_t n = data ? data->d_size / sizeof(Elf64_Dyn) : 0;

	for (size_t i = 0; i < n && i <= INT32_MAX; i++) {
		GElf_Dyn entry;

		if (!gelf_getdyn(data, (int)i, &entry) || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_NEEDED)
			return true;
		if (entry.d_tag == DT_FLAGS_1 && entry.d_un.d_val & DF_1_PIE)
			*ret_program = true;
	}
	return false;
}

bool image_is_static_program(const struct image *image)
{
	bool is_program;
	GElf_Ehdr header;
	size_t n;

	if (!gelf_getehdr(image->elf, &header) || elf_getphdrnum(image->elf, &n) != 0)
		return false;
	/* A static PIE has the type of a library, and like one no interpreter. */
	is_program = header.e_type == ET_EXEC;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(image->elf, (int)i, &p) || p.p_type == PT_INTERP)
			return false;
		if (p.p_type == PT_DYNAMIC && needs_libraries(image, &p, &is_program))
			return false;
	}
	return is_program;
}

/* The first one of this name behind @after, or of all. */
static Elf_Scn *next_section(const struct image *image, const char *name, Elf_Scn *after,
			     GElf_Shdr *ret_header)
{
	Elf_Scn *section = after;
	size_t names;

	if (elf_getshdrstrndx(image->elf, &names) != 0)
		return NULL;
	while ((section = elf_nextscn(image->elf, section))) {
		GElf_Shdr header;
		const char *found;

		if (!gelf_getshdr(section, &header))
			continue;
		found = elf_strptr(image->elf, names, header.sh_name);
		if (!found || strcmp(found, name) != 0)
			continue;
		if (ret_header)
			*ret_header = header;
		return section;
	}
	return NULL;
}

Elf_Scn *image_section(const struct image *image, const char *name, GElf_Shdr *ret_header)
{
	return next_section(image, name, NULL, ret_header);
}

size_t image_count_sections(const struct image *image, const char *name)
{
	Elf_Scn *section = NULL;
	size_t n = 0;

	while ((section = next_section(image, name, section, NULL)))
		n++;
	return n;
}

bool image_has_section(const struct image *image, const char *name)
{
	GElf_Shdr header;

	return image_section(image, name, &header) && header.sh_type != SHT_NOBITS &&
	       header.sh_size > 0;
}

ssize_t image_read(const struct image *image, uint64_t offset, void *buffer, size_t size)
{
	size_t done = 0;

	if (offset > INT64_MAX - size)
		return -EINVAL;
	while (done < size) {
		ssize_t n = pread(image->fd, (char *)buffer + done, size - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

const char *image_debug_link(const struct image *image, uint32_t *ret_crc)
{
	GElf_Word crc = 0;
	const char *name = dwelf_elf_gnu_debuglink(image->elf, &crc);

	if (!name || !*name)
		return NULL;
	*ret_crc = crc;
	return name;
}

const char *image_alt_link(const struct image *image, const uint8_t **ret_id, size_t *ret_bytes)
{
	Elf_Scn *section = image_section(image, ".gnu_debugaltlink", NULL);
	const Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	const uint8_t *end;

	if (!data || !data->d_buf || data->d_size == 0)
		return NULL;
	end = memchr(data->d_buf, 0, data->d_size);
	if (!end || end == data->d_buf)
		return NULL;
	end++;
	*ret_bytes = data->d_size - (size_t)(end - (const uint8_t *)data->d_buf);
	*ret_id = end;
	return *ret_bytes > 0 && *ret_bytes <= BUILD_ID_MAX ? data->d_buf : NULL;
}

int image_crc(const struct image *image, uint32_t *ret)
{
	uint8_t buffer[65536];
	uLong crc = crc32(0, NULL, 0);
	uint64_t at = 0;

	for (;;) {
		ssize_t n = image_read(image, at, buffer, sizeof(buffer));

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		crc = crc32(crc, buffer, (uInt)n);
		at += (uint64_t)n;
	}
	*ret = (uint32_t)crc;
	return 0;
}
