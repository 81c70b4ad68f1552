// SPDX-License-Identifier: GPL-2.0-or-later
/* heap/snapshot_pack.c: a named snapshot to bytes and back, whatever the bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/utf8.h"
#include "heap/snapshot_pack.h"
#include "totals.h"

static const struct frame frames[] = {
	{ FRAME_INLINED, "std::allocate", "/usr/include/alloc.h", 23, "/usr/bin/s\xc3\xa4ge",
	  "c0ffee", 0x1234, false },
	{ FRAME_NATIVE, "handler", "src/handler.c", 4294967295, "/usr/bin/s\xc3\xa4ge", "c0ffee",
	  0xfffffffffffe, false },
	{ FRAME_NATIVE, NULL, NULL, 0, NULL, NULL, 0, true },
	{ FRAME_NATIVE, "", "", 1, "handler", "handler", UINT64_MAX, true },
	{ FRAME_PYTHON, "Cache.put", "/srv/cache.py", 120, NULL, NULL, 7, false },
};

static const struct frame *const stack[] = { &frames[0], &frames[1], &frames[2], &frames[3],
					     &frames[4] };

static struct named_site sites[] = {
	{ .frames = stack, .n_frames = 5, .stack_status = 3, .target = 7, .stack = 99 },
	{ .frames = stack + 1, .n_frames = 1 },
	{ .frames = stack, .n_frames = 0, .stack_status = 8 },
};

static struct kept_snapshot example(void)
{
	struct kept_snapshot s = {
		.head = {
			.name = (char *)"before-deploy",
			.wall = { 1767571200, 999999999 },
			.since = { 1767571100, 1 },
			.target_id = "4711-23",
			.pid = 4711,
			.start_ticks = UINT64_MAX,
			.uid = 65534,
		},
		.sites = sites,
		.n = 3,
	};

	sites[0].totals = (struct totals){ UINT64_MAX, 2, 3, 1, 5, 6 };
	sites[1].totals = totals_of(4099, 17, 1009, 7);
	return s;
}

static void *pack_example(size_t *ret_size)
{
	const struct kept_snapshot s = example();
	void *packed = NULL;

	assert_int_equal(snapshot_pack(&s, &packed, ret_size), 0);
	return packed;
}

static void expect_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_true(!a && !b);
}

static void test_round_trip(void **state)
{
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *s = NULL;
	_cleanup_free_ void *packed = NULL;
	size_t size;

	(void)state;
	packed = pack_example(&size);
	assert_int_equal(snapshot_unpack(packed, size, &s), 0);
	assert_string_equal(s->head.name, "before-deploy");
	assert_string_equal(s->head.target_id, "4711-23");
	assert_int_equal(s->head.wall.tv_sec, 1767571200);
	assert_int_equal(s->head.wall.tv_nsec, 999999999);
	assert_int_equal(s->head.since.tv_sec, 1767571100);
	assert_int_equal(s->head.since.tv_nsec, 1);
	assert_int_equal(s->head.pid, 4711);
	assert_true(s->head.start_ticks == UINT64_MAX);
	assert_int_equal(s->head.uid, 65534);
	assert_int_equal(s->n, 3);
	for (size_t i = 0; i < s->n; i++) {
		assert_memory_equal(&s->sites[i].totals, &sites[i].totals, sizeof(struct totals));
		assert_int_equal(s->sites[i].stack_status, sites[i].stack_status);
		assert_int_equal(s->sites[i].target, 0);
		assert_int_equal(s->sites[i].stack, 0);
		assert_int_equal(s->sites[i].n_frames, sites[i].n_frames);
		for (size_t k = 0; k < s->sites[i].n_frames; k++) {
			const struct frame *a = s->sites[i].frames[k], *b = sites[i].frames[k];

			assert_int_equal(a->kind, b->kind);
			assert_int_equal(a->approximate, b->approximate);
			assert_int_equal(a->line, b->line);
			assert_int_equal(a->offset, b->offset);
			expect_text(a->function, b->function);
			expect_text(a->file, b->file);
			expect_text(a->module, b->module);
			expect_text(a->build_id, b->build_id);
		}
	}
	/* The ids that people keep are the same. */
	assert_int_equal(group_leak_id(s->sites[0].frames, 5), group_leak_id(stack, 5));
	assert_int_equal(group_site_id(s->sites[0].frames, 5), group_site_id(stack, 5));
}

