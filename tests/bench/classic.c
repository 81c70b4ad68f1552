// SPDX-License-Identifier: GPL-2.0-or-later
/* The user side of the classic design. See classic.h. */
#include "classic.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "classic.skel.h"

#define MAX_FRAMES 127

struct classic {
	struct classic_bpf *skel;  /* owned */
	struct bpf_link *links[3]; /* owned */
};

int classic_new(struct classic **ret)
{
	_cleanup_(classic_freep) struct classic *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->skel = classic_bpf__open_and_load();
	if (!c->skel)
		return -errno;
	*ret = TAKE_PTR(c);
	return 0;
}

struct classic *classic_free(struct classic *c)
{
	if (!c)
		return NULL;
	classic_detach(c);
	classic_bpf__destroy(c->skel);
	free(c);
	return NULL;
}

int classic_attach(struct classic *c, const struct allocator *a, pid_t pid)
{
	const struct {
		const struct bpf_program *program;
		uint64_t offset;
		bool on_return;
	} probes[] = {
		{ c->skel->progs.classic_malloc_enter, a->malloc.offset, false },
		{ c->skel->progs.classic_malloc_exit, a->malloc.offset, true },
		{ c->skel->progs.classic_free_enter, a->free.offset, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		c->links[i] = bpf_program__attach_uprobe(probes[i].program, probes[i].on_return,
							 pid, a->path, probes[i].offset);
		if (!c->links[i]) {
			int r = -errno;

			classic_detach(c);
			return r;
		}
	}
	return 0;
}

void classic_detach(struct classic *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(c->links); i++) {
		(void)bpf_link__destroy(c->links[i]);
		c->links[i] = NULL;
	}
}

static struct stack_seen compare(const uint64_t *addresses, const struct loop_answer *truth)
{
	struct stack_seen seen = { .frames = 0 };

	while (seen.frames < MAX_FRAMES && addresses[seen.frames])
		seen.frames++;
	seen.true_caller = seen.frames && addresses[0] > truth->function_start &&
			   addresses[0] <= truth->function_end;
	if (!seen.true_caller)
		return seen;
	seen.true_frames = 1;
	while (seen.true_frames < seen.frames && seen.true_frames < truth->n_frames &&
	       addresses[seen.true_frames] == truth->frames[seen.true_frames].address)
		seen.true_frames++;
	return seen;
}

int classic_stack(struct classic *c, const struct loop_answer *truth, struct stack_seen *ret)
{
	int totals = bpf_map__fd(c->skel->maps.combined_allocs);
	int stacks = bpf_map__fd(c->skel->maps.stack_traces);
	uint64_t key, *previous = NULL;
	int r = -ENOENT;

	while (bpf_map_get_next_key(totals, previous, &key) == 0) {
		uint64_t addresses[MAX_FRAMES] = { 0 };
		uint32_t id = (uint32_t)key;
		struct stack_seen seen;

		previous = &key;
		if (bpf_map_lookup_elem(stacks, &id, addresses) < 0)
			continue;
		seen = compare(addresses, truth);
		if (r < 0 || seen.true_frames > ret->true_frames ||
		    (seen.true_frames == ret->true_frames && seen.frames > ret->frames))
			*ret = seen;
		r = 0;
	}
	return r;
}
