// SPDX-License-Identifier: GPL-2.0-or-later
/* Stretches of series. See chunk.h. */
#include "history/chunk.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

const struct chunk_level chunk_levels[CHUNK_LEVELS] = {
	{ 0, 5 * MINUTE_MS, DAY_MS },
	{ 5 * MINUTE_MS, HOUR_MS, 7 * DAY_MS },
	{ HOUR_MS, DAY_MS, 90 * DAY_MS },
};

/*
 * A packed sample: a byte that tells what differs from the one before (bits 0 to 3: the values,
 * each a 32-bit float; STEP: the time since the one before, a varint; COVER: 8 bytes), and then
 * only that. Most ticks of most series cost 1 to 9 bytes.
 */
#define STEP	   0x10
#define COVER	   0x20
#define SAMPLE_MAX (1 + 5 + 8 + 4 * CHUNK_VALUES)

int64_t time_floor(int64_t t, int64_t step)
{
	int64_t rest = t % step;

	return t - (rest < 0 ? rest + step : rest);
}

int64_t chunk_width(int level, int64_t tick_ms)
{
	return level == 0 ? tick_ms : chunk_levels[level].width_ms;
}

static uint64_t parts(int64_t first, int64_t last)
{
	uint64_t below_first = (UINT64_C(1) << first) - 1;
	uint64_t up_to_last = (UINT64_C(2) << last) - 1;

	return up_to_last & ~below_first;
}

uint64_t cover_of(int64_t offset, int64_t length, int64_t width)
{
	int64_t first = offset * COVER_PARTS / width;
	int64_t last = (offset + length - 1) * COVER_PARTS / width;

	if (first >= COVER_PARTS || last < first)
		return 0;
	return parts(first, last < COVER_PARTS ? last : COVER_PARTS - 1);
}

uint64_t cover_of_parts(uint64_t covered, int64_t offset, int64_t inner, int64_t width)
{
	uint64_t sum = 0;

	if (covered == COVER_ALL)
		return cover_of(offset, inner, width);
	for (int64_t i = 0; i < COVER_PARTS; i++)
		if (covered >> i & 1)
			sum |= cover_of(offset + i * inner / COVER_PARTS, inner / COVER_PARTS,
					width);
	return sum;
}

void chunk_done(struct chunk *c)
{
	free(c->samples);
	*c = (struct chunk){ 0 };
}

/* RSS and limits of 0 are unknown, and do not count. */
static float mean_of(float a, double wa, float b, double wb, int value)
{
	if (value == CHUNK_RSS || value == CHUNK_LIMIT) {
		if (a <= 0)
			return b;
		if (b <= 0)
			return a;
	}
	return (float)((a * wa + b * wb) / (wa + wb));
}

static void merge(struct sample *into, const struct sample *s)
{
	double wa = into->n;
	double wb = s->n;

	if (into->covered != COVER_ALL || s->covered != COVER_ALL) {
		wa = __builtin_popcountll(into->covered);
		wb = __builtin_popcountll(s->covered);
	}
	for (int i = 0; i < CHUNK_VALUES; i++)
		into->value[i] = mean_of(into->value[i], wa, s->value[i], wb, i);
	into->covered |= s->covered;
	into->n += s->n;
}

