// SPDX-License-Identifier: GPL-2.0-or-later
/* /v1/events: what is kept, and followers that come, go, resume, are slow or hostile. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/follow.h"
#include "serve_fixture.h"

#define USER	65534 /* nobody */
#define MINE	0x1111111111111111
#define THEIRS	0x2222222222222222
#define SLOW_NS 700000000ull

/* Leaks of root and of another user: events 1 and 2. */
static void add_leaks(struct fixture *f)
{
	struct target *mine = fake_target(f->monitor, 1, 4243, 0);
	struct target *theirs = fake_target(f->monitor, 2, 4253, USER);

	fake_leak(f->monitor, MINE, mine, "leak_one", TREND_LEAKING, TREND_OPENED);
	fake_leak(f->monitor, THEIRS, theirs, "leak_two", TREND_LEAKING, TREND_OPENED);
}

static int set_up_leaks(void **state)
{
	int r = set_up(state);

	add_leaks(*state);
	return r;
}

/* Short times, and who is slow is left soon. */
static int set_up_fast(void **state)
{
	int r = set_up_with(state, (struct server_options){
					   .mode = 0666,
					   .gid = SERVER_NO_GROUP,
					   .idle_timeout_ns = SLOW_NS,
					   .heartbeat_ns = 20000000,
				   });

	add_leaks(*state);
	return r;
}

/* As above, but no heartbeat comes in time. */
static int set_up_silent(void **state)
{
	int r = set_up_with(state, (struct server_options){
					   .mode = 0666,
					   .gid = SERVER_NO_GROUP,
					   .idle_timeout_ns = SLOW_NS,
				   });

	add_leaks(*state);
	return r;
}

static void happen(struct fixture *f, unsigned n)
{
	const struct alert *a = alert_book_find(f->monitor->alerts, MINE);

	while (n-- > 0)
		assert_int_equal(events_add(f->monitor->events, ALERT_GREW, a, 1764086400000), 0);
}

/* A client's side of a stream: all that has come. */
struct reader {
	int fd;
	char *data;
	size_t n, room;
	bool has_ended;
};

static struct reader open_stream(struct fixture *f, int fd, const char *address,
				 const char *headers)
{
	struct reader s = { .fd = fd, .room = 65536 };
	char request[1000];

	s.data = calloc(1, s.room + 1);
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n%s\r\n", address, headers);
	client_send(f, fd, request, strlen(request));
	turn(f);
	return s;
}

static void take(struct fixture *f, struct reader *s)
{
	ssize_t k;

	turn(f);
	if (s->n == s->room) {
		s->room *= 2;
		s->data = realloc(s->data, s->room + 1);
		assert_non_null(s->data);
	}
	k = recv(s->fd, s->data + s->n, s->room - s->n, MSG_DONTWAIT);
	if (k == 0 || (k < 0 && errno != EAGAIN))
		s->has_ended = true;
	if (k > 0)
		s->n += (size_t)k;
	s->data[s->n] = '\0';
}

/* Until the text has come; or NULL, until the end. */
static void wait_for(struct fixture *f, struct reader *s, const char *text)
{
	time_t end = time(NULL) + DEADLINE_SECONDS;

	while (text ? !strstr(s->data, text) : !s->has_ended) {
		take(f, s);
		if (time(NULL) >= end || (text && s->has_ended && !strstr(s->data, text)))
			fail_msg("\"%s\" has not come, but: %.2000s", text, s->data);
	}
}

static void close_stream(struct fixture *f, struct reader *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->data);
	turn(f);
}

/* The body without its chunks, in place; false: it is not complete. */
static bool dechunk(struct reader *s)
{
	char *at = strstr(s->data, "\r\n\r\n"), *to = s->data;
	unsigned long size = 1;

	assert_non_null(at);
	assert_non_null(strstr(s->data, "Transfer-Encoding: chunked"));
	at += 4;
	while (at < s->data + s->n && size > 0) {
		size = strtoul(at, &at, 16);
		if (at + 2 + size + 2 > s->data + s->n)
			break;
		assert_memory_equal(at, "\r\n", 2);
		memmove(to, at + 2, size);
		to += size;
		at += 2 + size + 2;
	}
	*to = '\0';
	s->n = (size_t)(to - s->data);
	return size == 0;
}

