// SPDX-License-Identifier: GPL-2.0-or-later
/* Query strings, selectors and numbers, as people and programs write them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "serve/query.h"
#include "target/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct selector *selector = NULL;
	struct query q = { .n = 0 };
	const char *why = NULL;

	if (!text)
		abort();
	if (query_parse(text, &q, &why) < 0 && !why)
		abort(); /* an error without a reason */
	query_done(&q);
	if (selector_parse(text, &selector, &why) == 0)
		selector_free(selector);
	free(text);
	return 0;
}
