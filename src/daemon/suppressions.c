// SPDX-License-Identifier: GPL-2.0-or-later
/* The file of leaks that nobody wants to hear of. See suppressions.h. */
#include "daemon/suppressions.h"

#include <errno.h>
#include <string.h>

#include "alert/book.h"
#include "alert/suppressions.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/problems.h"
#include "daemon/whole_file.h"

#define BYTES_MAX (1u << 20)

int suppressions_load(struct alert_book *b, const char *path)
{
	_cleanup_free_ char *text = NULL;
	const char *why = NULL;
	unsigned line = 0;
	size_t n = 0;
	int r;

	r = path ? whole_file_read(path, BYTES_MAX, &text, &n) : 0;
	if (r < 0)
		return log_error_errno(r, "failed to read %s", path);
	r = alert_book_set_suppressions(b, text ? text : "", n, &line, &why);
	if (r == -EINVAL)
		log_error("%s:%u: %s", path, line, why ?: "not understood");
	else if (r < 0)
		(void)log_error_errno(r, "failed to take %s", path ?: "no suppressions");
	return r;
}

int suppressions_check(const char *path, struct problems *problems)
{
	_cleanup_(suppressions_freep) struct suppressions *parsed = NULL;
	_cleanup_free_ char *text = NULL;
	const char *why = NULL;
	unsigned line = 0;
	size_t n = 0;
	int r;

	r = whole_file_read(path, BYTES_MAX, &text, &n);
	if (r < 0 && r != -ENOMEM) {
		problems_add(problems, path, 0, "cannot be read: %s", strerror(-r));
		return 0;
	}
	if (r == 0)
		r = suppressions_parse(text, n, &parsed, &line, &why);
	if (r == -EINVAL) {
		problems_add(problems, path, line, "%s", why ?: "not understood");
		return 0;
	}
	return r;
}
