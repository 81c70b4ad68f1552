/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server on a real socket with a fake monitor, and raw clients in the same process: the event
 * loop is turned until what a test waits for has come.
 */
#ifndef SEEP_TESTS_SERVE_FIXTURE_H
#define SEEP_TESTS_SERVE_FIXTURE_H

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "fake_monitor.h"
#include "serve/server.h"

#define DEADLINE_SECONDS 60

struct fixture {
	char directory[64];
	char path[96];
	struct event_base *base;
	struct monitor *monitor;
	struct server *server;
	size_t descriptors; /* open before */
};

struct answer {
	int status; /* 0: the connection ended without one */
	char head[2048];
	char *body;
	size_t n;
	json_t *json; /* NULL: no JSON */
};

static inline size_t count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline void turn(struct fixture *f)
{
	for (int i = 0; i < 3; i++)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static inline int set_up_with(void **state, struct server_options options)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->directory, sizeof(f->directory), "/tmp/seep-serve-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	assert_int_equal(chmod(f->directory, 0755), 0);
	snprintf(f->path, sizeof(f->path), "%s/s.sock", f->directory);
	f->descriptors = count_descriptors();
	f->base = event_base_new();
	f->monitor = fake_new();
	options.socket_path = f->path;
	assert_int_equal(server_new(f->base, f->monitor, &options, &f->server), 0);
	*state = f;
	return 0;
}

static inline int set_up(void **state)
{
	return set_up_with(state, (struct server_options){ .mode = 0666, .gid = SERVER_NO_GROUP });
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	f->server = server_free(f->server);
	fake_answer(f->monitor);
	turn(f);
	fake_free(f->monitor);
	event_base_free(f->base);
	assert_int_equal(stat(f->path, &st), -1);
	assert_int_equal(rmdir(f->directory), 0);
	assert_int_equal(count_descriptors(), f->descriptors);
	free(f);
	return 0;
}

static inline int client_connect(const struct fixture *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Connects as another user, who is a member of @group only. */
static inline int client_connect_as(const struct fixture *f, uid_t uid, gid_t group)
{
	gid_t none = 65533;
	int fd;

	assert_int_equal(setgroups(1, group == SERVER_NO_GROUP ? &none : &group), 0);
	assert_int_equal(setegid(65533), 0);
	assert_int_equal(seteuid(uid), 0);
	fd = client_connect(f);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	assert_int_equal(setgroups(0, NULL), 0);
	return fd;
}

static inline void client_send(struct fixture *f, int fd, const char *data, size_t n)
{
	time_t end = time(NULL) + DEADLINE_SECONDS;

	while (n > 0) {
		ssize_t k = send(fd, data, n, MSG_NOSIGNAL);

		assert_true(time(NULL) < end);
		if (k > 0) {
			data += k;
			n -= (size_t)k;
		} else if (errno != EAGAIN) {
			return; /* the server has closed; its answer is read later */
		}
		turn(f);
	}
}

/* Whether @data holds a whole answer; @head_only for one to HEAD. */
static inline bool is_whole(const char *data, size_t n, bool head_only)
{
	const char *end = n ? strstr(data, "\r\n\r\n") : NULL;
	const char *length = end ? strstr(data, "Content-Length: ") : NULL;

	if (!end)
		return false;
	if (head_only || !length || length > end)
		return true;
	return n - (size_t)(end + 4 - data) >= strtoul(length + 16, NULL, 10);
}

/* Reads one answer, or to the end of the stream. */
static inline struct answer client_read(struct fixture *f, int fd, bool head_only)
{
	time_t end = time(NULL) + DEADLINE_SECONDS;
	struct answer a = { 0 };
	size_t room = 65536, n = 0;
	char *data = calloc(1, room + 1), *body;

	while (!is_whole(data, n, head_only)) {
		ssize_t k;

		assert_true(time(NULL) < end);
		turn(f);
		if (n == room) {
			room *= 2;
			data = realloc(data, room + 1);
		}
		k = recv(fd, data + n, room - n, MSG_DONTWAIT);
		if (k == 0 || (k < 0 && errno != EAGAIN))
			break;
		if (k > 0)
			n += (size_t)k;
		data[n] = '\0';
	}
	body = strstr(data, "\r\n\r\n");
	if (body) {
		assert_int_equal(sscanf(data, "HTTP/1.%*d %d", &a.status), 1);
		snprintf(a.head, sizeof(a.head), "%.*s", (int)(body + 2 - data), data);
		a.n = n - (size_t)(body + 4 - data);
		a.body = strndup(body + 4, a.n);
		a.json = json_loads(a.body, JSON_REJECT_DUPLICATES, NULL);
	}
	free(data);
	return a;
}

static inline void answer_done(struct answer *a)
{
	free(a->body);
	json_decref(a->json);
	memset(a, 0, sizeof(*a));
}

static inline struct answer ask_bytes(struct fixture *f, const char *request, size_t n)
{
	int fd = client_connect(f);
	struct answer a;

	client_send(f, fd, request, n);
	a = client_read(f, fd, strncmp(request, "HEAD", 4) == 0);
	close(fd);
	turn(f);
	return a;
}

static inline struct answer ask(struct fixture *f, const char *request)
{
	return ask_bytes(f, request, strlen(request));
}

static inline struct answer get(struct fixture *f, const char *address)
{
	char request[10000];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n\r\n", address);
	return ask(f, request);
}

/* GET of what needs names: the symbolizer answers in between. */
static inline struct answer get_resolved(struct fixture *f, const char *address)
{
	char request[10000];
	int fd = client_connect(f);
	struct answer a;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n\r\n", address);
	client_send(f, fd, request, strlen(request));
	turn(f);
	fake_answer(f->monitor);
	a = client_read(f, fd, false);
	close(fd);
	turn(f);
	return a;
}

static inline struct answer send_json(struct fixture *f, const char *method, const char *address,
				      const char *json)
{
	char request[4096];

	snprintf(
		request, sizeof(request),
		"%s %s HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		method, address, strlen(json), json);
	return ask(f, request);
}

static inline const char *answer_code(const struct answer *a)
{
	const char *code = json_string_value(json_object_get(a->json, "code"));

	return code ? code : "(none)";
}

#endif
