// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers of the inspector's child, to bytes and back. See answers.h. */
#include "python/answers.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* The child is the same program image: numbers are as they are. */
struct packed_census {
	uint64_t n;
	uint64_t objects, bytes;
	uint64_t raw_blocks, raw_bytes;
	uint64_t large_objects;
	uint64_t pools, unread_pools, unread_blocks, skipped_bytes;
	double error_ratio;
	uint64_t tasks_made;
	uint64_t wall_ns, started_ns;
};

#define NO_TEXT UINT32_MAX

/* Then the bytes of the three texts. */
struct packed_kind {
	uint64_t type_address, code_address;
	uint64_t count, bytes, cached;
	int32_t line;
	uint32_t done;
	uint32_t texts[3]; /* bytes of type, function, file; NO_TEXT: none */
	uint32_t zero;
};

struct packed_objects {
	uint64_t n, count, threshold;
};

void python_answer_done(struct python_answer *a)
{
	free(a->bytes);
	*a = (struct python_answer){ 0 };
}

int python_answer_add(struct python_answer *a, const void *bytes, size_t n)
{
	if (n > PYTHON_ANSWER_MAX - a->n)
		return -E2BIG;
	if (n > a->room - a->n) {
		size_t room = a->room ? 2 * a->room : 65536;
		uint8_t *grown;

		while (room < a->n + n)
			room *= 2;
		grown = realloc(a->bytes, room);
		if (!grown)
			return -ENOMEM;
		a->bytes = grown;
		a->room = room;
	}
	if (n)
		memcpy(a->bytes + a->n, bytes, n);
	a->n += n;
	return 0;
}

/* --- to bytes ------------------------------------------------------------------------------------ */

static uint32_t text_bytes(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	return !text ? NO_TEXT : n < PYTHON_NAME_MAX ? (uint32_t)n : PYTHON_NAME_MAX;
}

static int pack_kind(const struct python_kind *k, struct python_answer *to)
{
	const char *const texts[] = { k->type, k->function, k->file };
	const struct packed_kind packed = {
		.type_address = k->type_address,
		.code_address = k->code_address,
		.count = k->count,
		.bytes = k->bytes,
		.cached = k->cached,
		.line = k->line,
		.done = k->done,
		.texts = { text_bytes(k->type), text_bytes(k->function), text_bytes(k->file) },
	};
	int r = python_answer_add(to, &packed, sizeof(packed));

	for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
		if (texts[i])
			r = python_answer_add(to, texts[i], packed.texts[i]);
	return r;
}

int python_pack_census(const struct python_census *c, struct python_answer *to)
{
	const struct packed_census packed = {
		.n = c->n < PYTHON_KINDS_MAX ? c->n : PYTHON_KINDS_MAX,
		.objects = c->objects,
		.bytes = c->bytes,
		.raw_blocks = c->raw_blocks,
		.raw_bytes = c->raw_bytes,
		.large_objects = c->large_objects,
		.pools = c->pools,
		.unread_pools = c->unread_pools,
		.unread_blocks = c->unread_blocks,
		.skipped_bytes = c->skipped_bytes,
		.error_ratio = c->error_ratio,
		.tasks_made = c->tasks_made,
		.wall_ns = c->wall_ns,
		.started_ns = c->started_ns,
	};
	int r = python_answer_add(to, &packed, sizeof(packed));

	for (size_t i = 0; i < packed.n && r == 0; i++)
		r = pack_kind(&c->kinds[i], to);
	return r;
}

int python_pack_objects(const struct python_objects *o, size_t n, struct python_answer *to)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct packed_objects packed = { o[i].n, o[i].count, o[i].threshold };

		r = python_answer_add(to, &packed, sizeof(packed));
		if (r == 0)
			r = python_answer_add(to, o[i].list, o[i].n * sizeof(*o[i].list));
	}
	return r;
}

int python_pack_holders(const struct python_holders *h, struct python_answer *to)
{
	return python_answer_add(to, h, sizeof(*h));
}

int python_pack_constructors(const struct python_constructors *c, struct python_answer *to)
{
	return python_answer_add(to, c, sizeof(*c));
}

/* --- and back ------------------------------------------------------------------------------------ */

struct reader {
	const uint8_t *at;
	size_t left;
};

static int take(struct reader *r, void *to, size_t n)
{
	if (n > r->left)
		return -EBADMSG;
	memcpy(to, r->at, n);
	r->at += n;
	r->left -= n;
	return 0;
}

static int take_text(struct reader *r, uint32_t n, char **ret)
{
	int error;

	*ret = NULL;
	if (n == NO_TEXT)
		return 0;
	if (n > PYTHON_NAME_MAX || n > r->left)
		return -EBADMSG;
	error = utf8_sanitize((const char *)r->at, n, ret);
	r->at += n;
	r->left -= n;
	return error;
}

