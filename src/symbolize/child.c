// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The symbolizer's child: requests in, answers out.
 *
 * It trusts its parent and no file. Whatever goes wrong with a file may crash it: the parent then
 * starts another one.
 */
#include "symbolize/child.h"

#include <string.h>
#include <sys/socket.h>

#include "base/sandbox.h"
#include "elf/unwind_compile.h"
#include "symbolize/child_file.h"
#include "symbolize/demangle.h"

/* On top of what the parent has. Files are mapped, so they count; debug files can be big. */
#define ADDRESS_SPACE_BYTES (4ull << 30)

/* Private memory, likewise. libdw needs about 40 MiB for a big library. */
#define DATA_BYTES (1ull << 30)

/* Open files: three for each file that is kept open, and some. */
#define DESCRIPTORS_MAX 64

/* Written files are memfds: rows, and symbol tables out of .gnu_debugdata. */
#define FILE_BYTES_MAX (UNWIND_MAX_ROWS * sizeof(struct unwind_row))

/* Files that are kept open; libdw takes some 40 MiB for a big one. */
#define OPEN_FILES_MAX 8

struct child {
	int socket;
	uint64_t requests;
	struct child_file *files[OPEN_FILES_MAX]; /* owned; NULL: free */
	uint8_t request[MESSAGE_BYTES_MAX];
	uint8_t answer[MESSAGE_BYTES_MAX];
	struct hook_point points[HOOK_POINTS_MAX];
	struct place places[INLINE_DEPTH_MAX];
	struct child_name names[INLINE_DEPTH_MAX];
};

_Static_assert(sizeof(struct message) + HOOK_POINTS_MAX * sizeof(struct hook_point) <=
		       MESSAGE_BYTES_MAX,
	       "all hook points fit one message");
_Static_assert(sizeof(struct message) + sizeof(struct name_answer) + 2 * TEXT_BYTES_MAX <=
		       MESSAGE_BYTES_MAX,
	       "a frame fits one message");

