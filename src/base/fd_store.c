// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptors that the service manager has. See fd_store.h. */
#include "base/fd_store.h"

#include <string.h>

#include <systemd/sd-daemon.h>

#include "base/log.h"

struct handed {
	char *name; /* owned */
	int fd;	    /* owned; -EBADF: taken */
};

struct fd_store {
	bool keeps;
	struct handed *handed; /* owned */
	size_t n;
};

static bool has_manager(void)
{
	const char *socket = getenv("NOTIFY_SOCKET"), *most = getenv("FDSTORE");

	/* Since systemd 254 the service is told how many there may be. */
	return socket && *socket && !(most && strcmp(most, "0") == 0);
}

static void free_names(char **names, size_t n)
{
	for (size_t i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
}

int fd_store_new(struct fd_store **ret)
{
	_cleanup_(fd_store_freep) struct fd_store *s = calloc(1, sizeof(*s));
	char **names = NULL;
	int n;

	if (!s)
		return -ENOMEM;
	s->keeps = has_manager();
	n = sd_listen_fds_with_names(1, &names);
	if (n < 0) {
		log_debug_errno(n, "what the service manager has handed over is not understood");
		n = 0;
	}
	s->handed = calloc((size_t)n + 1, sizeof(*s->handed));
	if (!s->handed) {
		free_names(names, (size_t)n);
		return -ENOMEM;
	}
	for (int i = 0; i < n; i++)
		s->handed[s->n++] = (struct handed){
			.name = names ? TAKE_PTR(names[i]) : NULL,
			.fd = SD_LISTEN_FDS_START + i,
		};
	free(names);
	*ret = TAKE_PTR(s);
	return 0;
}

struct fd_store *fd_store_free(struct fd_store *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++) {
		free(s->handed[i].name);
		close_fd(s->handed[i].fd);
	}
	free(s->handed);
	free(s);
	return NULL;
}

void fd_store_close_rest(struct fd_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct handed *h = &s->handed[i];

		if (h->fd < 0)
			continue;
		log_warning(
			"closed the descriptor named '%s' from the service manager: nothing here "
			"takes it",
			h->name ? h->name : "");
		h->fd = close_fd(h->fd);
	}
}

bool fd_store_keeps(const struct fd_store *s)
{
	return s->keeps;
}

static bool begins_with(const struct handed *h, const char *prefix)
{
	return h->fd >= 0 && h->name && strncmp(h->name, prefix, strlen(prefix)) == 0;
}

static struct handed *find(const struct fd_store *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (begins_with(&s->handed[i], name) && strlen(s->handed[i].name) == strlen(name))
			return &s->handed[i];
	return NULL;
}

int fd_store_take(struct fd_store *s, const char *name)
{
	struct handed *h = find(s, name);

	return h ? TAKE_FD(h->fd) : -ENOENT;
}

bool fd_store_has(const struct fd_store *s, const char *name)
{
	return find(s, name);
}

bool fd_store_has_any(const struct fd_store *s, const char *prefix)
{
	for (size_t i = 0; i < s->n; i++)
		if (begins_with(&s->handed[i], prefix))
			return true;
	return false;
}

int fd_store_put(struct fd_store *s, const char *name, int fd)
{
	char text[300];
	int n, r;

	if (!s->keeps)
		return -EOPNOTSUPP;
	/* Not polled: maps say of themselves that they have an error, and would be dropped. */
	n = snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENAMETOOLONG;
	r = sd_pid_notify_with_fds(0, 0, text, &fd, 1);
	return r < 0 ? r : 0;
}

int fd_store_drop(struct fd_store *s, const char *name)
{
	char text[300];
	int n, r;

	if (!s->keeps)
		return -EOPNOTSUPP;
	n = snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENAMETOOLONG;
	r = sd_notify(0, text);
	return r < 0 ? r : 0;
}

void fd_store_drop_all(struct fd_store *s, const char *prefix)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!begins_with(&s->handed[i], prefix))
			continue;
		if (fd_store_drop(s, s->handed[i].name) < 0)
			log_debug("failed to remove %s from the store, ignoring",
				  s->handed[i].name);
		s->handed[i].fd = close_fd(s->handed[i].fd);
	}
}
