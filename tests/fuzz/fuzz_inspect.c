// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers of the child that looks into Python processes. The first byte says to which question. */
#include <stdint.h>
#include <stdlib.h>

#include "python/answers.h"

#define OBJECTS_MAX 64
#define LISTS	    2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_census(const uint8_t *data, size_t size)
{
	struct python_census c;

	if (python_unpack_census(data, size, &c) < 0)
		return;
	for (size_t i = 0; i < c.n; i++)
		if (!c.kinds[i].type)
			abort(); /* a kind without a name */
	python_census_done(&c);
}

static void check_objects(const uint8_t *data, size_t size)
{
	struct python_objects o[LISTS] = { 0 };

	if (python_unpack_objects(data, size, LISTS, OBJECTS_MAX, o) < 0)
		return;
	for (size_t i = 0; i < LISTS; i++) {
		if (o[i].n > OBJECTS_MAX)
			abort(); /* more than were asked for */
		free(o[i].list);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct python_holders holders;

	if (!size)
		return 0;
	switch (data[0] % 3) {
	case 0:
		check_census(data + 1, size - 1);
		break;
	case 1:
		check_objects(data + 1, size - 1);
		break;
	default:
		if (python_unpack_holders(data + 1, size - 1, &holders) == 0 &&
		    holders.n > PYTHON_HOLDERS)
			abort();
		break;
	}
	return 0;
}
