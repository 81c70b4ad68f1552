// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of a Python process: the input is what lies at BASE, all else is not mapped. The first byte chooses
 * the version, the second one the shape that is believed to be there.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "python/code.h"
#include "python/containers.h"
#include "python/layout.h"
#include "python/memory.h"

#define BASE	  0x10000
#define HEAD	  2
#define UNITS	  97
#define SLOTS_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
	const uint8_t *data;
	size_t size;
};

static int read_bytes(const struct python_memory *m, uint64_t address, void *to, size_t n)
{
	const struct bytes *b = m->userdata;

	if (address < BASE || address - BASE > b->size || n > b->size - (address - BASE))
		return -EFAULT;
	memcpy(to, b->data + (address - BASE), n);
	return 0;
}

struct walk {
	const struct python_reader *reader;
	const struct python_object_ref *object;
	unsigned int slots;
};

static int on_slot(const struct python_slot *slot, void *userdata)
{
	struct walk *w = userdata;
	char name[256];

	python_slot_name(w->reader, w->object, slot, name, sizeof(name));
	if (!memchr(name, 0, sizeof(name)))
		abort(); /* a name without an end */
	return ++w->slots > SLOTS_MAX ? -E2BIG : 0;
}

static void read_object(const struct python_memory *m, const struct python_layout *l,
			enum python_shape shape)
{
	const struct python_type type = {
		.address = BASE,
		.basicsize = 64,
		.itemsize = 8,
		.dictoffset = 32,
		.flags = PY_READY | PY_HEAPTYPE | PY_HAVE_GC | PY_MANAGED_DICT,
		.members = BASE + 256,
		.cached_keys = BASE + 128,
		.dict = BASE + 64,
	};
	const struct python_reader reader = { .memory = m, .layout = l, .code_type = BASE };
	const struct python_object_ref object = { .address = BASE + 16,
						  .type = &type,
						  .shape = shape };
	struct walk w = { .reader = &reader, .object = &object };

	(void)python_slots_each(&reader, &object, on_slot, &w);
	(void)python_dict_slots_each(&reader, BASE, on_slot, &w);
	(void)python_frame_slots_each(&reader, BASE, on_slot, &w);
}

static void read_code(const struct python_layout *l, const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = NULL;
	uint32_t state = 0;

	for (uint32_t unit = 0; unit < UNITS; unit++)
		(void)python_line_of_unit(l->line_table, data, size, 1, unit);
	if (size >= sizeof(state))
		memcpy(&state, data, sizeof(state));
	(void)python_text(l, size, state, data, size, &text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct python_layout *l;
	char text[128];

	if (size < HEAD)
		return 0;
	l = python_layout_find(3, PYTHON_MINOR_MIN +
					  data[0] % (PYTHON_MINOR_MAX - PYTHON_MINOR_MIN + 1));
	const struct bytes bytes = { .data = data + HEAD, .size = size - HEAD };
	const struct python_memory memory = { .read = read_bytes, .userdata = &bytes };

	if (python_read_str(&memory, l, BASE, text, sizeof(text)) == 0 &&
	    !memchr(text, 0, sizeof(text)))
		abort();
	read_object(&memory, l, data[1] % (PYTHON_CLASS + 1));
	read_code(l, bytes.data, bytes.size);
	return 0;
}
