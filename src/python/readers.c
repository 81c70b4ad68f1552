// SPDX-License-Identifier: GPL-2.0-or-later
/* What the inspector's child reads processes with. */
#include "python/inspect.h"

const struct python_readers python_readers = {
	.find = python_interpreter_find,
	.census = python_census_take,
	.objects = python_objects_collect,
	.holders = python_holders_find,
	.constructors = python_constructors_find,
};