static int make_room(struct chunk *c)
{
	size_t room = c->room ? c->room * 2 : 8;
	struct sample *more;

	if (c->n < c->room)
		return 0;
	more = realloc(c->samples, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	c->samples = more;
	c->room = room;
	return 0;
}

int chunk_add(struct chunk *c, const struct sample *s)
{
	size_t i = c->n;
	int r;

	while (i > 0 && c->samples[i - 1].at_ms > s->at_ms)
		i--;
	if (i > 0 && c->samples[i - 1].at_ms == s->at_ms) {
		merge(&c->samples[i - 1], s);
		return 0;
	}
	if (c->n == CHUNK_SAMPLES_MAX) {
		merge(&c->samples[i > 0 ? i - 1 : 0], s);
		return 0;
	}
	r = make_room(c);
	if (r < 0)
		return r;
	memmove(&c->samples[i + 1], &c->samples[i], (c->n - i) * sizeof(*s));
	c->samples[i] = *s;
	c->n++;
	return 0;
}

/* The mean of some samples of one interval, each by what it covers of it. */
struct mean {
	uint64_t covered;
	double weight[CHUNK_VALUES];
	double sum[CHUNK_VALUES];
};

static void mean_add(struct mean *m, const struct sample *s, uint64_t covered, double weight)
{
	m->covered |= covered;
	for (int i = 0; i < CHUNK_VALUES; i++) {
		if ((i == CHUNK_RSS || i == CHUNK_LIMIT) && s->value[i] <= 0)
			continue;
		m->sum[i] += s->value[i] * weight;
		m->weight[i] += weight;
	}
}

static struct sample mean_end(const struct mean *m, int64_t at_ms)
{
	struct sample s = { .at_ms = (uint32_t)at_ms, .n = 1, .covered = m->covered };

	for (int i = 0; i < CHUNK_VALUES; i++)
		if (m->weight[i] > 0)
			s.value[i] = (float)(m->sum[i] / m->weight[i]);
	return s;
}

int chunk_coarsen(struct chunk *coarse, int level, int64_t coarse_start, const struct chunk *fine,
		  int64_t fine_start, int64_t tick_ms)
{
	int64_t width = chunk_levels[level].width_ms;
	int64_t inner = chunk_width(level - 1, tick_ms);
	size_t i = 0;
	int r;

	while (i < fine->n) {
		struct mean m = { 0 };
		struct sample s;
		int64_t interval =
			time_floor(fine_start + fine->samples[i].at_ms - coarse_start, width);

		for (; i < fine->n; i++) {
			const struct sample *f = &fine->samples[i];
			int64_t at = fine_start + f->at_ms - coarse_start;

			if (time_floor(at, width) != interval)
				break;
			mean_add(&m, f, cover_of_parts(f->covered, at - interval, inner, width),
				 __builtin_popcountll(f->covered));
		}
		s = mean_end(&m, interval);
		r = chunk_add(coarse, &s);
		if (r < 0)
			return r;
	}
	return 0;
}

static uint8_t *put_varint(uint8_t *p, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *put_bytes(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*p++ = (uint8_t)(v >> (8 * i));
	return p;
}

static uint32_t bits_of(float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

/* What a packed chunk begins with: a point a step before its start. */
struct cursor {
	int64_t at_ms;
	int64_t step_ms;
	uint64_t covered;
	float value[CHUNK_VALUES];
};

static struct cursor cursor_at_start(int level, int64_t tick_ms)
{
	int64_t width = chunk_width(level, tick_ms);

	return (struct cursor){ .at_ms = -width, .step_ms = width, .covered = COVER_ALL };
}

static uint8_t *pack_sample(uint8_t *p, const struct sample *s, struct cursor *last)
{
	int64_t step = s->at_ms - last->at_ms;
	uint8_t *flags = p++;

	*flags = 0;
	if (step != last->step_ms) {
		*flags |= STEP;
		p = put_varint(p, (uint32_t)step);
	}
	if (s->covered != last->covered) {
		*flags |= COVER;
		p = put_bytes(p, s->covered, 8);
	}
	for (int i = 0; i < CHUNK_VALUES; i++) {
		if (bits_of(s->value[i]) == bits_of(last->value[i]))
			continue;
		*flags |= (uint8_t)(1 << i);
		p = put_bytes(p, bits_of(s->value[i]), 4);
	}
	last->at_ms = s->at_ms;
	last->step_ms = step;
	last->covered = s->covered;
	memcpy(last->value, s->value, sizeof(last->value));
	return p;
}

int chunk_pack(const struct chunk *c, int level, int64_t tick_ms, uint8_t **ret, size_t *ret_size)
{
	struct cursor last = cursor_at_start(level, tick_ms);
	uint8_t *packed = malloc(8 + c->n * SAMPLE_MAX);
	uint8_t *p = packed;

	if (!packed)
		return -ENOMEM;
	/* The step that is taken for granted, since ticks may change from life to life. */
	p = put_varint(p, (uint32_t)last.step_ms);
	for (size_t i = 0; i < c->n; i++)
		p = pack_sample(p, &c->samples[i], &last);
	*ret = packed;
	*ret_size = (size_t)(p - packed);
	return 0;
}

struct input {
	const uint8_t *at, *end;
	bool failed;
};

static uint64_t get_bytes(struct input *in, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(in->end - in->at) < n) {
		in->failed = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)*in->at++ << (8 * i);
	return v;
}

static int64_t get_varint(struct input *in)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 35; shift += 7) {
		uint64_t byte = get_bytes(in, 1);

		v |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return (int64_t)v;
	}
	in->failed = true;
	return 0;
}

static void unpack_sample(struct input *in, struct cursor *last)
{
	uint64_t flags = get_bytes(in, 1);

	in->failed |= flags > (COVER | STEP | 0xf);
	if (flags & STEP)
		last->step_ms = get_varint(in);
	last->at_ms += last->step_ms;
	if (flags & COVER)
		last->covered = get_bytes(in, 8);
	for (int i = 0; i < CHUNK_VALUES; i++) {
		uint32_t bits;

		if (!(flags >> i & 1))
			continue;
		bits = (uint32_t)get_bytes(in, 4);
		memcpy(&last->value[i], &bits, sizeof(bits));
		in->failed |= !isfinite(last->value[i]) || last->value[i] < 0;
	}
}

/* Whether a sample can follow one at @before_ms. */
static bool is_sound(const struct cursor *c, int64_t before_ms, int level)
{
	return c->at_ms >= 0 && c->at_ms > before_ms && c->at_ms < chunk_levels[level].span_ms &&
	       c->covered != 0 && c->covered <= COVER_ALL;
}

static int unpack_all(struct chunk *c, int level, const void *packed, size_t size)
{
	struct input in = { packed, (const uint8_t *)packed + size, false };
	struct cursor last = { .covered = COVER_ALL };
	int64_t before_ms = -1;
	int r;

	last.step_ms = get_varint(&in);
	last.at_ms = -last.step_ms;
	while (!in.failed && in.at < in.end) {
		struct sample s;

		unpack_sample(&in, &last);
		if (in.failed || !is_sound(&last, before_ms, level))
			return -EINVAL;
		s = (struct sample){ (uint32_t)last.at_ms, 1, last.covered, { 0 } };
		memcpy(s.value, last.value, sizeof(s.value));
		r = c->n < CHUNK_SAMPLES_MAX ? chunk_add(c, &s) : -EINVAL;
		if (r < 0)
			return r;
		before_ms = last.at_ms;
	}
	return in.failed ? -EINVAL : 0;
}

int chunk_unpack(struct chunk *c, int level, const void *packed, size_t size)
{
	_cleanup_(chunk_done) struct chunk own = { 0 };
	int r;

	r = unpack_all(&own, level, packed, size);
	for (size_t i = 0; r == 0 && i < own.n; i++)
		r = chunk_add(c, &own.samples[i]);
	return r;
}
