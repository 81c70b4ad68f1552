// SPDX-License-Identifier: GPL-2.0-or-later
/* monitor/snapshots.c: snapshots that wait for names on their way into a real history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "heap/snapshot_pack.h"
#include "history/history.h"
#include "monitor/state.h"
#include "totals.h"

/* In no file: known at once, but only in the loop's next turn is anybody told. */
static const uint64_t frames[] = { 0x1009, 0x1013 };

struct world {
	struct monitor monitor;
	unsigned told; /* how often a keeping was done */
	char folder[40];
	char path[64];
};

static void open_history(struct world *w)
{
	const struct history_options options = { .path = w->path };
	struct history_notice notice;

	assert_int_equal(history_open(&options, &w->monitor.history, &notice), 0);
	assert_int_equal(snapshots_start(&w->monitor), 0);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct monitor *m = &w->monitor;
	const struct totals totals = totals_of(1100, 11, 0, 0);
	struct site *site;

	if (!getenv("SEEP_TEST_LOG"))
		log_set_level(LOG_EMERG);
	(void)snprintf(w->folder, sizeof(w->folder), "/tmp/seep-snapshots-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	(void)snprintf(w->path, sizeof(w->path), "%s/history.db", w->folder);
	m->base = event_base_new();
	m->files = file_table_new();
	m->heap = heap_new();
	assert_true(m->base && m->files && m->heap);
	assert_int_equal(symbolizer_new(m->base, m->files, NULL, &m->symbolizer), 0);
	assert_true(heap_update(m->heap, 7, 17, &totals, 1, &site) >= 0);
	assert_int_equal(heap_set_frames(site, frames, 2, STACK_COMPLETE), 0);
	open_history(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct monitor *m = &w->monitor;
	char command[64];

	snapshots_stop(m);
	m->history = history_free(m->history);
	symbolizer_free(m->symbolizer);
	heap_free(m->heap);
	file_table_free(m->files);
	event_base_free(m->base);
	(void)snprintf(command, sizeof(command), "rm -r %s", w->folder);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static void on_done(void *userdata)
{
	(*(unsigned *)userdata)++;
}

static void take(struct world *w, const char *name, uint64_t now_ns)
{
	struct monitor *m = &w->monitor;
	struct snapshot *s;

	assert_int_equal(
		snapshot_take(m->heap, 0, name, (struct timespec){ 1700000000, 0 }, now_ns, &s), 0);
	assert_int_equal(snapshot_list_add(&m->snapshots, s, NULL), 0);
}

static int keep(struct world *w, const char *name)
{
	return monitor_keep_snapshot(&w->monitor, name, on_done, &w->told);
}

static void turn(struct world *w)
{
	assert_int_not_equal(event_base_loop(w->monitor.base, EVLOOP_NONBLOCK), -1);
}

static void restart(struct world *w)
{
	snapshots_stop(&w->monitor);
	w->monitor.history = history_free(w->monitor.history);
	open_history(w);
}

static void test_kept(void **state)
{
	_cleanup_(kept_snapshot_freep) struct kept_snapshot *kept = NULL;
	struct world *w = *state;
	const struct monitor_snapshot *s;

	take(w, "one", 1);
	take(w, "two", 1);
	assert_int_equal(keep(w, "one"), 0);
	assert_int_equal(w->told, 0);
	turn(w);
	assert_int_equal(w->told, 1);
	assert_true(monitor_find_snapshot(&w->monitor, "one")->is_kept);
	assert_false(monitor_find_snapshot(&w->monitor, "two")->is_kept);
	restart(w);
	assert_int_equal(monitor_snapshots(&w->monitor, &s), 1);
	assert_string_equal(s->head.name, "one");
	assert_int_equal(s->sites, 1);
	assert_int_equal(s->live_bytes, 1100);
	assert_int_equal(monitor_open_snapshot(s, &kept), 0);
	assert_int_equal(kept->sites[0].n_frames, 2);
	assert_int_equal(kept->sites[0].frames[1]->offset, 0x1013);
	/* It has no stored frames any more: there is nothing to keep once more. */
	assert_int_equal(keep(w, "one"), -ENOENT);
	assert_int_equal(keep(w, "three"), -ENOENT);
	assert_int_equal(w->told, 1);
}

/* The monitor ends first: what waits is kept with the names there are, and who waits is told. */
static void test_end_while_waiting(void **state)
{
	struct world *w = *state;

	take(w, "one", 1);
	take(w, "two", 1);
	assert_int_equal(keep(w, "one"), 0);
	assert_int_equal(keep(w, "two"), 0);
	/* As monitor_free() does: afterwards the symbolizer calls nobody. */
	snapshots_stop(&w->monitor);
	assert_int_equal(w->told, 2);
	w->monitor.symbolizer = symbolizer_free(w->monitor.symbolizer);
	turn(w);
	assert_int_equal(w->told, 2);
	w->monitor.history = history_free(w->monitor.history);
	open_history(w);
	assert_int_equal(w->monitor.snapshots.n, 2);
}

/* The name is another one's by the time that the names are there. */
static void test_retaken_while_waiting(void **state)
{
	struct world *w = *state;

	take(w, "one", 1);
	assert_int_equal(keep(w, "one"), 0);
	assert_int_equal(monitor_drop_snapshot(&w->monitor, "one"), 0);
	take(w, "one", 2);
	turn(w);
	assert_int_equal(w->told, 1);
	assert_false(monitor_find_snapshot(&w->monitor, "one")->is_kept);
	assert_int_equal(keep(w, "one"), 0);
	turn(w);
	assert_true(monitor_find_snapshot(&w->monitor, "one")->is_kept);
}

static void test_nowhere_to_keep(void **state)
{
	struct world *w = *state;

	w->monitor.history = history_free(w->monitor.history);
	take(w, "one", 1);
	assert_int_equal(keep(w, "one"), -EOPNOTSUPP);
	assert_int_equal(monitor_drop_snapshot(&w->monitor, "one"), 0);
	assert_int_equal(monitor_drop_snapshot(&w->monitor, "one"), -ENOENT);
}

/* 64 of earlier lives leave no room; one more in the history is left alone. */
static void test_full(void **state)
{
	struct world *w = *state;
	char name[16];

	for (int i = 0; i < SNAPSHOTS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		take(w, name, 1);
		assert_int_equal(keep(w, name), 0);
	}
	turn(w);
	restart(w);
	assert_int_equal(w->monitor.snapshots.n, SNAPSHOTS_MAX);
	assert_int_equal(snapshot_list_check(&w->monitor.snapshots, "more"), -ENOSPC);
	w->monitor.snapshots.max = SNAPSHOTS_MAX - 1;
	restart(w);
	assert_int_equal(w->monitor.snapshots.n, SNAPSHOTS_MAX - 1);
	w->monitor.snapshots.max = 0;
	restart(w);
	assert_int_equal(w->monitor.snapshots.n, SNAPSHOTS_MAX);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_kept),
		TEST(test_end_while_waiting),
		TEST(test_retaken_while_waiting),
		TEST(test_nowhere_to_keep),
		TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
