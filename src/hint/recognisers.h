/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables behind hint_find(), for src/hint only. */
#ifndef SEEP_HINT_RECOGNISERS_H
#define SEEP_HINT_RECOGNISERS_H

#include "hint/hint.h"

struct recogniser {
	const char *pattern;
	const char *(*recognise)(const struct hint_facts *f); /* the sentence, or NULL */
};

/* Tables end with a NULL pattern. */
extern const struct recogniser python_recognisers[];
extern const struct recogniser native_recognisers[];

#endif
