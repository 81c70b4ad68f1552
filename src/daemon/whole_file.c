// SPDX-License-Identifier: GPL-2.0-or-later
/* A small file, read as a whole. See whole_file.h. */
#include "daemon/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"

/* One byte more than is allowed tells a file that is too large. */
static int read_up_to(int fd, char *buffer, size_t max, size_t *ret)
{
	size_t n = 0;

	while (n <= max) {
		ssize_t r = read(fd, buffer + n, max + 1 - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0) {
			buffer[n] = '\0';
			*ret = n;
			return 0;
		}
		n += (size_t)r;
	}
	return -EFBIG;
}

int whole_file_read(const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
		return -EINVAL;
	text = malloc(max + 1);
	if (!text)
		return -ENOMEM;
	r = read_up_to(fd, text, max, ret_size);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(text);
	return 0;
}