/* What a stream has told. */
struct told {
	unsigned events;
	unsigned gaps;
	uint64_t missed;
	uint64_t first, last;
};

/* Reads JSON lines; numbers must rise. */
static struct told read_lines(const char *text)
{
	struct told t = { 0 };

	while (*text) {
		size_t n = strcspn(text, "\n");
		json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
		uint64_t id = strtoul(json_string_value(json_object_get(o, "id")), NULL, 10);

		assert_int_equal(text[n], '\n');
		assert_true(id > t.last);
		t.last = id;
		t.first = t.first ? t.first : id;
		if (strcmp(json_string_value(json_object_get(o, "event")), "gap") == 0) {
			t.gaps++;
			t.missed += json_integer_value(json_object_get(o, "missed"));
		} else {
			t.events++;
			assert_true(json_is_object(json_object_get(o, "leak")));
		}
		json_decref(o);
		text += n + 1;
	}
	return t;
}

static struct told read_kept(struct fixture *f, const char *address)
{
	struct reader s = open_stream(f, client_connect(f), address, "");
	struct told t;

	wait_for(f, &s, NULL);
	assert_non_null(strstr(s.data, "HTTP/1.1 200"));
	assert_non_null(strstr(s.data, "Content-Type: application/x-ndjson"));
	assert_true(dechunk(&s));
	t = read_lines(s.data);
	close_stream(f, &s);
	return t;
}

static void test_kept(void **state)
{
	struct fixture *f = *state;
	struct told t;

	happen(f, 3);
	t = read_kept(f, "/v1/events");
	assert_int_equal(t.events, 5);
	assert_int_equal(t.first, 1);
	assert_int_equal(t.last, 5);
	t = read_kept(f, "/v1/events?since=3&follow=0");
	assert_int_equal(t.events, 2);
	assert_int_equal(t.first, 4);
	assert_int_equal(read_kept(f, "/v1/events?since=5").events, 0);
	/* Numbers of a daemon that has forgotten them. */
	assert_int_equal(read_kept(f, "/v1/events?since=6").events, 5);
	assert_int_equal(read_kept(f, "/v1/events?since=18446744073709551615").events, 5);
}

static void test_none(void **state)
{
	assert_int_equal(read_kept(*state, "/v1/events").events, 0);
	assert_int_equal(read_kept(*state, "/v1/events?since=0").gaps, 0);
}

static void test_refusals(void **state)
{
	static const char *const bad[] = {
		"since=-1", "since=1x", "since=",  "since=0x10",     "since=18446744073709551616",
		"follow=2", "follow=",	"since=%", "follow=true%00", "since=1&since=2",
	};
	struct fixture *f = *state;
	struct answer a;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char address[100];

		snprintf(address, sizeof(address), "/v1/events?%s", bad[i]);
		a = get(f, address);
		if (a.status != 400 || strcmp(answer_code(&a), "bad_parameter") != 0)
			fail_msg("%s: %d, %s", address, a.status, a.body);
		answer_done(&a);
	}
	a = get(f, "/v1/events?until=1");
	assert_string_equal(answer_code(&a), "unknown_parameter");
	answer_done(&a);
	a = ask(f, "GET /v1/events HTTP/1.1\r\nAccept: text/event-stream\r\n"
		   "Last-Event-ID: 1;drop\r\n\r\n");
	assert_string_equal(answer_code(&a), "bad_parameter");
	answer_done(&a);
	a = send_json(f, "POST", "/v1/events", "{}");
	assert_string_equal(answer_code(&a), "method_not_allowed");
	answer_done(&a);
}

static void test_head(void **state)
{
	struct answer a = ask(*state, "HEAD /v1/events?follow=1 HTTP/1.1\r\n\r\n");

	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.head, "application/x-ndjson"));
	assert_int_equal(a.n, 0);
	answer_done(&a);
}

