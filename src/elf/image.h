/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One ELF file, opened for reading: segments, build-id, links to its debug files.
 *
 * Only little-endian ELF64 for x86-64. Parses hostile input: only the sandboxed child calls it.
 */
#ifndef SEEP_ELF_IMAGE_H
#define SEEP_ELF_IMAGE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* The kernel takes 20 bytes at most; linkers can be told to write longer ones. */
#define BUILD_ID_MAX 64

/* A PT_LOAD program header, the part that is in the file. */
struct segment {
	uint64_t vaddr;
	uint64_t offset;
	uint64_t size;
	bool executable;
};

struct image {
	int fd;	  /* owned */
	Elf *elf; /* owned */
	uint64_t size;
	struct segment *segments; /* owned, in the order of the file */
	size_t n_segments;
	uint8_t build_id[BUILD_ID_MAX];
	size_t build_id_bytes; /* 0: none */
};

/* Takes over @fd, also on failure. -ENOEXEC: not an ELF file of this machine. */
int image_open(int fd, struct image **ret);
struct image *image_free(struct image *image);
DEFINE_CLEANUP(struct image *, image_free)

/* The segment that holds a file offset (executable ones first) or an address; NULL: none. */
const struct segment *image_segment_of_offset(const struct image *image, uint64_t offset);
const struct segment *image_segment_of_vaddr(const struct image *image, uint64_t vaddr);

bool image_offset_to_vaddr(const struct image *image, uint64_t offset, uint64_t *ret);
bool image_vaddr_to_offset(const struct image *image, uint64_t vaddr, uint64_t *ret);

/* Whether it is a program, not a library, that is complete without any library. */
bool image_is_static_program(const struct image *image);

/* The first section of that name, NULL if there is none. @ret_header may be NULL. */
Elf_Scn *image_section(const struct image *image, const char *name, GElf_Shdr *ret_header);

size_t image_count_sections(const struct image *image, const char *name);

/* Whether a section of that name is there and has contents (debug files keep empty ones). */
bool image_has_section(const struct image *image, const char *name);

/* Reads up to @size bytes at a file offset; returns how many, or a negative errno. */
ssize_t image_read(const struct image *image, uint64_t offset, void *buffer, size_t size);

/* .gnu_debuglink: name of the debug file and CRC-32 of its contents; NULL: none. */
const char *image_debug_link(const struct image *image, uint32_t *ret_crc);

/* .gnu_debugaltlink (written by dwz): path and build-id of a file with shared parts; NULL: none. */
const char *image_alt_link(const struct image *image, const uint8_t **ret_id, size_t *ret_bytes);

/* CRC-32 of the whole file, as .gnu_debuglink has it. */
int image_crc(const struct image *image, uint32_t *ret);

#endif