static int send_bytes(struct child *c, const void *bytes, size_t size)
{
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do
		n = sendmsg(c->socket, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Sends what stands behind the header in c->answer, @size bytes of it. */
static int send_answer(struct child *c, const struct message *request, int error, uint32_t count,
		       size_t size, uint32_t flags)
{
	struct message header = {
		.type = request->type,
		.id = request->id,
		.error = error,
		.slot = request->slot,
		.count = count,
		.flags = flags,
	};

	memcpy(c->answer, &header, sizeof(header));
	return send_bytes(c, c->answer, sizeof(header) + size);
}

static struct child_file *find_file(struct child *c, uint32_t slot)
{
	for (size_t i = 0; i < OPEN_FILES_MAX; i++) {
		if (c->files[i] && c->files[i]->slot == slot) {
			c->files[i]->used = c->requests;
			return c->files[i];
		}
	}
	return NULL;
}

/* The place of the slot, of nothing, or of the least recently used file. */
static struct child_file **place_for(struct child *c, uint32_t slot)
{
	struct child_file **oldest = &c->files[0];

	for (size_t i = 0; i < OPEN_FILES_MAX; i++) {
		struct child_file **at = &c->files[i];

		if (*at && (*at)->slot == slot)
			return at;
		if (!*oldest)
			continue;
		if (!*at || (*at)->used < (*oldest)->used)
			oldest = at;
	}
	return oldest;
}

static int answer_open(struct child *c, const struct message *request, int fd)
{
	struct child_file **place = place_for(c, request->slot);
	struct about_file about = { 0 };
	int r;

	*place = child_file_free(*place);
	r = child_file_open(request->slot, fd, place);
	if (r == 0) {
		(*place)->used = c->requests;
		child_file_describe(*place, &about);
	}
	memcpy(c->answer + sizeof(*request), &about, sizeof(about));
	return send_answer(c, request, r, 0, sizeof(about), MESSAGE_LAST);
}

static int answer_debug(struct child *c, const struct message *request, struct child_file *f,
			int fd)
{
	struct about_file about = { 0 };
	int r;

	r = child_file_add_debug(f, fd);
	if (r == 0)
		child_file_describe(f, &about);
	memcpy(c->answer + sizeof(*request), &about, sizeof(about));
	return send_answer(c, request, r, 0, sizeof(about), MESSAGE_LAST);
}

/* Copies text (NULL: none) without its NUL, marking what does not fit; returns how many bytes. */
static size_t put_text(uint8_t *to, const char *text)
{
	const size_t cut = sizeof(TEXT_CUT) - 1;
	size_t n;

	if (!text)
		return 0;
	n = strlen(text);
	if (n <= TEXT_BYTES_MAX) {
		memcpy(to, text, n);
		return n;
	}
	memcpy(to, text, TEXT_BYTES_MAX - cut);
	memcpy(to + TEXT_BYTES_MAX - cut, TEXT_CUT, cut);
	return TEXT_BYTES_MAX;
}

/* A source file's full path, if its parts make one. NULL: no memory, or no file. */
static char *source_path(const struct place *place)
{
	char *path;

	if (!place || !place->file)
		return NULL;
	if (place->file[0] == '/' || !place->directory || place->directory[0] != '/')
		return strdup(place->file);
	return asprintf(&path, "%s/%s", place->directory, place->file) < 0 ? NULL : path;
}

static int answer_name(struct child *c, const struct message *request, uint32_t index,
		       const struct child_name *name, uint32_t flags)
{
	_cleanup_free_ char *function = NULL, *file = source_path(name->place);
	struct name_answer answer = {
		.index = index,
		.line = name->place && file ? name->place->line : 0,
		.flags = flags | (name->approximate ? NAME_APPROXIMATE : 0),
	};
	uint8_t *at = c->answer + sizeof(*request) + sizeof(answer);
	bool is_last = index + 1 == request->count && !(flags & NAME_INLINED);

	if (name->function)
		function = demangle(name->function, name->function_length);
	answer.function_bytes = (uint32_t)put_text(at, function);
	at += answer.function_bytes;
	answer.file_bytes = (uint32_t)put_text(at, file);
	at += answer.file_bytes;
	memcpy(c->answer + sizeof(*request), &answer, sizeof(answer));
	return send_answer(c, request, 0, request->count,
			   (size_t)(at - c->answer) - sizeof(*request), is_last ? MESSAGE_LAST : 0);
}

static int answer_resolve(struct child *c, const struct message *request, struct child_file *f,
			  size_t size)
{
	if (request->count == 0 || request->count > RESOLVE_MAX ||
	    size != request->count * sizeof(uint64_t))
		return -EBADMSG;
	for (uint32_t i = 0; i < request->count; i++) {
		uint64_t address;
		size_t n;

		memcpy(&address, c->request + sizeof(*request) + i * sizeof(address),
		       sizeof(address));
		n = child_file_resolve(f, address, c->places, c->names);
		for (size_t k = 0; k < n; k++) {
			int r = answer_name(c, request, i, &c->names[k],
					    k + 1 < n ? NAME_INLINED : 0);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int answer_hooks(struct child *c, const struct message *request, struct child_file *f,
			size_t size)
{
	const char *names[HOOK_NAMES_MAX];
	const char *at = (const char *)c->request + sizeof(*request), *end = at + size;
	int r;

	if (request->count > HOOK_NAMES_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < request->count; i++) {
		const char *nul = memchr(at, 0, (size_t)(end - at));

		if (!nul)
			return -EBADMSG;
		names[i] = at;
		at = nul + 1;
	}
	r = child_file_find_hooks(f, names, request->count, c->points);
	if (r < 0)
		return send_answer(c, request, r, 0, 0, MESSAGE_LAST);
	memcpy(c->answer + sizeof(*request), c->points, (size_t)r * sizeof(c->points[0]));
	return send_answer(c, request, 0, (uint32_t)r, (size_t)r * sizeof(c->points[0]),
			   MESSAGE_LAST);
}

static int write_rows(int fd, const struct unwind_table *table)
{
	const char *at = (const char *)table->rows;
	size_t left = table->n_rows * sizeof(*table->rows);

	while (left > 0) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

static int answer_unwind(struct child *c, const struct message *request, struct child_file *f,
			 int fd)
{
	_cleanup_(unwind_table_freep) struct unwind_table *table = NULL;
	_cleanup_close_ int rows_fd = fd;
	int r;

	r = unwind_compile(f->image, f->debug, &table);
	if (r == 0)
		r = write_rows(rows_fd, table);
	return send_answer(c, request, r, r == 0 ? table->n_rows : 0, 0, MESSAGE_LAST);
}

static int answer_python(struct child *c, const struct message *request, struct child_file *f)
{
	struct python_file python;
	int r = python_file_read(f->image, &python);

	if (r < 0)
		return send_answer(c, request, r, 0, 0, MESSAGE_LAST);
	memcpy(c->answer + sizeof(*request), &python, sizeof(python));
	return send_answer(c, request, 0, 1, sizeof(python), MESSAGE_LAST);
}

static bool needs_descriptor(uint32_t type)
{
	return type == MESSAGE_OPEN || type == MESSAGE_DEBUG || type == MESSAGE_ALT ||
	       type == MESSAGE_UNWIND;
}

static int answer(struct child *c, const struct message *request, size_t size, int fd)
{
	_cleanup_close_ int owned = fd;
	struct child_file *f;

	if (needs_descriptor(request->type) != (fd >= 0))
		return -EBADMSG;
	c->requests++;
	if (request->type == MESSAGE_OPEN)
		return answer_open(c, request, TAKE_FD(owned));
	f = find_file(c, request->slot);
	if (!f)
		return send_answer(c, request, -ESTALE, 0, 0, MESSAGE_LAST);
	/* A perf map has names and nothing else. */
	if (f->perf_map && request->type != MESSAGE_RESOLVE)
		return send_answer(c, request, -ENOEXEC, 0, 0, MESSAGE_LAST);
	switch (request->type) {
	case MESSAGE_DEBUG:
		return answer_debug(c, request, f, TAKE_FD(owned));
	case MESSAGE_ALT:
		return send_answer(c, request, child_file_add_alt(f, TAKE_FD(owned)), 0, 0,
				   MESSAGE_LAST);
	case MESSAGE_RESOLVE:
		return answer_resolve(c, request, f, size);
	case MESSAGE_HOOKS:
		return answer_hooks(c, request, f, size);
	case MESSAGE_PYTHON:
		return answer_python(c, request, f);
	case MESSAGE_UNWIND:
		return answer_unwind(c, request, f, TAKE_FD(owned));
	default:
		return -EBADMSG;
	}
}

/* Receives one request. 0: the parent has closed the socket. */
static ssize_t receive(struct child *c, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = c->request, .iov_len = sizeof(c->request) };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	*ret_fd = -EBADF;
	do
		n = recvmsg(c->socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	cmsg = CMSG_FIRSTHDR(&m);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(*ret_fd));
	if ((size_t)n < sizeof(struct message) || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		*ret_fd = close_fd(*ret_fd);
		return -EBADMSG;
	}
	return n;
}

int child_main(int socket, int parent, uint64_t cpu_seconds, const void *unused)
{
	const struct message hello = { .type = MESSAGE_HELLO };
	const struct sandbox sandbox = {
		.name = "seep-symbols",
		.cpu_seconds = cpu_seconds,
		.address_space_bytes = ADDRESS_SPACE_BYTES,
		.data_bytes = DATA_BYTES,
		.descriptors = DESCRIPTORS_MAX,
		.file_bytes = FILE_BYTES_MAX,
	};
	_cleanup_free_ struct child *c = NULL;

	(void)unused;
	if (sandbox_enter(&sandbox, socket, parent) < 0)
		return EXIT_FAILURE;
	c = calloc(1, sizeof(*c));
	if (!c)
		return EXIT_FAILURE;
	c->socket = SANDBOX_SOCKET;
	if (send_bytes(c, &hello, sizeof(hello)) < 0)
		return EXIT_FAILURE;
	for (;;) {
		struct message request;
		ssize_t n;
		int fd;

		n = receive(c, &fd);
		if (n <= 0)
			return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		memcpy(&request, c->request, sizeof(request));
		if (answer(c, &request, (size_t)n - sizeof(request), fd) < 0)
			return EXIT_FAILURE;
	}
}
