// SPDX-License-Identifier: GPL-2.0-or-later
/* history/: damaged files, full disks, and that the size is kept. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "history_fixture.h"

#define TICK (10 * SECOND_MS)

/* Enough for some pages in each table. */
static void fill(struct fixture *f)
{
	struct trend_profile p = { .lives = 3 };
	char json[256];

	for (uint64_t i = 1; i <= 211; i++) {
		const struct history_event e = { i, T0 + i, 1, i, 0, "{\"an\":\"event\"}" };

		snprintf(json, sizeof(json), "{\"alert\":%0200llu}", (unsigned long long)i);
		assert_int_equal(history_save_alert(f->h, i, json, true, T0), 0);
		assert_int_equal(history_save_event(f->h, &e), 0);
		assert_int_equal(history_save_profile(f->h, "a.service", i, i, &p, T0), 0);
	}
	for (uint64_t t = T0; t < T0 + HOUR; t += TICK)
		for (uint64_t site = 0; site < 23; site++)
			fixture_add(f, "a.service", site, 7, t, (double)t);
	assert_int_equal(history_save_snapshot(f->h, "one", json, sizeof(json), T0), 0);
	assert_int_equal(history_flush(f->h, T0 + HOUR), 0);
}

/* More than SQLite keeps in memory. */
static void fill_more(struct fixture *f)
{
	char json[1024];

	fill(f);
	memset(json, 'x', sizeof(json) - 1);
	json[sizeof(json) - 1] = '\0';
	for (uint64_t i = 1; i <= 10007; i++)
		assert_int_equal(history_save_alert(f->h, i, json, true, T0), 0);
	assert_int_equal(history_flush(f->h, T0 + HOUR), 0);
}

static int count_alert(uint64_t id, const char *json, void *userdata)
{
	(void)id;
	(void)json;
	++*(size_t *)userdata;
	return 0;
}

static size_t count_alerts(struct fixture *f)
{
	size_t n = 0;

	assert_int_equal(history_each_alert(f->h, count_alert, &n), 0);
	return n;
}

/* The history works: what is added is there after a restart. */
static void check_works(struct fixture *f)
{
	struct history_point *points = NULL;

	assert_int_equal(history_save_alert(f->h, 7919, "{}", true, T0), 0);
	fixture_add(f, "new.service", 0, 7, T0 + DAY, 4099);
	assert_int_equal(history_flush(f->h, T0 + DAY), 0);
	fixture_open(f);
	assert_false(f->notice.is_new);
	assert_true(count_alerts(f) >= 1);
	assert_int_equal(fixture_read(f, "new.service", 0, 0, T0 + DAY, UINT64_MAX, 9, &points), 1);
	assert_true(points[0].live_bytes == 4099);
	free(points);
}

