// SPDX-License-Identifier: GPL-2.0-or-later
/* Resource limits of this process. */
#include "base/limits.h"

#include <errno.h>

int limits_raise_descriptors(struct rlimit *ret_old)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (ret_old)
		*ret_old = limit;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}