static int take_kind(struct reader *r, struct python_kind *ret)
{
	struct packed_kind packed;
	int error = take(r, &packed, sizeof(packed));

	if (error < 0)
		return error;
	*ret = (struct python_kind){
		.type_address = packed.type_address,
		.code_address = packed.code_address,
		.count = packed.count,
		.bytes = packed.bytes,
		.cached = packed.cached,
		.line = packed.line > 0 ? packed.line : 0,
		.done = packed.done != 0,
	};
	error = take_text(r, packed.texts[0], &ret->type);
	if (error == 0)
		error = take_text(r, packed.texts[1], &ret->function);
	if (error == 0)
		error = take_text(r, packed.texts[2], &ret->file);
	/* Nobody can read a kind without a name. */
	return error == 0 && !ret->type ? -EBADMSG : error;
}

static int take_kinds(struct reader *r, size_t n, struct python_census *c)
{
	int error = 0;

	c->kinds = calloc(n ? n : 1, sizeof(*c->kinds));
	if (!c->kinds)
		return -ENOMEM;
	while (c->n < n && error == 0)
		error = take_kind(r, &c->kinds[c->n++]);
	return error;
}

int python_unpack_census(const void *bytes, size_t n, struct python_census *ret)
{
	struct reader r = { .at = bytes, .left = n };
	struct packed_census packed;
	struct python_census c;
	int error;

	if (take(&r, &packed, sizeof(packed)) < 0 || packed.n > PYTHON_KINDS_MAX ||
	    !(packed.error_ratio >= 0) || !isfinite(packed.error_ratio))
		return -EBADMSG;
	c = (struct python_census){
		.objects = packed.objects,
		.bytes = packed.bytes,
		.raw_blocks = packed.raw_blocks,
		.raw_bytes = packed.raw_bytes,
		.large_objects = packed.large_objects,
		.pools = packed.pools,
		.unread_pools = packed.unread_pools,
		.unread_blocks = packed.unread_blocks,
		.skipped_bytes = packed.skipped_bytes,
		.error_ratio = packed.error_ratio,
		.tasks_made = packed.tasks_made,
		.wall_ns = packed.wall_ns,
		.started_ns = packed.started_ns,
	};
	error = take_kinds(&r, packed.n, &c);
	if (error == 0 && r.left)
		error = -EBADMSG;
	if (error < 0) {
		python_census_done(&c);
		return error;
	}
	*ret = c;
	return 0;
}

static int take_objects(struct reader *r, size_t max, struct python_objects *ret)
{
	struct packed_objects packed;

	if (take(r, &packed, sizeof(packed)) < 0 || packed.n > max || packed.n > packed.count ||
	    packed.n > r->left / sizeof(*ret->list))
		return -EBADMSG;
	*ret = (struct python_objects){ .count = packed.count, .threshold = packed.threshold };
	ret->list = calloc(packed.n ? packed.n : 1, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	ret->n = packed.n;
	(void)take(r, ret->list, packed.n * sizeof(*ret->list));
	for (size_t i = 0; i < ret->n; i++)
		if ((i > 0 && ret->list[i].address <= ret->list[i - 1].address) ||
		    python_object_hash(ret->list[i].address) > packed.threshold)
			return -EBADMSG;
	return 0;
}

int python_unpack_objects(const void *bytes, size_t size, size_t n, size_t max,
			  struct python_objects *ret)
{
	struct reader r = { .at = bytes, .left = size };
	int error = 0;

	memset(ret, 0, n * sizeof(*ret));
	for (size_t i = 0; i < n && error == 0; i++)
		error = take_objects(&r, max, &ret[i]);
	if (error == 0 && r.left)
		error = -EBADMSG;
	for (size_t i = 0; i < n && error < 0; i++)
		python_objects_done(&ret[i]);
	return error;
}

/* In place: what is not printable is replaced by fewer bytes or as many. */
static int clean_text(char *text, size_t room)
{
	_cleanup_free_ char *clean = NULL;

	if (!memchr(text, 0, room))
		return -EBADMSG;
	if (utf8_sanitize(text, strlen(text), &clean) < 0)
		return -ENOMEM;
	memcpy(text, clean, strlen(clean) + 1);
	return 0;
}

int python_unpack_holders(const void *bytes, size_t n, struct python_holders *ret)
{
	struct python_holders h;

	if (n != sizeof(h))
		return -EBADMSG;
	memcpy(&h, bytes, sizeof(h));
	if (h.n > PYTHON_HOLDERS || h.samples > PYTHON_SAMPLES)
		return -EBADMSG;
	for (size_t i = 0; i < h.n; i++) {
		struct python_holder *holder = &h.list[i];
		int error;

		if ((unsigned int)holder->root >= PYTHON_ROOTS || holder->samples > h.samples)
			return -EBADMSG;
		error = clean_text(holder->path, sizeof(holder->path));
		if (error == 0)
			error = clean_text(holder->container, sizeof(holder->container));
		if (error < 0)
			return error;
	}
	memset(&h.list[h.n], 0, (PYTHON_HOLDERS - h.n) * sizeof(h.list[0]));
	*ret = h;
	return 0;
}

int python_unpack_constructors(const void *bytes, size_t n, struct python_constructors *ret)
{
	struct python_constructors c;

	if (n != sizeof(c))
		return -EBADMSG;
	memcpy(&c, bytes, sizeof(c));
	if (c.n > PYTHON_CONSTRUCTORS_MAX)
		return -EBADMSG;
	*ret = c;
	return 0;
}
