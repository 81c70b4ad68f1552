// SPDX-License-Identifier: GPL-2.0-or-later
/* A record that is replaced as a whole. See twin.h. */
#include "base/twin.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <zlib.h>

#define FILES	2
#define MAGIC	0x534545505457494eull /* "SEEPTWIN" */
#define BUFFER	(64u << 10)
#define FASTEST "1"

struct head {
	uint64_t magic;
	uint64_t number; /* the higher one is the newer */
};

struct twin {
	int fds[FILES];	 /* owned */
	uint64_t number; /* of the newest record; 0: none */
	size_t newest;	 /* the file that it is in */
	gzFile writing;	 /* owned; NULL: nothing was begun */
	gzFile reading;	 /* owned */
	int error;	 /* of the record that is written */
};

static gzFile open_stream(int fd, const char *mode)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	gzFile f;

	/* Both descriptors have one position. */
	if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0) {
		close_fd(copy);
		return NULL;
	}
	f = gzdopen(copy, mode);
	if (!f)
		close_fd(copy);
	else
		(void)gzbuffer(f, BUFFER);
	return f;
}

static gzFile close_stream(gzFile f)
{
	if (f)
		(void)gzclose(f);
	return NULL;
}

int twin_new(const char *name, struct twin **ret)
{
	_cleanup_(twin_freep) struct twin *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < FILES; i++)
		t->fds[i] = -EBADF;
	for (size_t i = 0; i < FILES; i++) {
		t->fds[i] = memfd_create(name, MFD_CLOEXEC);
		if (t->fds[i] < 0)
			return -errno;
	}
	*ret = TAKE_PTR(t);
	return 0;
}

static int read_exactly(gzFile f, void *data, size_t size)
{
	if (size > INT32_MAX)
		return -EBADMSG;
	return gzread(f, data, (unsigned)size) == (int)size ? 0 : -EBADMSG;
}

/* The number of a file's record, if it is whole; else 0. */
static uint64_t check(int fd)
{
	char buffer[4096];
	struct head head;
	gzFile f = open_stream(fd, "rb");
	uint64_t number = 0;
	int n, error = Z_OK;

	if (!f)
		return 0;
	if (read_exactly(f, &head, sizeof(head)) == 0 && head.magic == MAGIC)
		number = head.number;
	do
		n = gzread(f, buffer, sizeof(buffer));
	while (n > 0);
	(void)gzerror(f, &error);
	/* A stream that was cut ends without an error of reading, but without its end, too. */
	if (n < 0 || error != Z_OK || gzdirect(f))
		number = 0;
	return gzclose(f) == Z_OK ? number : 0;
}

int twin_from(int fds[2], struct twin **ret)
{
	struct twin *t = calloc(1, sizeof(*t));

	if (!t) {
		for (size_t i = 0; i < FILES; i++)
			fds[i] = close_fd(fds[i]);
		return -ENOMEM;
	}
	for (size_t i = 0; i < FILES; i++) {
		uint64_t number;

		t->fds[i] = TAKE_FD(fds[i]);
		number = check(t->fds[i]);
		if (number > t->number) {
			t->number = number;
			t->newest = i;
		}
	}
	*ret = t;
	return 0;
}

struct twin *twin_free(struct twin *t)
{
	if (!t)
		return NULL;
	t->writing = close_stream(t->writing);
	twin_close(t);
	for (size_t i = 0; i < FILES; i++)
		close_fd(t->fds[i]);
	free(t);
	return NULL;
}

int twin_fd(const struct twin *t, size_t i)
{
	return t->fds[i];
}

int twin_begin(struct twin *t)
{
	const struct head head = { .magic = MAGIC, .number = t->number + 1 };
	int fd = t->fds[1 - t->newest];

	t->writing = close_stream(t->writing);
	if (ftruncate(fd, 0) < 0)
		return -errno;
	t->writing = open_stream(fd, "wb" FASTEST);
	if (!t->writing)
		return -ENOMEM;
	t->error = 0;
	twin_write(t, &head, sizeof(head));
	return t->error;
}

void twin_write(struct twin *t, const void *data, size_t size)
{
	if (t->error == 0 && size > 0 && gzwrite(t->writing, data, (unsigned)size) != (int)size)
		t->error = -EIO;
}

int twin_commit(struct twin *t)
{
	int r = gzclose(TAKE_PTR(t->writing)) == Z_OK ? t->error : -EIO;

	if (r == 0)
		twin_was_committed(t);
	return r;
}

void twin_was_committed(struct twin *t)
{
	t->newest = 1 - t->newest;
	t->number++;
}

int twin_open(struct twin *t)
{
	struct head head;

	twin_close(t);
	if (t->number == 0)
		return -ENODATA;
	t->reading = open_stream(t->fds[t->newest], "rb");
	if (!t->reading)
		return -ENOMEM;
	return read_exactly(t->reading, &head, sizeof(head));
}

int twin_read(struct twin *t, void *data, size_t size)
{
	return t->reading ? read_exactly(t->reading, data, size) : -EBADMSG;
}

size_t twin_read_some(struct twin *t, void *data, size_t size)
{
	int n = t->reading && size <= INT32_MAX ? gzread(t->reading, data, (unsigned)size) : 0;

	return n > 0 ? (size_t)n : 0;
}

void twin_close(struct twin *t)
{
	t->reading = close_stream(t->reading);
}
