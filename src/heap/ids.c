// SPDX-License-Identifier: GPL-2.0-or-later
/* The ids of sites and leaks, and the hash behind them. See ids.h and group.h. */
#include "heap/ids.h"

#include <string.h>

#include "heap/group.h"

#define FNV_PRIME 0x100000001b3ull

static uint64_t add_byte(uint64_t h, unsigned char c)
{
	return (h ^ c) * FNV_PRIME;
}

uint64_t id_add_text(uint64_t h, const char *text)
{
	if (!text)
		h = add_byte(h, 0xff);
	for (; text && *text; text++)
		h = add_byte(h, (unsigned char)*text);
	return add_byte(h, 0);
}

uint64_t id_add_number(uint64_t h, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		h = add_byte(h, (unsigned char)(number >> 8 * i));
	return h;
}

uint64_t id_end(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	h ^= h >> 33;
	return h;
}

const char *path_base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static uint64_t add_place(uint64_t h, const struct frame *f)
{
	h = id_add_text(h, path_base_name(f->module));
	return id_add_number(h, f->offset);
}

/*
 * Lines are counted from the function's first one: a change further up in the file moves them all. By the
 * file's name alone, so that it is the same in another virtual environment.
 */
static uint64_t add_python(uint64_t h, const struct frame *f)
{
	h = id_add_text(h, path_base_name(f->file));
	h = id_add_text(h, f->function);
	return id_add_number(h, f->offset);
}

uint64_t group_site_id(const struct frame *const *frames, size_t n)
{
	uint64_t h = ID_START;

	for (size_t i = 0; i < n; i++) {
		const struct frame *f = frames[i];

		if (f->kind == FRAME_INLINED)
			continue;
		h = id_add_text(h, f->function);
		if (f->kind == FRAME_PYTHON) {
			h = id_add_text(h, path_base_name(f->file));
			continue;
		}
		h = f->function ? id_add_text(h, path_base_name(f->module)) : add_place(h, f);
	}
	return id_end(h);
}

uint64_t group_leak_id(const struct frame *const *frames, size_t n)
{
	uint64_t h = ID_START;

	for (size_t i = 0; i < n; i++) {
		const struct frame *f = frames[i];

		if (f->kind == FRAME_INLINED)
			continue;
		if (f->kind == FRAME_PYTHON) {
			h = add_python(h, f);
			continue;
		}
		h = id_add_text(h, f->build_id);
		h = f->build_id ? id_add_number(h, f->offset) : add_place(h, f);
	}
	return id_end(h);
}
