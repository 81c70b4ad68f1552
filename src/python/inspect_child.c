// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The inspector's child: requests in, answers out.
 *
 * It trusts its parent and no memory that it reads. Whatever it finds there may crash it: the parent
 * then starts another one.
 */
#include "python/inspect_child.h"

#include <fcntl.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/socket.h>

#include "base/sandbox.h"
#include "base/worker.h"
#include "python/answers.h"

/* The interpreter's file is mapped to find its symbols; an answer and the sets behind it take memory. */
#define ADDRESS_SPACE_BYTES (2ull << 30)
#define DATA_BYTES	    (1ull << 30)
#define DESCRIPTORS_MAX	    32
#define NICENESS	    10

struct child {
	const struct python_readers *readers; /* borrowed */
	struct python_interpreter interpreter;
	struct python_census census;
	struct python_holders holders;
	struct python_objects objects[PYTHON_WANTED_MAX];
	uint8_t request[MESSAGE_BYTES_MAX];
	uint8_t answer[MESSAGE_BYTES_MAX];
};

static int send_message(struct child *c, const struct message *header, const void *body, size_t n)
{
	struct iovec iov = { .iov_base = c->answer, .iov_len = sizeof(*header) + n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	memcpy(c->answer, header, sizeof(*header));
	if (n)
		memcpy(c->answer + sizeof(*header), body, n);
	do
		sent = sendmsg(SANDBOX_SOCKET, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static int send_answer(struct child *c, const struct message *request, int error,
		       const uint8_t *bytes, size_t n)
{
	const size_t most = MESSAGE_BYTES_MAX - sizeof(*request);
	struct message header = { .type = request->type, .id = request->id, .error = error };
	size_t at = 0;
	int r;

	do {
		size_t part = n - at < most ? n - at : most;

		header.flags = at + part == n ? MESSAGE_LAST : 0;
		r = send_message(c, &header, bytes + at, part);
		at += part;
	} while (r == 0 && at < n);
	return r;
}

static int take_census(struct child *c, const struct python_request *q, struct python_answer *a,
		       const char **ret_why)
{
	const struct python_census_options options = {
		.by_code = q->by_code != 0,
		.max_kinds = q->max,
		.deadline_ns = q->deadline_ns,
	};
	int r;

	r = c->readers->census(&c->interpreter, &options, &c->census, ret_why);
	if (r < 0)
		return r;
	r = python_pack_census(&c->census, a);
	python_census_done(&c->census);
	return r;
}

static int collect_objects(struct child *c, const struct python_request *q, size_t n,
			   const void *body, struct python_answer *a, const char **ret_why)
{
	struct python_wanted wanted[PYTHON_WANTED_MAX];
	int r;

	memcpy(wanted, body, n * sizeof(*wanted));
	r = c->readers->objects(&c->interpreter, wanted, n, q->max, q->deadline_ns, c->objects,
				ret_why);
	if (r < 0)
		return r;
	r = python_pack_objects(c->objects, n, a);
	for (size_t i = 0; i < n; i++)
		python_objects_done(&c->objects[i]);
	return r;
}

static int find_holders(struct child *c, const struct python_request *q, size_t n, const void *body,
			struct python_answer *a, const char **ret_why)
{
	struct python_sample samples[PYTHON_SAMPLES];
	int r;

	memcpy(samples, body, n * sizeof(*samples));
	memset(&c->holders, 0, sizeof(c->holders));
	r = c->readers->holders(&c->interpreter, samples, n, q->deadline_ns, &c->holders, ret_why);
	return r < 0 ? r : python_pack_holders(&c->holders, a);
}

static int find_constructors(struct child *c, const struct python_request *q,
			     struct python_answer *a)
{
	struct python_constructors found;
	int r = c->readers->constructors(&c->interpreter, q->type, &found);

	return r < 0 ? r : python_pack_constructors(&found, a);
}

/* Whether the request is whole; the parent is no liar, so anything else ends the child. */
static bool is_whole(const struct message *request, size_t size)
{
	size_t n = request->count;

	switch (request->type) {
	case PYTHON_ASK_CENSUS:
	case PYTHON_ASK_CONSTRUCTORS:
		return n == 0 && size == sizeof(struct python_request);
	case PYTHON_ASK_OBJECTS:
		return n <= PYTHON_WANTED_MAX &&
		       size == sizeof(struct python_request) + n * sizeof(struct python_wanted);
	case PYTHON_ASK_HOLDERS:
		return n <= PYTHON_SAMPLES &&
		       size == sizeof(struct python_request) + n * sizeof(struct python_sample);
	default:
		return false;
	}
}

static int work(struct child *c, const struct message *request, struct python_answer *a,
		const char **ret_why)
{
	const uint8_t *body = c->request + sizeof(*request);
	struct python_request q;
	int r;

	memcpy(&q, body, sizeof(q));
	body += sizeof(q);
	r = c->readers->find(q.pid, &c->interpreter, ret_why);
	if (r < 0)
		return r;
	switch (request->type) {
	case PYTHON_ASK_CENSUS:
		return take_census(c, &q, a, ret_why);
	case PYTHON_ASK_OBJECTS:
		return collect_objects(c, &q, request->count, body, a, ret_why);
	case PYTHON_ASK_CONSTRUCTORS:
		return find_constructors(c, &q, a);
	default:
		return find_holders(c, &q, request->count, body, a, ret_why);
	}
}

static int answer(struct child *c, const struct message *request, size_t size)
{
	_cleanup_(python_answer_done) struct python_answer a = { 0 };
	const char *why = NULL;
	int r;

	if (!is_whole(request, size))
		return -EBADMSG;
	r = work(c, request, &a, &why);
	if (r < 0)
		return send_answer(c, request, r, (const uint8_t *)(why ? why : ""),
				   why ? strlen(why) : 0);
	return send_answer(c, request, 0, a.bytes, a.n);
}

/* Receives one request. 0: the parent has closed the socket. */
static ssize_t receive(struct child *c)
{
	ssize_t n;

	do
		n = recv(SANDBOX_SOCKET, c->request, sizeof(c->request), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n > 0 && (size_t)n < sizeof(struct message) ? -EBADMSG : n;
}

/*
 * What lies in /proc is read by name, for it is not known ahead which processes are meant. Nothing can
 * be opened to be written, or made.
 */
static int allow(void *filter)
{
	static const int calls[] = {
		SCMP_SYS(process_vm_readv), SCMP_SYS(getdents64), SCMP_SYS(readlinkat),
		SCMP_SYS(readlink),	    SCMP_SYS(recvfrom),	  SCMP_SYS(statx),
		SCMP_SYS(clock_nanosleep),
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
	return r;
}

int inspect_child_main(int socket, int parent, uint64_t cpu_seconds, const void *readers)
{
	/*
	 * Reading memory asks for what ptrace does. What lies in /proc/PID belongs to whoever runs the
	 * process, and the links of map_files are for CAP_CHECKPOINT_RESTORE.
	 */
	static const int capabilities[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
					    CAP_CHECKPOINT_RESTORE };
	const struct sandbox sandbox = {
		.name = "seep-python",
		.cpu_seconds = cpu_seconds,
		.address_space_bytes = ADDRESS_SPACE_BYTES,
		.data_bytes = DATA_BYTES,
		.descriptors = DESCRIPTORS_MAX,
		.niceness = NICENESS,
		.capabilities = capabilities,
		.n_capabilities = ARRAY_SIZE(capabilities),
		.allow = allow,
	};
	const struct message hello = { .type = PYTHON_HELLO };
	_cleanup_free_ struct child *c = NULL;

	if (sandbox_enter(&sandbox, socket, parent) < 0)
		return EXIT_FAILURE;
	c = calloc(1, sizeof(*c));
	if (!c)
		return EXIT_FAILURE;
	c->readers = readers;
	if (send_message(c, &hello, NULL, 0) < 0)
		return EXIT_FAILURE;
	for (;;) {
		struct message request;
		ssize_t n = receive(c);

		if (n <= 0)
			return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		memcpy(&request, c->request, sizeof(request));
		if (answer(c, &request, (size_t)n - sizeof(request)) < 0)
			return EXIT_FAILURE;
	}
}
