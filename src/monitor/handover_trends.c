// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What was learnt of targets and sites over time: how their bytes have moved, and what the detectors know.
 * See handover.h.
 *
 *	head  target ...	a target: packed_target, reconcile, slope; its sites, each packed_site and
 *				slope; its detector (detect/pack.c), and that of its Python objects
 */
#include "monitor/handover.h"

#include "base/twin.h"
#include "detect/detector.h"
#include "monitor/detect.h"
#include "monitor/python.h"
#include "monitor/state.h"

#define VERSION	  2u
#define FIRST	  1u /* knew no kinds: has_kinds was padding, and 0 */
#define SITES_MAX (1u << 24)

/* Records of this machine, as a compiler lays them out: another size is another version. */
struct packed_head {
	uint32_t version;
	uint32_t reconcile_bytes;
	uint32_t slope_bytes;
	uint32_t n_targets;
};

struct packed_target {
	uint32_t key;
	uint32_t n_sites;
	uint32_t has_detector;
	uint32_t has_kinds;
};

struct packed_site {
	uint64_t stack;
	uint64_t first_seen_ns;
};

static struct packed_head head_of(const struct monitor *m)
{
	struct packed_head head = {
		.version = VERSION,
		.reconcile_bytes = sizeof(struct reconcile),
		.slope_bytes = sizeof(struct slope),
	};

	for (const struct tracked *t = m->tracked; t; t = t->by_key.next)
		head.n_targets += t->target->state == TARGET_TRACED;
	return head;
}

static void put(void *userdata, const void *data, size_t size)
{
	twin_write(userdata, data, size);
}

static int get(void *userdata, void *data, size_t size)
{
	return twin_read(userdata, data, size);
}

static int write_target(const struct monitor *m, const struct tracked *t, struct twin *to)
{
	const struct slope *live = heap_target_slope(m->heap, t->target->key), none = { 0 };
	_cleanup_free_ struct site **sites = NULL;
	struct packed_target packed = {
		.key = t->target->key,
		.has_detector = t->detector && !detector_is_scanning(t->detector),
		.has_kinds = python_has_trends(t),
	};
	size_t n = 0;
	int r;

	r = heap_list(m->heap, t->target->key, &sites, &n);
	if (r < 0)
		return r;
	packed.n_sites = (uint32_t)n;
	twin_write(to, &packed, sizeof(packed));
	twin_write(to, &t->reconcile, sizeof(t->reconcile));
	twin_write(to, live ?: &none, sizeof(none));
	for (size_t i = 0; i < n; i++) {
		const struct packed_site site = {
			.stack = sites[i]->stack,
			.first_seen_ns = sites[i]->first_seen_ns,
		};

		twin_write(to, &site, sizeof(site));
		twin_write(to, &sites[i]->live, sizeof(sites[i]->live));
	}
	if (packed.has_detector)
		r = detector_pack(t->detector, put, to);
	return r == 0 && packed.has_kinds ? python_pack(t, put, to) : r;
}

int handover_write_trends(const struct monitor *m, struct twin *to)
{
	const struct packed_head head = head_of(m);
	int r;

	r = twin_begin(to);
	if (r < 0)
		return r;
	twin_write(to, &head, sizeof(head));
	for (const struct tracked *t = m->tracked; t && r == 0; t = t->by_key.next)
		if (t->target->state == TARGET_TRACED)
			r = write_target(m, t, to);
	return r < 0 ? r : twin_commit(to);
}

/* --- back ----------------------------------------------------------------------------------------- */

/* Of a target that is no more, all is read and dropped. */
static int read_site(struct monitor *m, const struct tracked *t, struct twin *from)
{
	struct packed_site site;
	struct slope live;
	int r;

	r = twin_read(from, &site, sizeof(site));
	if (r == 0)
		r = twin_read(from, &live, sizeof(live));
	if (r < 0 || !t)
		return r;
	return heap_restore_site(m->heap, t->target->key, site.stack, site.first_seen_ns, &live);
}

static int read_detector(struct monitor *m, struct tracked *t, struct twin *from)
{
	struct tracked nobody = { .monitor = m, .target = &(struct target){ 0 } };
	const struct detector_options options = detect_options(m, t ?: &nobody);
	struct detector *detector = NULL;
	int r;

	r = detector_unpack(&options, get, from, &detector);
	if (r < 0)
		return r;
	if (t)
		t->detector = detector;
	else
		detector_free(detector);
	return 0;
}

static int read_target(struct monitor *m, struct twin *from)
{
	struct packed_target packed;
	struct reconcile reconcile;
	struct tracked *t;
	struct slope live;
	int r;

	r = twin_read(from, &packed, sizeof(packed));
	if (r == 0)
		r = twin_read(from, &reconcile, sizeof(reconcile));
	if (r == 0)
		r = twin_read(from, &live, sizeof(live));
	if (r < 0)
		return r;
	if (packed.n_sites > SITES_MAX)
		return -EBADMSG;
	t = tracked_find(m, packed.key);
	if (t)
		t->reconcile = reconcile;
	if (t)
		r = heap_restore_target(m->heap, packed.key, &live);
	for (uint32_t i = 0; i < packed.n_sites && r == 0; i++)
		r = read_site(m, t, from);
	if (r == 0 && packed.has_detector)
		r = read_detector(m, t, from);
	return r == 0 && packed.has_kinds ? python_unpack(m, t, get, from) : r;
}

int handover_read_trends(struct monitor *m, struct twin *from)
{
	struct packed_head head;
	int r;

	r = twin_open(from);
	if (r == 0)
		r = twin_read(from, &head, sizeof(head));
	if (r == 0 && (head.version < FIRST || head.version > VERSION ||
		       head.reconcile_bytes != sizeof(struct reconcile) ||
		       head.slope_bytes != sizeof(struct slope)))
		r = -EPROTO;
	for (uint32_t i = 0; r == 0 && i < head.n_targets; i++)
		r = read_target(m, from);
	twin_close(from);
	return r;
}
