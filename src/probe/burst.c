// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bursts: which constructions the programs take, and the ring buffer with those that they took.
 */
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "probe/object.h"

/* Who reads, during one call of ring_buffer__consume(). */
struct burst_reader {
	probe_construction_fn callback; /* NULL: what is read is dropped */
	void *userdata;
};

static int on_record(void *userdata, void *data, size_t size)
{
	const struct burst_reader *r = userdata;

	if (r->callback && size >= sizeof(struct construction))
		r->callback(data, r->userdata);
	return 0;
}

static int read_all(struct probe *p, probe_construction_fn callback, void *userdata)
{
	struct burst_reader reader = { callback, userdata };
	struct ring_buffer *ring;
	int r;

	ring = ring_buffer__new(bpf_map__fd(p->skel->maps.constructions), on_record, &reader, NULL);
	if (!ring)
		return -errno;
	r = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return r;
}

static int set_burst(struct probe *p, const struct burst *b)
{
	const uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.bursts), &zero, b, BPF_ANY);
}

int probe_burst_begin(struct probe *p, const struct burst *b)
{
	struct burst fresh = *b;
	int r;

	if (!fresh.tgid || fresh.max_taken > CONSTRUCTIONS_MAX)
		return -EINVAL;
	fresh.hits = fresh.taken = fresh.lost = 0;
	/* What an earlier one has left. */
	r = read_all(p, NULL, NULL);
	return r < 0 ? r : set_burst(p, &fresh);
}

int probe_burst_read(struct probe *p, struct burst *ret)
{
	const uint32_t zero = 0;

	return bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.bursts), &zero, ret);
}

int probe_burst_end(struct probe *p, probe_construction_fn callback, void *userdata)
{
	const struct burst none = { 0 };
	int r = set_burst(p, &none);

	return r < 0 ? r : read_all(p, callback, userdata);
}