/* Two followers, of both formats: nothing of what was, all that comes. */
static void test_two_followers(void **state)
{
	struct fixture *f = *state;
	struct reader lines = open_stream(f, client_connect(f), "/v1/events?follow=1", "");
	struct reader stream = open_stream(f, client_connect(f), "/v1/events?follow=true",
					   "Accept: text/event-stream\r\n");

	wait_for(f, &lines, "application/x-ndjson\r\n");
	wait_for(f, &stream, "text/event-stream\r\n");
	happen(f, 1);
	wait_for(f, &lines, "{\"id\":\"3\",");
	wait_for(f, &stream, "id: 3\nevent: grew\ndata: {\"id\":\"3\",");
	happen(f, 2);
	wait_for(f, &lines, "{\"id\":\"5\",");
	wait_for(f, &stream, "id: 5\nevent: grew\ndata: {\"id\":\"5\",");
	assert_null(strstr(lines.data, "{\"id\":\"2\""));
	assert_null(strstr(stream.data, "id: 2\n"));

	/* One goes: the other stays. */
	close_stream(f, &stream);
	happen(f, 1);
	wait_for(f, &lines, "{\"id\":\"6\",");
	assert_false(dechunk(&lines));
	assert_int_equal(read_lines(lines.data).events, 4);
	close_stream(f, &lines);
	happen(f, 1);
}

static void test_resume(void **state)
{
	struct fixture *f = *state;
	struct reader s;

	happen(f, 3);
	s = open_stream(f, client_connect(f), "/v1/events?follow=1&since=1",
			"Accept: text/event-stream\r\nLast-Event-ID: 3\r\n");
	wait_for(f, &s, "id: 5\n");
	assert_null(strstr(s.data, "id: 3\n"));
	assert_non_null(strstr(s.data, "id: 4\n"));
	happen(f, 1);
	wait_for(f, &s, "id: 6\n");
	close_stream(f, &s);

	s = open_stream(f, client_connect(f), "/v1/events?follow=1&since=0", "");
	wait_for(f, &s, "{\"id\":\"6\"");
	assert_false(dechunk(&s));
	assert_int_equal(read_lines(s.data).events, 6);
	close_stream(f, &s);
}

/* Events that are gone are told as a gap; resuming behind it misses no more. */
static void test_gap(void **state)
{
	struct fixture *f = *state;
	uint64_t missed;
	struct reader s;
	struct told t;
	char text[200];

	happen(f, EVENTS_KEPT + 100);
	(void)events_next(f->monitor->events, 7, &missed);
	assert_true(missed >= 95);
	t = read_kept(f, "/v1/events?since=7");
	assert_int_equal(t.gaps, 1);
	assert_int_equal(t.missed, missed);
	assert_int_equal(t.first, 7 + missed);
	assert_int_equal(t.last, EVENTS_KEPT + 102);
	assert_int_equal(t.events + t.missed, EVENTS_KEPT + 95);
	/* Whoever asks for what is kept misses nothing. */
	assert_int_equal(read_kept(f, "/v1/events").gaps, 0);

	s = open_stream(f, client_connect(f), "/v1/events?since=7",
			"Accept: text/event-stream\r\n");
	wait_for(f, &s, NULL);
	assert_true(dechunk(&s));
	snprintf(text, sizeof(text),
		 "id: %lu\nevent: gap\ndata: {\"id\":\"%lu\",\"event\":\"gap\",\"missed\":%lu}\n\n",
		 7 + missed, 7 + missed, missed);
	assert_memory_equal(s.data, text, strlen(text));
	close_stream(f, &s);
}

/* One that reads late: what waits for it is bounded, and what it missed is told. */
static void test_slow(void **state)
{
	const unsigned n = 3 * EVENTS_KEPT;
	struct fixture *f = *state;
	struct reader s = open_stream(f, client_connect(f), "/v1/events?follow=1&since=2", "");
	char last[40];
	struct told t;

	for (unsigned i = 0; i < n; i++) {
		happen(f, 1);
		turn(f);
	}
	snprintf(last, sizeof(last), "{\"id\":\"%u\",", n + 2);
	wait_for(f, &s, last);
	happen(f, 1);
	snprintf(last, sizeof(last), "{\"id\":\"%u\",", n + 3);
	wait_for(f, &s, last);
	assert_false(dechunk(&s));
	t = read_lines(s.data);
	assert_int_equal(t.gaps, 1);
	assert_int_equal(t.last, n + 3);
	assert_int_equal(t.events + t.missed, n + 1);
	close_stream(f, &s);
}

