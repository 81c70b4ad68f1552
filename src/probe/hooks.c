// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hook table: glibc's malloc family, and the function that the dynamic linker calls for debuggers
 * before and after it maps or unmaps libraries.
 *
 * Names that a library lacks are skipped, so that one table serves every version: cfree went with
 * glibc 2.26, free_sized and free_aligned_sized came with C23.
 */
#include "probe/hooks.h"

const char *const hook_names[] = {
	"malloc",
	"calloc",
	"realloc",
	"reallocarray",
	"posix_memalign",
	"aligned_alloc",
	"memalign",
	"valloc",
	"pvalloc",
	"free",
	"cfree",
	"free_sized",
	"free_aligned_sized",
	"_dl_debug_state",
};

const struct hook hooks[] = {
	{ HOOK_MALLOC, true },	      { HOOK_CALLOC, false },	      { HOOK_REALLOC, false },
	{ HOOK_REALLOCARRAY, false }, { HOOK_POSIX_MEMALIGN, false }, { HOOK_ALIGNED, false },
	{ HOOK_ALIGNED, false },      { HOOK_MALLOC, false },	      { HOOK_MALLOC, false },
	{ HOOK_FREE, false },	      { HOOK_FREE, false },	      { HOOK_FREE, false },
	{ HOOK_FREE, false },	      { HOOK_LINK_MAP, false },
};

const size_t n_hooks = sizeof(hooks) / sizeof(hooks[0]);

_Static_assert(sizeof(hooks) / sizeof(hooks[0]) == sizeof(hook_names) / sizeof(hook_names[0]),
	       "each hook has a name");
