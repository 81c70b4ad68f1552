// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fno-builtin -fno-optimize-sibling-calls
 *
 * A small server with a leak, for the demo and the tests. It listens on a loopback port that the
 * kernel chooses, prints "port N" and answers one line per request:
 *
 *	login NAME	remembers a session until it is logged out: without that, for ever, the leak
 *	logout NUMBER	forgets a session
 *	search TEXT	builds a list of results and frees it
 *	upload SIZE	holds a body as long as the request takes
 *	cache KEY	keeps the last 256 pages; full, it grows no more
 *	quit		ends the server
 *
 * leaky_server --drive PORT RATE SECONDS is its client. RATE times a second it logs in two users, of
 * whom one vanishes and one logs out a little later, searches, uploads and asks for a page.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "workload.h"

#define LINE_BYTES     512
#define MAX_CLIENTS    64
#define CACHE_PAGES    256
#define PAGE_BYTES     2048
#define UPLOAD_MAX     (1u << 20)
#define SEARCH_RESULTS 31
#define STAY	       13 /* logins before a user logs out */

struct session {
	struct session *next;
	unsigned long number;
	char *user;
	char state[4000];
};

struct page {
	char key[32];
	char *body;
};

struct client {
	int fd;
	char line[LINE_BYTES];
	size_t n;
};

struct server {
	struct session *sessions;
	unsigned long logins;
	struct page cache[CACHE_PAGES];
	struct client clients[MAX_CLIENTS];
	size_t n_clients;
	bool stop;
};

