/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resource limits of this process.
 */
#ifndef SEEP_BASE_LIMITS_H
#define SEEP_BASE_LIMITS_H

#include <sys/resource.h>

/*
 * Raises the soft limit of open files to the hard one: each file that targets map costs a
 * descriptor. *ret_old, if wanted, is what it was, for children that shall not inherit the change.
 */
int limits_raise_descriptors(struct rlimit *ret_old);

#endif
