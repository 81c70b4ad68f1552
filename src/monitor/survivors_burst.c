// SPDX-License-Identifier: GPL-2.0-or-later
/* A burst of survivor sampling: where its probe goes, how much it may see, what it has seen. See survivors.h. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "monitor/state.h"
#include "monitor/survivors.h"

#define BURST_NS      (10 * NS_PER_SECOND)
#define SLOW_BURST_NS (120 * NS_PER_SECOND) /* until there are so many constructions: */
#define SLOW_TAKEN    64
#define MINUTE_NS     (60 * NS_PER_SECOND)
/* Of a construction that is taken: 16 Python frames and the record, as measured. */
#define TAKEN_NS      6000.0
/* Of what the budget grants in a minute, the rest being for the target's blocks. */
#define BUDGET_SHARE  0.5

void survivors_burst_done(struct survivors_burst *b)
{
	free(b->list);
	free(b->records);
	python_objects_done(&b->after);
	*b = (struct survivors_burst){ .n = 0 };
}

/* Which file a constructor lies in, and where. */
static const struct file *place(struct survivors *s, const struct tracked *t, uint64_t address,
				uint64_t *ret_offset)
{
	for (size_t i = 0; i < t->n_mappings; i++) {
		const struct probe_mapping *map = &t->mappings[i];
		const struct file *file = file_table_get(s->monitor->files, map->slot);

		if (address < map->start || address >= map->end)
			continue;
		*ret_offset = address - map->start + map->offset;
		return file && file->fd >= 0 ? file : NULL;
	}
	return NULL;
}

/* At the prices of today. Returns are seen by a second probe: of each hit, or of those of the type alone. */
static void set_prices(struct survivors *s, const struct python_constructor *c)
{
	const struct probe_prices *p = &s->monitor->believed_prices;

	s->hit_ns = (p->skip_ns > 0 ? p->skip_ns : 1000) + (c->is_emulated ? 0 : p->step_ns);
	s->taken_ns = TAKEN_NS;
	if (c->shape == PYTHON_RETURNS)
		s->hit_ns += p->return_ns;
	else if (c->shape != PYTHON_TAKES_OBJECT)
		s->taken_ns += p->return_ns;
}

/* Bounds of a burst: what may be spent on it, at the price of a hit and of what is taken. */
static struct burst bounds(const struct survivors *s, const struct tracked *t,
			   const struct python_constructor *c)
{
	double ratio = t->options.budget_ratio > 0 ? t->options.budget_ratio :
						     s->monitor->options.budget_ratio;
	double left = BUDGET_SHARE * ratio * (double)MINUTE_NS;
	double most = left / 2 / (s->hit_ns + s->taken_ns);

	return (struct burst){
		.tgid = (uint32_t)t->target->pid,
		.target = t->target->key,
		.by_result = c->shape == PYTHON_RETURNS,
		.type = s->type_address,
		.max_hits = (uint64_t)(left / 2 / s->hit_ns) + 1,
		.max_taken = most < CONSTRUCTIONS_MAX ? (uint64_t)most + 1 : CONSTRUCTIONS_MAX,
	};
}

int survivors_open_window(struct survivors *s, const struct tracked *t,
			  const struct python_constructor *c)
{
	struct probe_point point = {
		.kind = c->shape == PYTHON_TAKES_OBJECT ? HOOK_OBJECT : HOOK_MAKER,
		.emulated = c->is_emulated,
	};
	const struct file *file = place(s, t, c->address, &point.offset);
	struct burst b;
	int r;

	if (!file)
		return -ENOENT;
	set_prices(s, c);
	b = bounds(s, t, c);
	r = probe_burst_begin(s->monitor->probe, &b);
	if (r < 0)
		return r;
	s->window++;
	s->awaited = 0;
	s->is_open = true;
	return probe_window_open(s->monitor->probe, s->window, t->target->key, t->target->pid,
				 file->fd, &point, 1, &s->awaited);
}

/* Few constructions cost little, and few of them tell little: they are given more time. */
bool survivors_is_over(const struct burst *b, uint64_t for_ns)
{
	bool is_slow = b->taken > 0 && b->taken < SLOW_TAKEN;

	return b->hits >= b->max_hits || b->taken >= b->max_taken ||
	       for_ns >= (is_slow ? SLOW_BURST_NS : BURST_NS);
}

static void take_construction(const struct construction *c, void *userdata)
{
	struct survivors_burst *b = &((struct survivors *)userdata)->now;

	if (b->n == b->room) {
		size_t room = b->room ? 2 * b->room : 1024;
		struct construction *grown = reallocarray(b->list, room, sizeof(*grown));

		if (!grown)
			return;
		b->list = grown;
		b->room = room;
	}
	b->list[b->n++] = *c;
}

static struct burst charge(struct survivors *s, struct tracked *t)
{
	struct burst b = { 0 };

	(void)probe_burst_read(s->monitor->probe, &b);
	if (t)
		govern_spend(t, s->opened_ns,
			     (double)b.hits * s->hit_ns + (double)(b.taken + b.lost) * s->taken_ns);
	return b;
}

void survivors_drop_burst(struct survivors *s, struct tracked *t)
{
	(void)charge(s, t);
	(void)probe_burst_end(s->monitor->probe, NULL, NULL);
}

int survivors_take_burst(struct survivors *s, struct tracked *t)
{
	struct burst b = charge(s, t);
	int r;

	r = probe_burst_end(s->monitor->probe, take_construction, s);
	log_debug(
		"a burst of %llu hits has seen %zu constructions of a Python type, %llu were lost",
		(unsigned long long)b.hits, s->now.n, (unsigned long long)b.lost);
	s->now.records = calloc(s->now.n + 1, sizeof(*s->now.records));
	if (r < 0 || !s->now.records)
		return r < 0 ? r : -ENOMEM;
	for (size_t i = 0; i < s->now.n; i++)
		s->now.records[i] = (struct survival_record){
			.object = s->now.list[i].object,
			.time_ns = s->now.list[i].time_ns,
		};
	return 0;
}