static void overwrite(const struct fixture *f, off_t at, size_t size, unsigned seed)
{
	_cleanup_close_ int fd = open(f->path, O_RDWR | O_CLOEXEC);
	_cleanup_free_ uint8_t *junk = malloc(size);

	for (size_t i = 0; i < size; i++)
		junk[i] = (uint8_t)(rand_r(&seed) >> 7);
	assert_int_equal(pwrite(fd, junk, size, at), size);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* Opens a damaged file, and says whether it was found to be one. */
static bool open_damaged(struct fixture *f)
{
	fixture_open(f);
	if (!f->notice.moved_to)
		return false;
	assert_true(f->notice.is_new);
	assert_non_null(f->notice.why);
	assert_true(strlen(f->notice.why) > 0);
	assert_true(size_of(f->notice.moved_to) > 0);
	return true;
}

static void test_no_database(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen(f->path, "w");

	fputs("This is some text, long enough to be taken for a header if nobody looks at it: it "
	      "has "
	      "more than the hundred bytes that one has.\n",
	      file);
	fclose(file);
	assert_true(open_damaged(f));
	check_works(f);
}

static void test_empty_file(void **state)
{
	struct fixture *f = *state;

	fclose(fopen(f->path, "w"));
	fixture_open(f);
	assert_true(f->notice.is_new);
	assert_null(f->notice.moved_to);
	check_works(f);
}

/* As it is when who makes it is killed before the log is copied into the file. */
static void test_begun_file(void **state)
{
	struct fixture *f = *state;

	fixture_exec(f, "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;"
			"PRAGMA journal_mode = WAL");
	assert_true(size_of(f->path) > 0);
	fixture_open(f);
	assert_null(f->notice.moved_to);
	check_works(f);
}

static void test_first_page(void **state)
{
	struct fixture *f = *state;

	fixture_open(f);
	fill(f);
	fixture_close(f);
	overwrite(f, 0, 4096, 23);
	assert_true(open_damaged(f));
	check_works(f);
}

static void test_truncated(void **state)
{
	struct fixture *f = *state;
	size_t saved = 0;

	for (off_t part = 1; part <= 8; part++) {
		fixture_open(f);
		fill(f);
		fixture_close(f);
		assert_int_equal(truncate(f->path, size_of(f->path) * part / 9 + part), 0);
		assert_true(open_damaged(f));
		saved += count_alerts(f);
		check_works(f);
		fixture_close(f);
		assert_int_equal(unlink(f->path), 0);
	}
	/* Not from all of them, but from some. */
	assert_true(saved > 211);
}

/* One page of junk after another: never fatal, and what is elsewhere is saved. */
static void test_each_page(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *whole = NULL;
	size_t found = 0, size, saved = 0, pages;
	FILE *file;

	fixture_open(f);
	fill(f);
	fixture_close(f);
	size = (size_t)size_of(f->path);
	pages = size / 4096;
	whole = malloc(size);
	file = fopen(f->path, "r");
	assert_int_equal(fread(whole, 1, size, file), size);
	fclose(file);
	for (size_t page = 1; page < pages; page++) {
		file = fopen(f->path, "w");
		assert_int_equal(fwrite(whole, 1, size, file), size);
		fclose(file);
		overwrite(f, (off_t)page * 4096, 4096, (unsigned)page);
		found += open_damaged(f);
		saved += count_alerts(f);
		check_works(f);
		fixture_close(f);
	}
	/* The others are of series, and found when they are read. */
	assert_true(found > pages / 2 && found < pages - 2);
	/* All alerts, unless the page was theirs; an alert has 20 to a page. */
	assert_true(saved > (pages - 1) * 211 * 9 / 10);
}

/* At most three damaged ones are kept. */
static void test_repeated_damage(void **state)
{
	struct fixture *f = *state;
	char name[128];

	for (int i = 0; i < 5; i++) {
		fixture_open(f);
		fixture_close(f);
		overwrite(f, 0, 4096, (unsigned)i);
		assert_true(open_damaged(f));
		fixture_close(f);
		assert_int_equal(unlink(f->path), 0);
	}
	for (int i = 1; i <= 4; i++) {
		snprintf(name, sizeof(name), i > 1 ? "%s.damaged.%d" : "%s.damaged", f->path, i);
		assert_int_equal(access(name, F_OK), i <= 3 ? 0 : -1);
	}
}

/* Rows that are no database's fault, but make no sense. */
static void test_senseless_values(void **state)
{
	static const char *const changes[] = {
		"UPDATE meta SET value = -5",
		"UPDATE meta SET value = 9223372036854775807",
		"UPDATE hours SET start = 9223372036854775807",
		"UPDATE hours SET start = -3600000",
		"UPDATE hours SET start = start + 1",
		"UPDATE hours SET recorded = 9223372036854775807, levels = 255",
		"UPDATE hours SET recorded = -9223372036854775807",
		"UPDATE chunks SET start = -start",
		"UPDATE chunks SET level = 77",
		"UPDATE chunks SET data = x'ffffffffff'",
		"UPDATE series SET service = 99",
		"UPDATE series SET chunks = -7, first = 'x', last = NULL || 5",
		"UPDATE alerts SET json = x'00ff'",
		"DROP TABLE events",
		"DROP TABLE hours",
		"ALTER TABLE alerts RENAME COLUMN json TO jsons",
		"DROP TRIGGER chunk_dropped",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct history_point *points = NULL;
		const struct history_key key = { "a.service", 0, 0 };
		size_t n;
		int r;

		fixture_open(f);
		fill(f);
		fixture_close(f);
		{
			sqlite3 *db = NULL;

			assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
			(void)sqlite3_exec(db, changes[i], NULL, NULL, NULL);
			sqlite3_close(db);
		}
		fixture_open(f);
		r = history_read(f->h, &key, 0, UINT64_MAX, 100, &points, &n);
		assert_true(r == 0 || r == -ENOENT);
		free(points);
		for (uint64_t k = 0; k < 200; k++)
			assert_int_equal(history_flush(f->h, T0 + 2 * DAY + k * MINUTE * 9), 0);
		check_works(f);
		fixture_close(f);
		assert_int_equal(unlink(f->path), 0);
	}
}

/* Damage that is noticed only when the page is read, while the daemon runs. */
static void test_damage_while_running(void **state)
{
	struct fixture *f = *state;
	struct history_stats stats;
	char name[128];
	off_t size;

	fixture_open(f);
	fill_more(f);
	/* What is in the log would make up for the file; now all is in the file. */
	fixture_open(f);
	size = size_of(f->path);
	for (off_t at = 4096; at < size; at += 4096)
		overwrite(f, at, 4096, (unsigned)at);
	for (uint64_t i = 0; i < 500; i++) {
		assert_int_equal(history_save_alert(f->h, 1000 + i, "{}", true, T0), 0);
		fixture_add(f, "a.service", i % 50, 7, T0 + HOUR + i * TICK, 5);
		assert_int_equal(history_flush(f->h, T0 + HOUR + i * TICK), 0);
	}
	snprintf(name, sizeof(name), "%s.damaged", f->path);
	assert_int_equal(access(name, F_OK), 0);
	assert_true(count_alerts(f) >= 500);
	history_get_stats(f->h, &stats);
	assert_int_equal(stats.lost_records, 0);
	assert_int_equal(stats.last_error, 0);
	check_works(f);
}

/* The same, found by a reader. */
static void test_damage_found_by_reader(void **state)
{
	struct fixture *f = *state;
	struct trend_profile p;
	char name[128];
	bool is_other;
	off_t size;

	fixture_open(f);
	fill_more(f);
	fixture_open(f);
	size = size_of(f->path);
	for (off_t at = 4096; at < size; at += 4096)
		overwrite(f, at, 4096, (unsigned)at);
	for (uint64_t i = 1; i < 211; i++)
		(void)history_find_profile(f->h, "a.service", i, 0, &p, &is_other);
	(void)count_alerts(f);
	snprintf(name, sizeof(name), "%s.damaged", f->path);
	assert_int_equal(access(name, F_OK), 0);
	check_works(f);
}

/*
 * A file system of its own on the folder, of a size like "2m", in a mount namespace that goes with this
 * process. False: not permitted.
 */
static bool mount_small(const struct fixture *f, const char *size)
{
	char options[32];

	snprintf(options, sizeof(options), "size=%s", size);
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", f->folder, "tmpfs", 0, options) == 0;
}

static void skip_without_mount(void)
{
	print_message("# skip: needs root and mount(2)\n");
	skip();
}

/* Takes all the room that is left, to the last byte. */
static void fill_disk(const struct fixture *f, char *filler, size_t size)
{
	FILE *file;

	snprintf(filler, size, "%s/filler", f->folder);
	file = fopen(filler, "w");
	setvbuf(file, NULL, _IONBF, 0);
	while (fwrite("12345678", 8, 1, file) == 1)
		;
	fclose(file);
}

/* A file system of 2 MiB that is filled by somebody else, and freed again. */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	struct history_stats stats;
	struct history_point *points = NULL;
	uint64_t now = T0;
	char filler[128];
	size_t n;

	if (!mount_small(f, "2m"))
		skip_without_mount();
	fixture_open(f);
	fill(f);
	fill_disk(f, filler, sizeof(filler));

	for (int failures = 0; failures < 50; now += TICK) {
		fixture_add(f, "b.service", 0, 7, now, 100);
		for (uint64_t site = 1; site < 100; site++)
			fixture_add(f, "b.service", site, 7, now, (double)(now - T0));
		failures += history_flush(f->h, now) == -ENOSPC;
		assert_true(now < T0 + DAY);
	}
	assert_int_equal(history_save_alert(f->h, 300, "{}", true, now), 0);
	assert_int_equal(history_flush(f->h, now), -ENOSPC);
	assert_int_equal(history_save_snapshot(f->h, "two", filler, sizeof(filler), now), -ENOSPC);
	history_get_stats(f->h, &stats);
	assert_int_equal(stats.last_error, -ENOSPC);
	assert_int_equal(stats.lost_records, 0);
	/* What was stored can be read. */
	assert_int_equal(count_alerts(f), 211);

	/* Nothing was lost, for all of it was kept in memory. */
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(history_flush(f->h, now), 0);
	history_get_stats(f->h, &stats);
	assert_int_equal(stats.last_error, 0);
	assert_int_equal(stats.lost_records, 0);
	assert_int_equal(count_alerts(f), 212);
	fixture_open(f);
	assert_false(f->notice.is_new);
	n = fixture_read(f, "b.service", 0, 0, 0, UINT64_MAX, 100000, &points);
	assert_int_equal(n, (now - T0) / TICK);
	free(points);
	check_works(f);
	fixture_close(f);
	assert_int_equal(umount(f->folder), 0);
}

