// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel side knows of Python interpreters, and the numbers that it gives to Python code.
 */
#include <string.h>
#include <sys/random.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "probe/object.h"

void python_set_seed(struct seep_bpf *skel)
{
	uint64_t seed = 0;

	/* (Early at boot there may be none; then it is the same for all.) */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = 1;
	memcpy((void *)&skel->rodata->code_seed, &seed, sizeof(seed));
}

static int give_code(struct seep_bpf *skel)
{
	uint32_t code = skel->data->next_code;

	if (code > CODE_MAX)
		return -ENOSPC;
	skel->data->next_code = code + 1;
	return bpf_map_update_elem(bpf_map__fd(skel->maps.free_codes), NULL, &code, BPF_ANY);
}

int python_fill_codes(struct seep_bpf *skel)
{
	int r = 0;

	for (uint32_t i = 0; i < PROBE_FREE_CODES && r == 0; i++)
		r = give_code(skel);
	return r;
}

int probe_give_code(struct probe *p)
{
	return give_code(p->skel);
}

int probe_publish_python(struct probe *p, uint32_t target, const struct python_target *python)
{
	int r;

	r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.python_targets), &target, python,
				BPF_ANY);
	if (r < 0)
		return r == -E2BIG ? -ENOSPC : r;
	__atomic_store_n(&p->skel->bss->python_in_use, 1, __ATOMIC_RELEASE);
	return 0;
}

bool probe_has_python(struct probe *p, uint32_t target)
{
	struct python_target known;

	return bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.python_targets), &target, &known) == 0;
}

void probe_drop_python(struct probe *p, uint32_t target)
{
	(void)bpf_map_delete_elem(bpf_map__fd(p->skel->maps.python_targets), &target);
}
