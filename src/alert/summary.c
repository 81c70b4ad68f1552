// SPDX-License-Identifier: GPL-2.0-or-later
/* An alert in one line. See sentences.h. */
#include "alert/sentences.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "heap/ids.h"

/* "8,210 blocks", or objects where these are Python's. */
struct words sentences_things(const struct alert *a, double n)
{
	struct words w = words_count(n);
	size_t length = strlen(w.text);

	if (!a->python)
		return words_blocks(n);
	(void)snprintf(w.text + length, sizeof(w.text) - length, " %s",
		       strcmp(w.text, "1") == 0 ? "object" : "objects");
	return w;
}

static const char *claim(const struct alert *a)
{
	switch (a->state) {
	case TREND_SUSPECT:
		return "possible leak";
	case TREND_EXHAUSTION:
		return "memory runs out";
	case TREND_STOPPED:
		return "leak that has stopped";
	case TREND_RESOLVED:
		return "leak that was freed";
	case TREND_QUIET:
		return "no leak";
	case TREND_LEAKING:
	case TREND_CLOSED:
		return "leak";
	}
	return "leak";
}

/* What it is that leaks, and who holds it: "_asyncio.Task of Hub.audit (story.py:16), held by app._tasks". */
static int python_summary(const struct alert *a, char **ret)
{
	const struct trend_evidence *e = &a->evidence;
	const char *holder = a->python->n_held_by ? a->python->held_by[0].path : NULL;
	_cleanup_free_ char *name = NULL, *text = NULL;

	if (alert_python_name(a->python, &name) < 0)
		return -ENOMEM;
	if (asprintf(&text, "%s in %s: %s in %s%s%s, %s%s%s", claim(a),
		     a->service ? a->service : a->comm, words_bytes(e->leaked_bytes).text,
		     sentences_things(a, e->leaked_blocks).text, alert_is_growing(a) ? ", +" : "",
		     alert_is_growing(a) ?
			     words_rate(alert_bytes_per_hour(a, e->bytes_per_tick)).text :
			     "",
		     name, holder ? ", held by " : "", holder ? holder : "") < 0) {
		text = NULL; /* asprintf() leaves it undefined on failure */
		return -ENOMEM;
	}
	return utf8_sanitize(text, strlen(text), ret);
}

int sentences_summary(const struct alert *a, char **ret)
{
	const struct trend_evidence *e = &a->evidence;
	const struct frame *line = alert_line(a);
	const char *module = line ? path_base_name(line->module) : NULL;
	const char *function = line ? line->function : NULL;
	_cleanup_free_ char *text = NULL;
	int n;

	if (a->python)
		return python_summary(a, ret);
	n = asprintf(&text, "%s in %s: %s in %s%s%s%s%s%s%s%s", claim(a),
		     a->service ? a->service : a->comm, words_bytes(e->leaked_bytes).text,
		     words_blocks(e->leaked_blocks).text, alert_is_growing(a) ? ", +" : "",
		     alert_is_growing(a) ?
			     words_rate(alert_bytes_per_hour(a, e->bytes_per_tick)).text :
			     "",
		     function || module ? ", " : "", function ? function : "",
		     function && module ? " (" : "", module ? module : "",
		     function && module ? ")" : "");
	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return utf8_sanitize(text, strlen(text), ret);
}
