// SPDX-License-Identifier: GPL-2.0-or-later
/* What usually mends a leak. See hint.h; the patterns are in python.c and native.c. */
#include "hint/hint.h"

#include <string.h>

#include "hint/recognisers.h"

bool hint_find(const struct hint_facts *f, struct hint *ret)
{
	const struct recogniser *r = f->type ? python_recognisers : native_recognisers;

	for (; r->pattern; r++) {
		const char *sentence = r->recognise(f);

		if (!sentence)
			continue;
		*ret = (struct hint){ .pattern = r->pattern, .sentence = sentence };
		return true;
	}
	return false;
}