/* What many sites share is there once: four bytes for each frame of each. */
static void test_size(void **state)
{
	static struct named_site many[10007];
	struct kept_snapshot s = { .head.name = (char *)"x", .sites = many, .n = 10007 };
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *back = NULL;
	_cleanup_free_ void *packed = NULL;
	size_t size;

	(void)state;
	for (size_t i = 0; i < s.n; i++)
		many[i] = sites[0];
	assert_int_equal(snapshot_pack(&s, &packed, &size), 0);
	assert_true(size < 10007 * (51 + 5 * 4) + 1000);
	assert_int_equal(snapshot_unpack(packed, size, &back), 0);
	assert_int_equal(back->n, 10007);
	assert_string_equal(back->head.target_id, "");
}

static void test_empty_and_long(void **state)
{
	struct kept_snapshot s = { .head.name = (char *)"none" };
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *back = NULL;
	_cleanup_free_ char *name = malloc(100001);
	struct frame f = { .function = name };
	const struct frame *one = &f;
	struct named_site site = { .frames = &one, .n_frames = 1 };
	_cleanup_free_ void *packed = NULL;
	size_t size;

	(void)state;
	assert_int_equal(snapshot_pack(&s, &packed, &size), 0);
	assert_int_equal(snapshot_unpack(packed, size, &back), 0);
	assert_int_equal(back->n, 0);
	back = kept_snapshot_free(back);
	free(packed);
	packed = NULL;

	/* A name without end is cut, between two characters. */
	for (size_t i = 0; i < 100000; i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	name[100000] = '\0';
	s.sites = &site;
	s.n = 1;
	assert_int_equal(snapshot_pack(&s, &packed, &size), 0);
	assert_int_equal(snapshot_unpack(packed, size, &back), 0);
	assert_int_equal(strlen(back->sites[0].frames[0]->function), 65534);

	s.head.name = (char *)"../etc";
	assert_int_equal(snapshot_pack(&s, &packed, &size), -EINVAL);
	s.head.name = (char *)"x";
	s.head.pid = -1;
	assert_int_equal(snapshot_pack(&s, &packed, &size), -EINVAL);
	s.head.pid = 0;
	site.n_frames = 65536;
	assert_int_equal(snapshot_pack(&s, &packed, &size), -EINVAL);
}

static void seal(uint8_t *packed, size_t size)
{
	uint32_t crc = (uint32_t)crc32_z(0, packed, size - 4);

	for (size_t i = 0; i < 4; i++)
		packed[size - 4 + i] = (uint8_t)(crc >> (8 * i));
}

/* Uses all of it, so that the sanitizers see what is wrong. */
static size_t walk(const struct kept_snapshot *s)
{
	size_t sum = strlen(s->head.name) + strlen(s->head.target_id);

	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < s->sites[i].n_frames; k++) {
			const struct frame *f = s->sites[i].frames[k];

			assert_true(!f->function ||
				    utf8_is_printable(f->function, strlen(f->function)));
			sum += f->module ? strlen(f->module) : 0;
			sum += f->build_id ? strlen(f->build_id) : 0;
			sum += f->file ? strlen(f->file) : 0;
		}
	}
	return sum;
}

static bool try_unpack(const uint8_t *packed, size_t size)
{
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *s = NULL;
	int r = snapshot_unpack(packed, size, &s);

	assert_true(r == 0 || r == -EINVAL || r == -EPROTO);
	if (r == 0)
		assert_true(walk(s) > 0);
	return r == 0;
}

static void test_damaged(void **state)
{
	_cleanup_free_ uint8_t *packed = NULL;
	size_t size;

	(void)state;
	packed = pack_example(&size);
	for (size_t i = 0; i < size; i++) {
		packed[i] ^= 0x20;
		assert_false(try_unpack(packed, size));
		packed[i] ^= 0x20;
		assert_false(try_unpack(packed, i));
	}
	assert_true(try_unpack(packed, size));
}

/* With a checksum that is right: every length, number and text is wrong once, and cut everywhere. */
static void test_hostile(void **state)
{
	_cleanup_free_ uint8_t *packed = NULL;
	size_t size, taken = 0;
	unsigned seed = 23;

	(void)state;
	packed = pack_example(&size);
	for (size_t i = 8; i < size - 4; i++) {
		static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
		uint8_t before = packed[i];

		for (size_t k = 0; k < sizeof(values); k++) {
			packed[i] = values[k];
			seal(packed, size);
			taken += try_unpack(packed, size);
		}
		packed[i] = before;
	}
	for (size_t n = 12; n < size; n++) {
		_cleanup_free_ uint8_t *cut = malloc(n);

		memcpy(cut, packed, n);
		seal(cut, n);
		assert_false(try_unpack(cut, n));
	}
	for (int i = 0; i < 20000; i++) {
		_cleanup_free_ uint8_t *other = malloc(size);

		memcpy(other, packed, size);
		for (int k = 0; k < 3; k++)
			other[8 + (size_t)rand_r(&seed) % (size - 12)] =
				(uint8_t)(rand_r(&seed) >> 7);
		seal(other, size);
		taken += try_unpack(other, size);
	}
	assert_true(taken > 1000);
}

