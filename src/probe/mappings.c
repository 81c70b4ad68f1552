// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel side knows of files and of where targets map them.
 *
 * Everything is published in an order that a reader in another CPU can follow at any instant: rows
 * and buckets before the file's entry, a whole mapping set before the target points at it.
 */
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "elf/unwind_table.h"
#include "probe/object.h"

int probe_file_slot(struct probe *p, uint64_t dev, uint64_t inode, uint16_t *ret)
{
	struct file_key key = { .dev = dev, .inode = inode };
	int fd = bpf_map__fd(p->skel->maps.file_slots), r;
	int free_fd = bpf_map__fd(p->skel->maps.free_slots);
	uint32_t slot;

	if (bpf_map_lookup_elem(fd, &key, &slot) == 0) {
		*ret = (uint16_t)slot;
		return 0;
	}
	r = bpf_map_lookup_and_delete_elem(free_fd, NULL, &slot);
	if (r < 0)
		return r == -ENOENT ? -ENOSPC : r;
	r = bpf_map_update_elem(fd, &key, &slot, BPF_NOEXIST);
	if (r < 0)
		(void)bpf_map_update_elem(free_fd, NULL, &slot, BPF_ANY);
	if (r == -EEXIST)
		r = bpf_map_lookup_elem(fd, &key, &slot);
	if (r < 0)
		return r;
	*ret = (uint16_t)slot;
	return 0;
}

static int write_array(int fd, const void *values, size_t value_bytes, uint32_t first, uint32_t n)
{
	const uint32_t chunk = 16384;
	_cleanup_free_ uint32_t *keys = malloc(chunk * sizeof(*keys));
	int r;

	if (!keys)
		return -ENOMEM;
	for (uint32_t at = 0; at < n; at += chunk) {
		uint32_t count = n - at < chunk ? n - at : chunk;

		for (uint32_t i = 0; i < count; i++)
			keys[i] = first + at + i;
		r = bpf_map_update_batch(fd, keys, (const char *)values + at * value_bytes, &count,
					 NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

int probe_publish_table(struct probe *p, uint16_t slot, const struct unwind_table *table)
{
	struct file_entry entry = {
		.mode = UNWIND_TABLE,
		.row = p->rows_used,
		.n_rows = table->n_rows,
		.bucket = p->buckets_used,
		.n_buckets = table->n_buckets,
		.start = table->start,
	};
	uint32_t key = slot;
	int r;

	if (slot >= FRAME_SLOTS)
		return -EINVAL;
	if (table->n_rows > PROBE_UNWIND_ROWS - p->rows_used ||
	    table->n_buckets >= PROBE_UNWIND_BUCKETS - p->buckets_used)
		return -ENOSPC;
	r = write_array(bpf_map__fd(p->skel->maps.unwind_rows), table->rows, sizeof(table->rows[0]),
			entry.row, table->n_rows);
	if (r < 0)
		return r;
	r = write_array(bpf_map__fd(p->skel->maps.unwind_buckets), table->buckets,
			sizeof(table->buckets[0]), entry.bucket, table->n_buckets + 1);
	if (r < 0)
		return r;
	p->rows_used += table->n_rows;
	p->buckets_used += table->n_buckets + 1;
	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.files), &key, &entry, BPF_ANY);
}

int probe_set_unwind_mode(struct probe *p, uint16_t slot, enum unwind_mode mode)
{
	struct file_entry entry = { .mode = mode };
	uint32_t key = slot;

	if (slot >= FRAME_SLOTS || mode == UNWIND_TABLE)
		return -EINVAL;
	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.files), &key, &entry, BPF_ANY);
}

static int take_mapping_set(struct probe *p, uint32_t *ret)
{
	for (uint32_t i = 0; i < p->n_mapping_sets; i++) {
		if (p->mapping_set_used[i])
			continue;
		p->mapping_set_used[i] = 1;
		*ret = i;
		return 0;
	}
	return -ENOSPC;
}

void probe_set_vdso(struct probe *p, uint16_t slot, uint32_t bytes)
{
	p->skel->bss->vdso_bytes = bytes;
	__atomic_store_n(&p->skel->bss->vdso_slot, slot, __ATOMIC_RELEASE);
}

void probe_drop_mappings(struct probe *p, uint32_t target)
{
	int fd = bpf_map__fd(p->skel->maps.target_mappings);
	uint32_t index;

	if (bpf_map_lookup_elem(fd, &target, &index) == 0 && index < p->n_mapping_sets)
		p->mapping_set_used[index] = 0;
	bpf_map_delete_elem(fd, &target);
}

bool probe_has_mappings(struct probe *p, uint32_t target)
{
	uint32_t index;

	return bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.target_mappings), &target, &index) ==
	       0;
}

int probe_publish_mappings(struct probe *p, uint32_t target, const struct probe_mapping *mappings,
			   size_t n)
{
	_cleanup_free_ struct mapping_set *set = calloc(1, sizeof(*set));
	int fd = bpf_map__fd(p->skel->maps.target_mappings), r;
	uint32_t index, old;
	bool had_old;

	if (!set)
		return -ENOMEM;
	set->n = (uint32_t)(n < ABI_MAX_MAPPINGS ? n : ABI_MAX_MAPPINGS);
	for (uint32_t i = 0; i < set->n; i++) {
		set->ranges[i].start = mappings[i].start;
		set->ranges[i].end = mappings[i].end;
		/* frame = slot | (address - start + offset): the constant part. */
		set->ranges[i].frame =
			((uint64_t)mappings[i].slot << FRAME_SLOT_SHIFT) |
			((mappings[i].offset - mappings[i].start) & FRAME_OFFSET_MASK);
	}
	r = take_mapping_set(p, &index);
	if (r < 0)
		return r;
	had_old = bpf_map_lookup_elem(fd, &target, &old) == 0 && old < p->n_mapping_sets;
	r = bpf_map_update_elem(bpf_map__fd(p->skel->maps.mapping_sets), &index, set, BPF_ANY);
	if (r == 0)
		r = bpf_map_update_elem(fd, &target, &index, BPF_ANY);
	if (r < 0) {
		p->mapping_set_used[index] = 0;
		return r;
	}
	/*
	 * A program that read the old index still walks the old set. It is the last of the free
	 * ones to be taken again only by chance; a stack that is torn that way ends in an address
	 * without a mapping and is counted as truncated.
	 */
	if (had_old)
		p->mapping_set_used[old] = 0;
	return 0;
}