/* When it lasts, memory is bounded, and what is lost is counted. */
static void test_full_for_long(void **state)
{
	struct fixture *f = *state;
	struct history_stats before, after;
	uint64_t added = 0, refused = 0;
	char filler[128];

	if (!mount_small(f, "1m"))
		skip_without_mount();
	fixture_open(f);
	fill_disk(f, filler, sizeof(filler));
	for (uint64_t now = T0; added < 600000; now += TICK) {
		for (uint64_t site = 0; site < 2000; site++, added++)
			refused += fixture_add(f, "b.service", site, 7, now, 5) == -ENOSPC;
		if (added % 60000 == 0)
			(void)history_flush(f->h, now);
	}
	history_get_stats(f->h, &before);
	assert_int_equal(before.lost_records, refused);
	assert_true(refused > 150000 && refused < 250000);
	for (uint64_t i = 0; i < 40; i++) {
		_cleanup_free_ char *json = malloc(1 << 20);

		memset(json, 'x', (1 << 20) - 1);
		json[(1 << 20) - 1] = '\0';
		refused += history_save_alert(f->h, i, json, true, T0) == -ENOSPC;
	}
	history_get_stats(f->h, &after);
	assert_int_equal(after.lost_records, refused);
	assert_int_equal(after.lost_records - before.lost_records, 25);
	fixture_close(f);
	assert_int_equal(umount(f->folder), 0);
}