static void sleep_ms(long ms)
{
	const struct timespec t = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&t, NULL);
}

/* One that takes nothing at all is left, and finds out what it missed when it comes again. */
static void test_stuck(void **state)
{
	struct fixture *f = *state;
	struct reader s = open_stream(f, client_connect(f), "/v1/events?follow=1&since=2", "");
	time_t end = time(NULL) + DEADLINE_SECONDS;
	struct pollfd p = { .fd = s.fd, .events = 0 };

	happen(f, 500);
	while (!(p.revents & POLLHUP)) {
		assert_true(time(NULL) < end);
		turn(f);
		sleep_ms(10);
		assert_true(poll(&p, 1, 0) >= 0);
	}
	wait_for(f, &s, NULL);
	assert_false(dechunk(&s));
	close_stream(f, &s);
	assert_int_equal(read_kept(f, "/v1/events?since=2").events, 500);
}

/* Silence is no slowness: heartbeats go on, and the stream outlives the idle timeout. */
static void test_heartbeats(void **state)
{
	struct fixture *f = *state;
	struct reader stream = open_stream(f, client_connect(f), "/v1/events?follow=1",
					   "Accept: text/event-stream\r\n");
	struct reader lines = open_stream(f, client_connect(f), "/v1/events?follow=1", "");
	struct timespec begin, now;

	wait_for(f, &stream, "3\r\n:\n\n\r\n3\r\n:\n\n\r\n");
	wait_for(f, &lines, "1\r\n\n\r\n1\r\n\n\r\n");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		take(f, &stream);
		take(f, &lines);
		sleep_ms(5);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1e9 + (now.tv_nsec - begin.tv_nsec) < 2 * SLOW_NS);
	assert_false(stream.has_ended || lines.has_ended);
	happen(f, 1);
	wait_for(f, &stream, "id: 3\n");
	wait_for(f, &lines, "{\"id\":\"3\",");
	close_stream(f, &stream);
	close_stream(f, &lines);
}

/* Not even then. */
static void test_silence(void **state)
{
	struct fixture *f = *state;
	struct reader s = open_stream(f, client_connect(f), "/v1/events?follow=1", "");

	wait_for(f, &s, "200 OK");
	for (uint64_t waited = 0; waited < 2 * SLOW_NS; waited += 10000000) {
		take(f, &s);
		sleep_ms(10);
	}
	assert_false(s.has_ended);
	happen(f, 1);
	wait_for(f, &s, "{\"id\":\"3\",");
	close_stream(f, &s);
}

static void test_too_many(void **state)
{
	struct fixture *f = *state;
	struct reader streams[FOLLOWERS_MAX];
	struct answer a;

	for (size_t i = 0; i < FOLLOWERS_MAX; i++) {
		streams[i] = open_stream(f, client_connect(f), "/v1/events?follow=1", "");
		wait_for(f, &streams[i], "200 OK");
	}
	a = get(f, "/v1/events?follow=1");
	assert_int_equal(a.status, 503);
	assert_string_equal(answer_code(&a), "too_many_followers");
	answer_done(&a);
	/* Other requests are not concerned. */
	a = get(f, "/v1/leaks");
	assert_int_equal(a.status, 200);
	answer_done(&a);
	close_stream(f, &streams[7]);
	streams[7] = open_stream(f, client_connect(f), "/v1/events?follow=1", "");
	wait_for(f, &streams[7], "200 OK");
	happen(f, 1);
	for (size_t i = 0; i < FOLLOWERS_MAX; i++) {
		wait_for(f, &streams[i], "{\"id\":\"3\",");
		close_stream(f, &streams[i]);
	}
}

