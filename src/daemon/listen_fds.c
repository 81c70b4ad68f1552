// SPDX-License-Identifier: GPL-2.0-or-later
/* What the service manager hands over. See listen_fds.h. */
#include "daemon/listen_fds.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"

/* Descriptors follow each other from SD_LISTEN_FDS_START on; a name is NULL once its one is taken. */
struct listen_fds {
	char **names; /* owned, and what it points to */
	size_t n;
};

int listen_fds_new(struct listen_fds **ret)
{
	_cleanup_(listen_fds_freep) struct listen_fds *l = calloc(1, sizeof(*l));
	int n;

	if (!l)
		return -ENOMEM;
	n = sd_listen_fds_with_names(1, &l->names);
	if (n < 0)
		return n;
	l->n = (size_t)n;
	*ret = TAKE_PTR(l);
	return 0;
}

static int descriptor(size_t i)
{
	return SD_LISTEN_FDS_START + (int)i;
}

/* One warning for all of the @i-th one's name: a store may hold hundreds. */
static void close_name(struct listen_fds *l, size_t i)
{
	_cleanup_free_ char *name = TAKE_PTR(l->names[i]);
	size_t n = 1;
	int fd;

	(void)close_fd(descriptor(i));
	while ((fd = listen_fds_take(l, name)) >= 0) {
		(void)close_fd(fd);
		n++;
	}
	log_warning("closed %zu descriptor%s named '%s' from the service manager: nothing here "
		    "uses that name",
		    n, n == 1 ? "" : "s", name);
}

struct listen_fds *listen_fds_free(struct listen_fds *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		if (l->names[i])
			close_name(l, i);
	free(l->names);
	free(l);
	return NULL;
}

int listen_fds_take(struct listen_fds *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!l->names[i] || strcmp(l->names[i], name) != 0)
			continue;
		free(l->names[i]);
		l->names[i] = NULL;
		return descriptor(i);
	}
	return -ENOENT;
}

size_t listen_fds_count(const struct listen_fds *l, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->names[i] && (!name || strcmp(l->names[i], name) == 0);
	return n;
}

const char *listen_fds_name(const struct listen_fds *l, size_t i)
{
	for (size_t k = 0; k < l->n; k++)
		if (l->names[k] && i-- == 0)
			return l->names[k];
	return NULL;
}