/* Both at once: there is no database at all until there is room for a new one. */
static void test_damage_on_a_full_disk(void **state)
{
	struct fixture *f = *state;
	struct history_stats stats;
	struct history_point *points;
	struct trend_profile p;
	char filler[128];
	bool is_other;
	size_t n;
	off_t size;

	if (!mount_small(f, "2m"))
		skip_without_mount();
	fixture_open(f);
	fill(f);
	fixture_open(f);
	size = size_of(f->path);
	for (off_t at = 4096; at < size; at += 4096)
		overwrite(f, at, 4096, (unsigned)at);
	fill_disk(f, filler, sizeof(filler));
	/* What else there is was read when it was opened, and is still known. */
	assert_true(history_read(f->h, &(struct history_key){ .service = "a.service" }, T0,
				 T0 + DAY, 10, &points, &n) < 0);
	assert_true(history_find_profile(f->h, "a.service", 1, 0, &p, &is_other) < 0);
	assert_true(history_each_event(f->h, 10, NULL, NULL) < 0);
	assert_true(history_drop_snapshot(f->h, "one") < 0);
	assert_true(history_flush(f->h, T0 + HOUR) < 0);
	assert_int_equal(history_save_alert(f->h, 1000, "{}", true, T0), 0);
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(history_flush(f->h, T0 + HOUR + TICK), 0);
	assert_true(count_alerts(f) >= 1);
	history_get_stats(f->h, &stats);
	assert_int_equal(stats.lost_records, 0);
	check_works(f);
	fixture_close(f);
	assert_int_equal(umount(f->folder), 0);
}