/* When the daemon ends, a stream ends as HTTP says, behind whole events. */
static void test_shutdown(void **state)
{
	struct fixture *f = *state;
	struct reader quiet = open_stream(f, client_connect(f), "/v1/events?follow=1", "");
	struct reader fresh = open_stream(f, client_connect(f), "/v1/events?follow=1&since=0", "");
	struct reader old = open_stream(f, client_connect(f), "/v1/events?follow=1", "");

	wait_for(f, &quiet, "200 OK");
	wait_for(f, &fresh, "{\"id\":\"2\",");
	happen(f, 1); /* nobody has turned the loop: it still waits to be written */
	close(old.fd);
	old.fd = -1;
	f->server = server_free(f->server);
	wait_for(f, &quiet, NULL);
	wait_for(f, &fresh, NULL);
	assert_true(dechunk(&quiet));
	assert_int_equal(read_lines(quiet.data).events, 1);
	assert_true(dechunk(&fresh));
	assert_int_equal(read_lines(fresh.data).events, 3);
	close_stream(f, &quiet);
	close_stream(f, &fresh);
	close_stream(f, &old);
	happen(f, 1); /* nobody follows any more */
}

/* What a follower sends is not read without end. */
static void test_talker(void **state)
{
	static const char noise[65536];
	struct fixture *f = *state;
	struct reader s = open_stream(f, client_connect(f), "/v1/events?follow=1", "");
	size_t sent = 0;
	int refusals = 0;

	wait_for(f, &s, "200 OK");
	while (refusals < 200) {
		ssize_t k = send(s.fd, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k > 0)
			sent += (size_t)k;
		else
			refusals++;
		turn(f);
		/* What the kernel keeps for a socket, and little more. */
		assert_true(sent < 1 << 20);
	}
	happen(f, 1);
	wait_for(f, &s, "{\"id\":\"3\",");
	close_stream(f, &s);
}

/* HTTP/1.0 knows no chunks: the end of the connection is the end of the body. */
static void test_old_client(void **state)
{
	static const char request[] = "GET /v1/events HTTP/1.0\r\n\r\n";
	struct fixture *f = *state;
	struct reader s = { .fd = client_connect(f), .room = 65536 };

	s.data = calloc(1, s.room + 1);
	client_send(f, s.fd, request, strlen(request));
	wait_for(f, &s, NULL);
	assert_null(strstr(s.data, "chunked"));
	assert_int_equal(read_lines(strstr(s.data, "\r\n\r\n") + 4).events, 2);
	close_stream(f, &s);
}

static void test_access(void **state)
{
	struct fixture *f = *state;
	struct reader s[FOLLOWERS_PER_UID];
	struct answer a;
	int fd;

	if (geteuid() != 0)
		skip();
	s[0] = open_stream(f, client_connect_as(f, USER, SERVER_NO_GROUP), "/v1/events", "");
	wait_for(f, &s[0], NULL);
	assert_true(dechunk(&s[0]));
	assert_int_equal(read_lines(s[0].data).events, 1);
	assert_non_null(strstr(s[0].data, "2222222222222222"));
	close_stream(f, &s[0]);

	for (size_t i = 0; i < FOLLOWERS_PER_UID; i++) {
		s[i] = open_stream(f, client_connect_as(f, USER, SERVER_NO_GROUP),
				   "/v1/events?follow=1", "");
		wait_for(f, &s[i], "200 OK");
	}
	fd = client_connect_as(f, USER, SERVER_NO_GROUP);
	client_send(f, fd, "GET /v1/events HTTP/1.1\r\n\r\n", 27);
	a = client_read(f, fd, false);
	assert_string_equal(answer_code(&a), "too_many_followers");
	answer_done(&a);
	close(fd);
	/* Root is not kept out. */
	assert_int_equal(read_kept(f, "/v1/events").events, 2);
	for (size_t i = 0; i < FOLLOWERS_PER_UID; i++)
		close_stream(f, &s[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refusals, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_head, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_two_followers, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_resume, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_gap, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_slow, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_stuck, set_up_fast, tear_down),
		cmocka_unit_test_setup_teardown(test_heartbeats, set_up_fast, tear_down),
		cmocka_unit_test_setup_teardown(test_silence, set_up_silent, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_shutdown, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_talker, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_old_client, set_up_leaks, tear_down),
		cmocka_unit_test_setup_teardown(test_access, set_up_leaks, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
