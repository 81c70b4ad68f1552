// SPDX-License-Identifier: GPL-2.0-or-later
/* Stored stacks to sites with names. See naming.h. */
#include "heap/naming.h"

#include <errno.h>
#include <stdlib.h>

#include "../bpf/abi.h"
#include "heap/snapshot.h"
#include "symbolize/symbolizer.h"

struct naming *naming_new(size_t capacity)
{
	_cleanup_(naming_freep) struct naming *naming = calloc(1, sizeof(*naming));
	size_t room = capacity ? capacity : 1; /* calloc(0) may be NULL */

	if (!naming)
		return NULL;
	naming->sites = calloc(room, sizeof(*naming->sites));
	naming->stacks = calloc(room, sizeof(*naming->stacks));
	naming->depths = calloc(room, sizeof(*naming->depths));
	if (!naming->sites || !naming->stacks || !naming->depths)
		return NULL;
	return TAKE_PTR(naming);
}

struct naming *naming_free(struct naming *naming)
{
	if (!naming)
		return NULL;
	free(naming->nameless);
	free(naming->pointers);
	free(naming->depths);
	free(naming->stacks);
	free(naming->sites);
	free(naming);
	return NULL;
}

void naming_add(struct naming *naming, const struct named_site *site, const uint64_t *frames,
		uint16_t n)
{
	naming->sites[naming->n] = *site;
	naming->stacks[naming->n] = frames;
	naming->depths[naming->n] = frames ? n : 0;
	naming->n++;
}

int naming_of_snapshot(const struct snapshot *s, struct naming **ret)
{
	struct naming *naming = naming_new(s->n);

	if (!naming)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		const struct snapshot_site *site = &s->sites[i];
		const struct named_site named = {
			.target = site->target,
			.stack = site->stack,
			.totals = site->totals,
			.stack_status = site->stack_status,
		};

		naming_add(naming, &named, site->frames, site->n_frames);
	}
	*ret = naming;
	return 0;
}

static struct frame nameless_frame(uint64_t stored)
{
	return (struct frame){
		.kind = FRAME_NATIVE,
		.offset = stored & FRAME_OFFSET_MASK,
		.approximate = true,
	};
}

/* How many pointers and stand-ins naming_fill() will need. */
static void count_frames(const struct naming *naming, struct symbolizer *symbolizer,
			 size_t *ret_frames, size_t *ret_nameless)
{
	size_t n_frames = 0, n_nameless = 0;

	for (size_t i = 0; i < naming->n; i++) {
		for (size_t k = 0; k < naming->depths[i]; k++) {
			const struct frame_list *l =
				symbolizer_lookup(symbolizer, naming->stacks[i][k]);

			n_frames += l ? l->n : 1;
			n_nameless += !l;
		}
		if (!naming->depths[i]) {
			n_frames++;
			n_nameless++;
		}
	}
	*ret_frames = n_frames;
	*ret_nameless = n_nameless;
}

int naming_fill(struct naming *naming, struct symbolizer *symbolizer)
{
	size_t n_frames, n_nameless, at = 0, spare = 0;

	count_frames(naming, symbolizer, &n_frames, &n_nameless);
	naming->pointers = calloc(n_frames + 1, sizeof(*naming->pointers));
	naming->nameless = calloc(n_nameless + 1, sizeof(*naming->nameless));
	if (!naming->pointers || !naming->nameless)
		return -ENOMEM;

	for (size_t i = 0; i < naming->n; i++) {
		struct named_site *s = &naming->sites[i];

		s->frames = &naming->pointers[at];
		s->n_frames = at;
		for (size_t k = 0; k < naming->depths[i]; k++) {
			uint64_t stored = naming->stacks[i][k];
			const struct frame_list *l = symbolizer_lookup(symbolizer, stored);

			for (size_t j = 0; l && j < l->n; j++)
				naming->pointers[at++] = &l->frames[j];
			if (l)
				continue;
			naming->nameless[spare] = nameless_frame(stored);
			naming->pointers[at++] = &naming->nameless[spare++];
		}
		if (!naming->depths[i]) {
			naming->nameless[spare] = nameless_frame(0);
			naming->pointers[at++] = &naming->nameless[spare++];
		}
		s->n_frames = at - s->n_frames;
	}
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int naming_unknown(const struct naming *naming, struct symbolizer *symbolizer, uint64_t **ret,
		   size_t *ret_n)
{
	_cleanup_free_ uint64_t *frames = NULL;
	size_t room = 1, n = 0, kept = 0;

	for (size_t i = 0; i < naming->n; i++)
		room += naming->depths[i];
	frames = calloc(room, sizeof(*frames));
	if (!frames)
		return -ENOMEM;
	for (size_t i = 0; i < naming->n; i++)
		for (size_t k = 0; k < naming->depths[i]; k++)
			if (!symbolizer_lookup(symbolizer, naming->stacks[i][k]))
				frames[n++] = naming->stacks[i][k];
	qsort(frames, n, sizeof(*frames), compare_u64);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || frames[i] != frames[i - 1])
			frames[kept++] = frames[i];
	*ret = TAKE_PTR(frames);
	*ret_n = kept;
	return 0;
}