static void *checked(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

/* The leak: whoever leaves without a logout is remembered for ever. */
static NOINLINE struct session *remember_session(struct server *s, const char *user)
{
	struct session *session = checked(malloc(sizeof(*session)));

	session->user = checked(strdup(user));
	session->number = ++s->logins;
	memset(session->state, 'a' + (int)(session->number % 26), sizeof(session->state));
	session->next = s->sessions;
	s->sessions = session;
	return session;
}

static NOINLINE void handle_login(struct server *s, const char *user, char *answer)
{
	const struct session *session = remember_session(s, user);

	(void)snprintf(answer, LINE_BYTES, "session %lu\n", session->number);
}

static NOINLINE void handle_logout(struct server *s, const char *text, char *answer)
{
	unsigned long number = strtoul(text, NULL, 10);
	struct session **at = &s->sessions, *gone;

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	gone = *at;
	if (!gone) {
		(void)snprintf(answer, LINE_BYTES, "error: no such session\n");
		return;
	}
	*at = gone->next;
	free(gone->user);
	free(gone);
	(void)snprintf(answer, LINE_BYTES, "bye\n");
}

static NOINLINE void handle_search(const char *text, char *answer)
{
	char *results[SEARCH_RESULTS];
	size_t found = 0;

	for (size_t i = 0; i < SEARCH_RESULTS; i++) {
		results[i] = checked(malloc(64 + 16 * i));
		(void)snprintf(results[i], 64, "result %zu for %.32s", i, text);
		found += results[i][7] != 'x';
	}
	for (size_t i = 0; i < SEARCH_RESULTS; i++)
		free(results[i]);
	(void)snprintf(answer, LINE_BYTES, "found %zu\n", found);
}

static NOINLINE void handle_upload(const char *size, char *answer)
{
	unsigned long bytes = strtoul(size, NULL, 10), sum = 0;
	unsigned char *body;

	if (bytes == 0 || bytes > UPLOAD_MAX) {
		(void)snprintf(answer, LINE_BYTES, "error: 1 to %u bytes\n", UPLOAD_MAX);
		return;
	}
	body = checked(calloc(1, bytes));
	for (unsigned long i = 0; i < bytes; i += 512) {
		body[i] = (unsigned char)i;
		sum += body[i];
	}
	free(body);
	(void)snprintf(answer, LINE_BYTES, "stored %lu, sum %lu\n", bytes, sum);
}

/* A page of a slot replaces the one that was there: bounded, whatever is asked for. */
static NOINLINE void fill_cache(struct page *page, const char *key)
{
	char *body = checked(malloc(PAGE_BYTES));

	memset(body, 'p', PAGE_BYTES);
	free(page->body);
	page->body = body;
	(void)snprintf(page->key, sizeof(page->key), "%.31s", key);
}

static NOINLINE void handle_cache(struct server *s, const char *key, char *answer)
{
	unsigned long hash = 5381;
	struct page *page;

	for (const char *c = key; *c; c++)
		hash = hash * 33 + (unsigned char)*c;
	page = &s->cache[hash % CACHE_PAGES];
	if (page->body && strncmp(page->key, key, sizeof(page->key) - 1) == 0) {
		(void)snprintf(answer, LINE_BYTES, "hit\n");
		return;
	}
	fill_cache(page, key);
	(void)snprintf(answer, LINE_BYTES, "miss\n");
}

static void handle(struct server *s, char *line, char *answer)
{
	char *argument = strchr(line, ' ');

	if (argument)
		*argument++ = '\0';
	else
		argument = line + strlen(line);
	if (strcmp(line, "login") == 0)
		handle_login(s, argument, answer);
	else if (strcmp(line, "logout") == 0)
		handle_logout(s, argument, answer);
	else if (strcmp(line, "search") == 0)
		handle_search(argument, answer);
	else if (strcmp(line, "upload") == 0)
		handle_upload(argument, answer);
	else if (strcmp(line, "cache") == 0)
		handle_cache(s, argument, answer);
	else if (strcmp(line, "quit") == 0)
		s->stop = true;
	else
		(void)snprintf(answer, LINE_BYTES,
			       "error: login, logout, search, upload or cache\n");
}

/* False: the client is to be left. */
static bool read_client(struct server *s, struct client *c)
{
	ssize_t n = read(c->fd, c->line + c->n, sizeof(c->line) - c->n - 1);
	char *end;

	if (n <= 0)
		return false;
	c->n += (size_t)n;
	c->line[c->n] = '\0';
	while ((end = strchr(c->line, '\n'))) {
		char answer[LINE_BYTES] = "bye\n";

		*end++ = '\0';
		handle(s, c->line, answer);
		if (send(c->fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
			return false;
		c->n -= (size_t)(end - c->line);
		memmove(c->line, end, c->n + 1);
	}
	return c->n < sizeof(c->line) - 1;
}

static void accept_client(struct server *s, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int yes = 1;

	if (fd < 0)
		return;
	if (s->n_clients == MAX_CLIENTS) {
		(void)close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	s->clients[s->n_clients].fd = fd;
	s->clients[s->n_clients++].n = 0;
}

static int serve(void)
{
	static struct server server;
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
	    listen(listener, 16) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		die("cannot listen");
	say("port %u\n", ntohs(address.sin_port));
	while (!server.stop) {
		struct pollfd fds[MAX_CLIENTS + 1] = { { .fd = listener, .events = POLLIN } };
		size_t n = server.n_clients;

		for (size_t i = 0; i < n; i++)
			fds[i + 1] =
				(struct pollfd){ .fd = server.clients[i].fd, .events = POLLIN };
		if (poll(fds, n + 1, -1) < 0)
			continue;
		/* Backwards: a client that leaves is replaced by the last one. */
		for (size_t i = n; i-- > 0;) {
			struct client *c = &server.clients[i];

			if (!fds[i + 1].revents || read_client(&server, c))
				continue;
			(void)close(c->fd);
			*c = server.clients[--server.n_clients];
		}
		if (fds[0].revents)
			accept_client(&server, listener);
	}
	return 0;
}

/* One request, one line of answer. */
static void ask(int fd, const char *format, unsigned long number)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof(line), format, number);

	if (n < 0 || send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		die("the server is gone");
	do {
		ssize_t got = read(fd, line, sizeof(line));

		if (got <= 0)
			die("the server is gone");
		n = line[got - 1] == '\n';
	} while (!n);
}

static int drive(unsigned long port, unsigned long rate, unsigned long seconds)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct itimerspec pace = { .it_value.tv_nsec = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	unsigned long done = 0;

	if (port == 0 || port > 65535 || rate == 0 || rate > 1000000)
		die("usage: leaky_server --drive PORT RATE SECONDS");
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("cannot connect");
	pace.it_interval.tv_sec = rate == 1;
	pace.it_interval.tv_nsec = rate == 1 ? 0 : (long)(1000000000ul / rate);
	if (timer < 0 || timerfd_settime(timer, 0, &pace, NULL) < 0)
		die("cannot set a timer");
	while (done < rate * seconds) {
		uint64_t due;

		if (read(timer, &due, sizeof(due)) != sizeof(due))
			continue;
		for (; due > 0 && done < rate * seconds; due--, done++) {
			/* Sessions have the numbers 1, 2, ...: the odd ones are logged out. */
			ask(fd, "login user%lu\n", done);
			ask(fd, "login visitor%lu\n", done);
			if (done >= STAY)
				ask(fd, "logout %lu\n", 2 * (done - STAY) + 1);
			ask(fd, "search term%lu\n", done);
			ask(fd, "upload %lu\n", 1000 + done % 5000);
			ask(fd, "cache page%lu\n", done % 997);
		}
	}
	for (unsigned long i = done > STAY ? done - STAY : 0; i < done; i++)
		ask(fd, "logout %lu\n", 2 * i + 1);
	say("{\"vanished\":%lu}\n", done);
	return 0;
}

int main(int argc, char **argv)
{
	if (!has_flag(argc, argv, "--drive"))
		return serve();
	return drive(number_argument(argc, argv, 0, 0), number_argument(argc, argv, 1, 0),
		     number_argument(argc, argv, 2, 0));
}