/* Less room, and nothing is believed of it either. */
static void test_deflated(void **state)
{
	static struct named_site many[1009];
	struct kept_snapshot s = { .head.name = (char *)"x", .sites = many, .n = 1009 };
	_cleanup_free_ void *packed = NULL, *back = NULL;
	_cleanup_free_ uint8_t *deflated = NULL;
	size_t size, n, back_size;

	(void)state;
	for (size_t i = 0; i < s.n; i++)
		many[i] = sites[i % 3];
	assert_int_equal(snapshot_pack(&s, &packed, &size), 0);
	assert_int_equal(snapshot_deflate(packed, size, (void **)&deflated, &n), 0);
	assert_true(n < size / 8);
	assert_int_equal(snapshot_inflate(deflated, n, &back, &back_size), 0);
	assert_int_equal(back_size, size);
	assert_memory_equal(back, packed, size);
	for (size_t i = 0; i < n; i++) {
		void *other = NULL;

		deflated[i] ^= 0x20;
		/* Not every bit means something; but what comes back must be the same then. */
		if (snapshot_inflate(deflated, n, &other, &back_size) == 0) {
			assert_int_equal(back_size, size);
			assert_memory_equal(other, packed, size);
			free(other);
		}
		deflated[i] ^= 0x20;
		assert_int_equal(snapshot_inflate(deflated, i, &other, &back_size), -EINVAL);
	}
	/* 4 GiB out of next to nothing. */
	memset(deflated, 0xff, 4);
	assert_int_equal(snapshot_inflate(deflated, n, &back, &back_size), -EINVAL);
}

static void test_other_version(void **state)
{
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *s = NULL;
	_cleanup_free_ uint8_t *packed = NULL;
	size_t size;

	(void)state;
	packed = pack_example(&size);
	packed[4] = 2;
	seal(packed, size);
	assert_int_equal(snapshot_unpack(packed, size, &s), -EPROTO);
	assert_null(s);
}

/* Between two lives: by frames, with signs; a stack that is as it was is left out. */
static void test_difference(void **state)
{
	struct named_site after[] = { sites[1], sites[2], sites[0] };
	struct kept_snapshot from = example(),
			     to = { .head.name = (char *)"now", .sites = after, .n = 3 };
	const struct group_options options = { .by = GROUP_BY_STACK, .sort = GROUP_SORT_LIVE };
	_cleanup_(group_result_freep) struct group_result *result = NULL;
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *kept = NULL;
	_cleanup_free_ struct named_site *list = NULL;
	_cleanup_free_ void *packed = NULL;
	size_t size, n;

	(void)state;
	/* The same frames, of another life: other addresses. */
	sites[0].totals = totals_of(64, 1, 0, 0);
	after[0].totals = totals_of(10007, 29, 7, 1);
	after[0].target = 3;
	sites[2].totals = totals_of(1013, 3, 1000, 1);
	after[1].totals = totals_of(13, 2, 0, 0);
	after[2].totals = totals_of(32, 2, 0, 0);
	assert_int_equal(snapshot_pack(&from, &packed, &size), 0);
	assert_int_equal(snapshot_unpack(packed, size, &kept), 0);
	assert_int_equal(kept_snapshot_difference(kept, &to, &list, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(group_sites(list, n, &options, &result), 0);
	assert_int_equal(result->n_total, 2);
	assert_int_equal(totals_change_bytes(&result->groups[0].totals), 10000 - (4099 - 1009));
	assert_int_equal(totals_change_count(&result->groups[0].totals), 28 - 10);
	assert_int_equal(result->groups[0].totals.freed_bytes, 0);
	assert_int_equal(result->groups[0].leak_id, group_leak_id(stack + 1, 1));
	/* Fewer bytes in more blocks. */
	assert_int_equal(totals_change_bytes(&result->groups[1].totals), -32);
	assert_int_equal(totals_change_count(&result->groups[1].totals), 1);
	assert_int_equal(result->groups[1].totals.allocated_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_size),
		cmocka_unit_test(test_empty_and_long), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_hostile),	       cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_difference),     cmocka_unit_test(test_deflated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