/* A disk that is full from the beginning: what comes waits until there is room. */
static void test_no_room_at_all(void **state)
{
	struct fixture *f = *state;
	struct history_stats stats;
	struct trend_profile p;
	char filler[128];
	bool is_other;

	if (!mount_small(f, "256k"))
		skip_without_mount();
	fill_disk(f, filler, sizeof(filler));
	fixture_open(f);
	assert_true(f->notice.is_new && f->notice.is_waiting);
	history_get_stats(f->h, &stats);
	assert_int_equal(stats.last_error, -ENOSPC);
	assert_int_equal(history_save_alert(f->h, 300, "{}", true, T0), 0);
	assert_true(history_find_profile(f->h, "a.service", 1, 0, &p, &is_other) < 0);
	assert_int_equal(history_flush(f->h, T0), -ENOSPC);
	assert_int_equal(unlink(filler), 0);
	assert_int_equal(history_flush(f->h, T0 + TICK), 0);
	history_get_stats(f->h, &stats);
	assert_int_equal(stats.last_error, 0);
	assert_int_equal(stats.lost_records, 0);
	fixture_open(f);
	assert_false(f->notice.is_new);
	assert_int_equal(count_alerts(f), 1);
	fixture_close(f);
	assert_int_equal(mount("none", f->folder, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(fixture_try_open(f), -EROFS);
	assert_int_equal(umount(f->folder), 0);
}

/*
 * 10 000 sites by the hour for a day in 8 MiB, where not all would fit: there are as many rows as fit, the
 * file is not larger, the youngest are there, and so is what is not a series.
 */
static void test_size(void **state)
{
	const uint64_t max_bytes = 8 << 20;
	struct fixture *f = *state;
	struct history_stats stats;
	struct history_point *points = NULL;
	uint64_t now = T0;
	size_t n;

	f->options.max_bytes = max_bytes;
	fixture_open(f);
	fill(f);
	for (; now < T0 + DAY; now += 5 * MINUTE) {
		for (uint64_t site = 0; site < 10000 && now % HOUR == 0; site++)
			fixture_add(f, "b.service", site, 7, now, (double)(site + (now - T0)));
		/* As often as a daemon does, nearly. */
		for (int i = 0; i < 4; i++)
			assert_int_equal(history_flush(f->h, now), 0);
		history_get_stats(f->h, &stats);
		assert_true(stats.bytes <= max_bytes);
	}
	assert_int_equal(stats.lost_records, 0);
	assert_int_equal(stats.last_error, 0);
	assert_int_equal(count_alerts(f), 211);
	n = fixture_read(f, "b.service", 23, 0, 0, UINT64_MAX, 100000, &points);
	assert_true(n > 0);
	assert_true(points[n - 1].time_ms == T0 + DAY - HOUR);
	free(points);
	fixture_close(f);
	assert_true(fixture_query(f, "SELECT count(*) FROM chunks") < 200000);
	assert_true(size_of(f->path) <= (off_t)max_bytes);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM profiles"), 211);
	assert_int_equal(fixture_query(f, "SELECT count(*) FROM snapshots"), 1);

	/* Less is allowed later: the file shrinks. */
	f->options.max_bytes = max_bytes / 2;
	fixture_open(f);
	for (uint64_t i = 0; i < 200; i++, now += TICK)
		(void)history_flush(f->h, now);
	assert_int_equal(count_alerts(f), 211);
	fixture_close(f);
	assert_true(size_of(f->path) <= (off_t)max_bytes / 2);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, fixture_new, fixture_free)
	const struct CMUnitTest tests[] = {
		TEST(test_no_database),
		TEST(test_empty_file),
		TEST(test_begun_file),
		TEST(test_first_page),
		TEST(test_truncated),
		TEST(test_each_page),
		TEST(test_repeated_damage),
		TEST(test_senseless_values),
		TEST(test_damage_while_running),
		TEST(test_damage_found_by_reader),
		TEST(test_full_disk),
		TEST(test_full_for_long),
		TEST(test_damage_on_a_full_disk),
		TEST(test_no_room_at_all),
		TEST(test_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
