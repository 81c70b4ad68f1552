/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which sites are shown: include and exclude patterns. Private to heap/. */
#ifndef SEEP_HEAP_FILTER_H
#define SEEP_HEAP_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct group_options;
struct named_site;

/* @blamed is the index of the site's blamed frame; not looked at when it has no frames. */
bool filter_keeps(const struct group_options *options, const struct named_site *site,
		  size_t blamed);

#endif
