// SPDX-License-Identifier: GPL-2.0-or-later
/* See running.h. */
#include "python/running.h"

#include <string.h>

#define FRAME_POINTER 24 /* PyFrameObject.f_frame, 3.11 and later */

/* The low bits of references in frames of 3.14 are a tag. */
#define TAG 3ull

static uint64_t word_of(const uint8_t *object, size_t at)
{
	uint64_t v;

	memcpy(&v, object + at, sizeof(v));
	return v;
}

uint64_t python_code_of_generator(const struct python_layout *l, const uint8_t *object)
{
	if (l->generator_code != PYTHON_NONE)
		return word_of(object, l->generator_code);
	if (l->generator_frame == PYTHON_NONE)
		return 0;
	/* The frame is part of the object, and keeps its code after the end. */
	return word_of(object, l->generator_frame + l->frame_code) & ~TAG;
}

bool python_generator_has_ended(const struct python_layout *l, const uint8_t *object)
{
	/* FRAME_COMPLETED and FRAME_CLEARED; suspended and running ones are 0 or less. */
	if (l->generator_state != PYTHON_NONE)
		return (int8_t)object[l->generator_state] > 0;
	return l->generator_frame != PYTHON_NONE && !word_of(object, l->generator_frame);
}

uint64_t python_code_of_frame(const struct python_layout *l, const struct python_memory *memory,
			      const uint8_t *object)
{
	uint64_t code;

	if (l->minor < 11)
		return word_of(object, l->frame_code);
	if (python_read_u64(memory, word_of(object, FRAME_POINTER) + l->frame_code, &code) < 0)
		return 0;
	return code & ~TAG;
}
