// SPDX-License-Identifier: GPL-2.0-or-later
/* Suppression files. */
#include <stdint.h>
#include <stdlib.h>

#include "alert/suppressions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct frame frames[] = {
		{ .function = "handle_request",
		  .file = "src/server.c",
		  .module = "/usr/bin/server" },
		{ .function = NULL, .file = NULL, .module = NULL },
	};
	_cleanup_(suppressions_freep) struct suppressions *s = NULL;
	const char *why = NULL;
	unsigned int line = 0;
	int r = suppressions_parse((const char *)data, size, &s, &line, &why);

	if (r < 0 && (!why || !line))
		abort(); /* an error that says nothing */
	if (r == 0)
		(void)suppressions_find(s, frames, 2);
	return 0;
}
