// SPDX-License-Identifier: GPL-2.0-or-later
/* Capabilities that the daemon keeps. See privileges.h. */
#include "daemon/privileges.h"

#include <errno.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "base/cleanup.h"

/* Of each capability the privilege that it belongs to; 0: always kept. Others are never kept. */
static const struct kept {
	cap_value_t capability;
	unsigned privilege;
} kept[] = {
	{ CAP_BPF, 0 },
	{ CAP_PERFMON, 0 },
	{ CAP_SYS_PTRACE, 0 },
	{ CAP_DAC_READ_SEARCH, 0 },
	{ CAP_CHECKPOINT_RESTORE, 0 },
	{ CAP_SYS_ADMIN, PRIVILEGE_PERF_UPROBES },
	{ CAP_SETUID, PRIVILEGE_COMMANDS },
	{ CAP_SETGID, PRIVILEGE_COMMANDS },
	{ CAP_KILL, PRIVILEGE_COMMANDS },
	{ CAP_CHOWN, PRIVILEGE_OWN_SOCKET },
	{ CAP_SETPCAP, PRIVILEGE_OWN_SOCKET },
};

static void *caps_free(void *caps)
{
	int saved = errno;

	(void)cap_free(caps);
	errno = saved;
	return NULL;
}
DEFINE_CLEANUP(cap_t, caps_free)

static bool is_kept(cap_value_t capability, unsigned privileges)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i].capability == capability)
			return (kept[i].privilege & ~privileges) == 0;
	return false;
}

/* Before the others: it needs CAP_SETPCAP, which a service may well not have. */
static int drop_bounding(unsigned privileges)
{
	for (cap_value_t c = 0; cap_get_bound(c) >= 0; c++)
		if (!is_kept(c, privileges) && cap_drop_bound(c) < 0 && errno != EPERM)
			return -errno;
	return 0;
}

/* What is not there already cannot be had: the intersection is asked for. */
static int copy_kept(cap_t from, cap_t to, unsigned privileges)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		cap_flag_value_t is_set = CAP_CLEAR;

		if (!is_kept(kept[i].capability, privileges))
			continue;
		if (cap_get_flag(from, kept[i].capability, CAP_PERMITTED, &is_set) < 0)
			return -errno;
		if (is_set != CAP_SET)
			continue;
		if (cap_set_flag(to, CAP_PERMITTED, 1, &kept[i].capability, CAP_SET) < 0 ||
		    cap_set_flag(to, CAP_EFFECTIVE, 1, &kept[i].capability, CAP_SET) < 0)
			return -errno;
	}
	return 0;
}

int privileges_keep(unsigned privileges)
{
	_cleanup_(caps_freep) cap_t have = cap_get_proc();
	_cleanup_(caps_freep) cap_t keep = cap_init();
	int r;

	if (!have || !keep)
		return -ENOMEM;
	r = drop_bounding(privileges);
	if (r == 0)
		r = copy_kept(have, keep, privileges);
	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (cap_set_proc(keep) < 0)
		return -errno;
	/* Else whatever root executes has all of the bounding set again. */
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

bool privileges_have(unsigned privileges)
{
	_cleanup_(caps_freep) cap_t have = cap_get_proc();

	if (!have)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		cap_flag_value_t is_set = CAP_CLEAR;

		if (!(kept[i].privilege & privileges))
			continue;
		if (cap_get_flag(have, kept[i].capability, CAP_EFFECTIVE, &is_set) < 0 ||
		    is_set != CAP_SET)
			return false;
	}
	return true;
}
