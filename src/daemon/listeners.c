// SPDX-License-Identifier: GPL-2.0-or-later
/* Where clients connect. See listeners.h. */
#include "daemon/listeners.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd_store.h"
#include "base/log.h"
#include "serve/server.h"

/* A socket in a folder that systemd would have made; /run is empty after each boot. */
static int make_socket_folder(const char *socket_path)
{
	_cleanup_free_ char *folder = strdup(socket_path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* By the name that a unit gives it, else by that which it has without FileDescriptorName=. */
static int take(struct fd_store *store, const char *name, const char *unit)
{
	int fd = fd_store_take(store, name);

	if (fd < 0)
		fd = fd_store_take(store, unit);
	return fd < 0 ? 0 : fd;
}

/* A group that was asked for is there; the usual one may not be. */
static gid_t find_group(const char *name)
{
	const struct group *group = getgrnam(name ?: DEFAULT_GROUP);

	return group ? group->gr_gid : SERVER_NO_GROUP;
}

static const char *socket_path(const struct seepd_options *o)
{
	const char *path = o->socket_path ?: getenv("SEEP_SOCKET");

	return path && *path ? path : DEFAULT_SOCKET;
}

/* One file has one group: others come in by its mode, and are told apart by who they are. */
static mode_t socket_mode(const struct server_options *o, bool others)
{
	bool is_one = o->read_gid == o->gid && o->detail_gid == o->gid;

	return others || !is_one ? 0666 : 0660;
}

int listeners_start(struct event_base *base, struct monitor *m, const struct seepd_options *o,
		    struct fd_store *store, struct server **ret)
{
	struct server_options options = {
		.socket_path = socket_path(o),
		.socket_fd = take(store, "api", "seepd.socket"),
		.http_fd = take(store, "http", "seepd-http.socket"),
		.http = o->http,
		.gid = find_group(o->operate_group),
		.read_gid = find_group(o->read_group),
		.detail_gid = find_group(o->detail_group),
	};
	const char *http = options.http_fd ? "the socket of seepd-http.socket" : o->http;
	int r = 0;

	options.mode = socket_mode(&options, o->others);
	if (!options.socket_fd)
		r = make_socket_folder(options.socket_path);
	if (r == 0)
		r = server_new(base, m, &options, ret);
	if (r < 0)
		return log_error_errno(r, "failed to listen on %s%s%s",
				       options.socket_fd ? "the socket of seepd.socket" :
							   options.socket_path,
				       http ? " and " : "", http ?: "");
	log_info("listening on %s%s%s", options.socket_path, http ? " and " : "", http ?: "");
	return 0;
}
