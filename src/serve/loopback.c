// SPDX-License-Identifier: GPL-2.0-or-later
/* The loopback listener. See loopback.h. */
#include "serve/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define HOST_BYTES_MAX 255

static bool is_loopback(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;

	if (a->ss_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	return a->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* A host without brackets. -EINVAL: neither an address nor localhost. */
static int parse_host(const char *host, bool is_six, struct sockaddr_storage *ret)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };

	memset(ret, 0, sizeof(*ret));
	if (is_six) {
		if (inet_pton(AF_INET6, host, &six.sin6_addr) != 1)
			return -EINVAL;
		memcpy(ret, &six, sizeof(six));
		return 0;
	}
	if (inet_pton(AF_INET, strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host,
		      &four.sin_addr) != 1)
		return -EINVAL;
	memcpy(ret, &four, sizeof(four));
	return 0;
}

/* "HOST", "HOST:PORT", "[SIX]", "[SIX]:PORT". *ret_port is NULL without one, else part of @text. */
static int parse_authority(const char *text, struct sockaddr_storage *ret, const char **ret_port)
{
	bool is_six = text[0] == '[';
	size_t n = strcspn(is_six ? ++text : text, is_six ? "]" : ":");
	const char *after = text + n;
	char host[HOST_BYTES_MAX + 1];

	if (n > HOST_BYTES_MAX || (is_six && *after++ != ']'))
		return -EINVAL;
	if (*after && *after != ':')
		return -EINVAL;
	*ret_port = *after ? after + 1 : NULL;
	memcpy(host, text, n);
	host[n] = '\0';
	return parse_host(host, is_six, ret);
}

int loopback_parse(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_storage address;
	const char *digits;
	uint64_t port;
	int r;

	r = parse_authority(text, &address, &digits);
	if (r < 0)
		return r;
	if (!digits || parse_u64_range(digits, 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	if (!is_loopback(&address))
		return -EACCES;
	/* The port is at the same place in both. */
	((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
	*ret = address;
	return 0;
}

int loopback_listen(const char *text, int backlog, int *ret_fd)
{
	_cleanup_close_ int fd = -EBADF;
	struct sockaddr_storage address;
	socklen_t bytes;
	int one = 1, r;

	r = loopback_parse(text, &address);
	if (r < 0)
		return r;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	bytes = address.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
					       sizeof(struct sockaddr_in6);
	if (bind(fd, (const struct sockaddr *)&address, bytes) < 0 || listen(fd, backlog) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int loopback_check(int fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t bytes = sizeof(address), n = sizeof(int);
	int is_listening = 0, type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0)
		return -errno;
	n = sizeof(is_listening);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &n) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &bytes) < 0)
		return -errno;
	if (type != SOCK_STREAM || !is_listening)
		return -EINVAL;
	return is_loopback(&address) ? 0 : -EACCES;
}

/* A port that is none is no reason to trust the host before it. */
static bool is_own_authority(const char *text)
{
	struct sockaddr_storage address;
	const char *digits;
	uint64_t port;

	if (parse_authority(text, &address, &digits) < 0 || !is_loopback(&address))
		return false;
	return !digits || parse_u64_range(digits, 0, UINT16_MAX, &port) == 0;
}

bool loopback_is_host(const char *host)
{
	return host && is_own_authority(host);
}

bool loopback_is_origin(const char *origin)
{
	static const char *const schemes[] = { "http://", "https://" };

	if (!origin)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (strncasecmp(origin, schemes[i], strlen(schemes[i])) == 0)
			return is_own_authority(origin + strlen(schemes[i]));
	return false;
}
