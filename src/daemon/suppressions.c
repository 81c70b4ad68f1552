// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of leaks that nobody wants to hear of. See suppressions.h. */
#include "daemon/suppressions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/book.h"
#include "base/cleanup.h"
#include "base/log.h"

#define BYTES_MAX (1u << 20)

/* One byte more than is allowed tells a file that is too large. */
static ssize_t read_whole(int fd, char *buffer)
{
	size_t n = 0;

	while (n <= BYTES_MAX) {
		ssize_t r = read(fd, buffer + n, BYTES_MAX + 1 - n);

		if (r < 0)
			return -errno;
		if (r == 0)
			return (ssize_t)n;
		n += (size_t)r;
	}
	return -EFBIG;
}

int suppressions_load(struct alert_book *b, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *text = malloc(BYTES_MAX + 1);
	const char *why = NULL;
	unsigned line = 0;
	ssize_t n;
	int r;

	if (fd < 0)
		return log_error_errno(-errno, "failed to open %s", path);
	if (!text)
		return log_error_errno(-ENOMEM, "failed to read %s", path);
	n = read_whole(fd, text);
	if (n < 0)
		return log_error_errno((int)n, "failed to read %s", path);
	r = alert_book_set_suppressions(b, text, (size_t)n, &line, &why);
	if (r == -EINVAL)
		log_error("%s:%u: %s", path, line, why ?: "not understood");
	else if (r < 0)
		(void)log_error_errno(r, "failed to take %s", path);
	return r;
}
