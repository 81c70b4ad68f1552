// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How each target's calls are taken, and what its probes have done.
 *
 * A target has a number of its own for both, its meter, which is given back when the target is
 * forgotten: ids are never used again, and an array is what costs the probes least.
 */
#include <math.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../bpf/sampling.h"
#include "base/log.h"
#include "probe/object.h"

void meters_fill_table(uint32_t table[])
{
	for (unsigned int i = 0; i < SAMPLING_TABLE_SIZE; i++)
		table[i] = (uint32_t)lround(log2(1 + (double)i / (SAMPLING_TABLE_SIZE - 1)) *
					    (1 << 24));
}

int meters_fill(struct seep_bpf *skel)
{
	int fd = bpf_map__fd(skel->maps.free_meters), r = 0;
	uint32_t n = bpf_map__max_entries(skel->maps.meters);

	for (uint32_t meter = 1; meter < n && r == 0; meter++)
		r = bpf_map_update_elem(fd, NULL, &meter, BPF_ANY);
	return r;
}

/* A value of a per-CPU map has one part per possible CPU. */
static struct target_meter *new_parts(size_t *ret_n)
{
	int n = libbpf_num_possible_cpus();

	if (n <= 0)
		return NULL;
	*ret_n = (size_t)n;
	return calloc((size_t)n, sizeof(struct target_meter));
}

int meters_take(struct probe *p, uint32_t *ret)
{
	const struct target_control exact = { .mode = CONTROL_EXACT };
	_cleanup_free_ struct target_meter *none = NULL;
	uint32_t meter;
	size_t n;
	int r;

	none = new_parts(&n);
	if (!none)
		return -ENOMEM;
	r = bpf_map_lookup_and_delete_elem(bpf_map__fd(p->skel->maps.free_meters), NULL, &meter);
	if (r < 0)
		return r == -ENOENT ? -ENOSPC : r;
	r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.controls), &meter, &exact, BPF_ANY);
	if (r == 0)
		r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.meters), &meter, none, BPF_ANY);
	if (r < 0)
		return r;
	*ret = meter;
	return 0;
}

/* Cleared before it can be taken again: the kernel side takes meters, too. */
void meters_give_back(struct probe *p, uint32_t meter)
{
	const struct target_control exact = { .mode = CONTROL_EXACT };
	_cleanup_free_ struct target_meter *none = NULL;
	size_t n;
	int r;

	if (!meter)
		return;
	none = new_parts(&n);
	r = none ? meters_set_owner(p, meter, 0, 0) : -ENOMEM;
	if (r == 0)
		r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.controls), &meter, &exact,
					BPF_ANY);
	if (r == 0)
		r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.meters), &meter, none, BPF_ANY);
	if (r == 0)
		r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.free_meters), NULL, &meter,
					BPF_ANY);
	if (r < 0)
		log_debug_errno(r, "failed to give back a target's meter, ignoring");
}

int meters_set_owner(struct probe *p, uint32_t meter, pid_t tgid, uint32_t target)
{
	const struct meter_owner owner = { .tgid = (uint32_t)tgid, .target = target };

	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.owners), &meter, &owner, BPF_ANY);
}

int meter_of(struct probe *p, uint32_t target, uint32_t *ret)
{
	struct target_counters counters;
	int r;

	r = probe_read_counters(p, target, &counters);
	if (r < 0)
		return r;
	if (!counters.meter)
		return -ENOENT;
	*ret = counters.meter;
	return 0;
}

int probe_set_control(struct probe *p, uint32_t target, const struct target_control *control)
{
	struct target_control c = *control;
	uint32_t meter;
	int r;

	if (c.interval < SAMPLING_INTERVAL_MIN)
		c.interval = SAMPLING_INTERVAL_MIN;
	if (c.interval > SAMPLING_INTERVAL_MAX)
		c.interval = SAMPLING_INTERVAL_MAX;
	r = meter_of(p, target, &meter);
	if (r < 0)
		return r;
	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.controls), &meter, &c, BPF_ANY);
}

int probe_get_control(struct probe *p, uint32_t target, struct target_control *ret)
{
	uint32_t meter;
	int r;

	r = meter_of(p, target, &meter);
	if (r < 0)
		return r;
	return bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.controls), &meter, ret);
}

int probe_read_meter(struct probe *p, uint32_t target, struct target_meter *ret)
{
	_cleanup_free_ struct target_meter *parts = NULL;
	struct target_meter sum = { 0 };
	uint32_t meter;
	size_t n;
	int r;

	parts = new_parts(&n);
	if (!parts)
		return -ENOMEM;
	r = meter_of(p, target, &meter);
	if (r < 0)
		return r;
	r = bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.meters), &meter, parts);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		sum.allocations += parts[i].allocations;
		sum.bytes += parts[i].bytes;
		sum.frees += parts[i].frees;
		sum.taken += parts[i].taken;
		sum.timed += parts[i].timed;
		sum.timed_ns += parts[i].timed_ns;
	}
	*ret = sum;
	return 0;
}
