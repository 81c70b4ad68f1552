// SPDX-License-Identifier: GPL-2.0-or-later
/* Events in the journal. See journal.h. */
#include "alert/journal.h"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "alert/sentences.h"
#include "base/words.h"
#include "base/log.h"
#include "base/utf8.h"

#define FIELDS_MAX 32

static const char *const message_ids[] = {
	[ALERT_SUSPECTED] = "191c062e619c447e92bacece73c98998",
	[ALERT_CLEARED] = "f004cd033f8942c1b2f6d325fd9e0549",
	[ALERT_OPENED] = "3bd5c2d27ad54c96aee3911fedd03199",
	[ALERT_GREW] = "cc843a9d42e948908c0cc92192bec813",
	[ALERT_STOPPED] = "9080d0a3fcb441d198dec99c8d810407",
	[ALERT_RESUMED] = "a67ce7cb665346ec98bc12010f2f1bca",
	[ALERT_RESOLVED] = "e682337b4aa14e9b88a824b18f8079c3",
	[ALERT_CLOSED] = "19339f1e2e1d4a60adae87f638812090",
	[ALERT_ACKNOWLEDGED] = "2eb6fd0993454a64bf9f49fc68f6bd2c",
	[ALERT_SUPPRESSED] = "9e443255144a4e04b27178da611a986b",
	[ALERT_MARKED] = "0eda517d9ab047729855ba5c1741c2c3",
};

/* The fields of an entry, owned; after a failure nothing is added. */
struct fields {
	struct iovec at[FIELDS_MAX];
	int n;
	int r;
};

static void free_fields(struct fields *f)
{
	for (int i = 0; i < f->n; i++)
		free(f->at[i].iov_base);
}

const char *journal_message_id(enum alert_event event)
{
	return message_ids[event];
}

int journal_priority(enum alert_event event, const struct alert *a)
{
	static const int priorities[] = {
		[TREND_LOW] = LOG_NOTICE,
		[TREND_MEDIUM] = LOG_WARNING,
		[TREND_HIGH] = LOG_ERR,
		[TREND_CRITICAL] = LOG_CRIT,
	};

	switch (event) {
	case ALERT_OPENED:
	case ALERT_GREW:
	case ALERT_RESUMED:
		return priorities[a->severity];
	case ALERT_STOPPED:
	case ALERT_RESOLVED:
	case ALERT_CLOSED:
		return LOG_NOTICE;
	case ALERT_SUSPECTED:
	case ALERT_CLEARED:
	case ALERT_ACKNOWLEDGED:
	case ALERT_SUPPRESSED:
	case ALERT_MARKED:
		return LOG_INFO;
	}
	return LOG_INFO;
}

/* What stands before the summary. */
static const char *preface(enum alert_event event, const struct alert *a)
{
	switch (event) {
	case ALERT_GREW:
		return "grew: ";
	case ALERT_RESUMED:
		return "goes on: ";
	case ALERT_CLOSED:
		return "gone with its process: ";
	case ALERT_ACKNOWLEDGED:
		return a->is_acknowledged ? "acknowledged: " : "not acknowledged any more: ";
	case ALERT_SUPPRESSED:
		return a->suppressed_by ? "suppressed: " : "not suppressed any more: ";
	case ALERT_MARKED:
		return a->mark == ALERT_TRUE  ? "marked as a leak: " :
		       a->mark == ALERT_FALSE ? "marked as no leak: " :
						"mark taken back: ";
	case ALERT_SUSPECTED:
	case ALERT_CLEARED:
	case ALERT_OPENED:
	case ALERT_STOPPED:
	case ALERT_RESOLVED:
		return "";
	}
	return "";
}

static bool nears_limit(const struct alert *a)
{
	return alert_is_growing(a) && a->evidence.channel != TREND_BY_NONE &&
	       isfinite(a->evidence.ticks_to_limit) && a->evidence.ticks_to_limit > 0;
}

static int make_message(enum alert_event event, const struct alert *a, char **ret)
{
	_cleanup_free_ char *summary = NULL;
	struct words left = words_duration(alert_seconds(a, a->evidence.ticks_to_limit));
	int r;

	r = sentences_summary(a, &summary);
	if (r < 0)
		return r;
	if (asprintf(ret, "%s%s%s%s", preface(event, a), summary,
		     nears_limit(a) ? ", memory limit in " : "",
		     nears_limit(a) ? left.text : "") < 0)
		return -ENOMEM;
	return 0;
}

__attribute__((format(printf, 2, 3))) static void add(struct fields *f, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	if (f->r < 0)
		return;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0 || f->n == FIELDS_MAX) {
		if (n >= 0)
			free(text);
		f->r = -ENOMEM;
		return;
	}
	f->at[f->n++] = (struct iovec){ .iov_base = text, .iov_len = (size_t)n };
}

/* A text that comes from a target; none is no field. */
static void add_text(struct fields *f, const char *name, const char *text)
{
	_cleanup_free_ char *printable = NULL;

	if (f->r < 0 || !text || !*text)
		return;
	f->r = utf8_sanitize(text, strlen(text), &printable);
	if (f->r == 0)
		add(f, "%s=%s", name, printable);
}

/* "#1  session_open (session.c:42) /usr/lib/libserver.so.1+0x1234", a line for each frame. */
static int make_stack(const struct alert *a, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	bool failed;

	if (!stream)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_frames && i < ALERT_FRAMES_MAX; i++) {
		const struct frame *frame = &a->frames[i];
		_cleanup_free_ char *line = NULL, *printable = NULL;
		char at[16] = "";

		if (frame->line > 0)
			(void)snprintf(at, sizeof(at), ":%" PRIu32, frame->line);
		if (asprintf(&line, "#%zu  %s (%s%s) %s+0x%" PRIx64, i,
			     frame->function ? frame->function : "?",
			     frame->file ? frame->file : "?", at,
			     frame->module ? frame->module : "?", frame->offset) < 0)
			line = NULL;
		if (line && utf8_sanitize(line, strlen(line), &printable) == 0)
			(void)fprintf(stream, "%s%s", i > 0 ? "\n" : "", printable);
	}
	failed = ferror(stream);
	if (fclose(stream) != 0 || failed)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	return 0;
}

static int make_evidence(const struct alert *a, char **ret)
{
	_cleanup_free_ char *text = NULL;
	json_auto_t *sentences = NULL;
	size_t size = 0;
	FILE *stream;
	bool failed;
	int r;

	r = sentences_evidence(a, &sentences);
	if (r < 0)
		return r;
	stream = open_memstream(&text, &size);
	if (!stream)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(sentences); i++)
		(void)fprintf(stream, "%s%s", i > 0 ? "\n" : "",
			      json_string_value(json_array_get(sentences, i)));
	failed = ferror(stream);
	if (fclose(stream) != 0 || failed)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	return 0;
}

static void add_leak(struct fields *f, enum alert_event event, const struct alert *a)
{
	const struct trend_evidence *e = &a->evidence;

	add(f, "SEEP_EVENT=%s", alert_event_name(event));
	add(f, "SEEP_LEAK_ID=%016" PRIx64, a->id);
	add_text(f, "SEEP_SERVICE", a->service);
	add_text(f, "SEEP_TARGET", a->target ? a->target_id : NULL);
	add(f, "SEEP_STATE=%s", alert_state_name(a->state));
	add(f, "SEEP_SEVERITY=%s", alert_severity_name(a->severity));
	add(f, "SEEP_CONFIDENCE=%.3f", e->confidence);
	add(f, "SEEP_LEAKED_BYTES=%.0f", e->leaked_bytes);
	add(f, "SEEP_LEAKED_BLOCKS=%.0f", e->leaked_blocks);
	add(f, "SEEP_BYTES_PER_HOUR=%.0f", alert_bytes_per_hour(a, e->bytes_per_tick));
	if (nears_limit(a))
		add(f, "SEEP_SECONDS_TO_LIMIT=%.0f", alert_seconds(a, e->ticks_to_limit));
}

/* Of Python objects: the type, its first line and its first holder. */
static void add_python(struct fields *f, const struct alert_python *p)
{
	const struct alert_line *line = p && p->n_created_at ? &p->created_at[0] : NULL;

	if (!p)
		return;
	add_text(f, "SEEP_TYPE", p->type);
	if (p->n_held_by)
		add_text(f, "SEEP_HELD_BY", p->held_by[0].path);
	/* Where no line is known that makes them, the code that they run. */
	add_text(f, "SEEP_FUNCTION", line ? line->function : p->function);
	add_text(f, "SEEP_FILE", line ? line->file : p->file);
	if (line ? line->line : p->line)
		add(f, "SEEP_LINE=%" PRIu32, line ? line->line : p->line);
}

static void add_place(struct fields *f, const struct alert *a)
{
	const struct frame *line = alert_line(a);
	_cleanup_free_ char *stack = NULL, *evidence = NULL, *disproof = NULL;

	if (line) {
		add_text(f, "SEEP_FUNCTION", line->function);
		add_text(f, "SEEP_FILE", line->file);
		if (line->line > 0)
			add(f, "SEEP_LINE=%" PRIu32, line->line);
		add_text(f, "SEEP_MODULE", line->module);
		add_text(f, "SEEP_BUILD_ID", line->build_id);
	}
	add_python(f, a->python);
	if (f->r == 0)
		f->r = make_stack(a, &stack);
	if (f->r == 0)
		f->r = make_evidence(a, &evidence);
	if (f->r == 0)
		f->r = sentences_disproof(a, &disproof);
	if (f->r < 0)
		return;
	if (*stack)
		add(f, "SEEP_STACK=%s", stack);
	if (*evidence)
		add(f, "SEEP_EVIDENCE=%s", evidence);
	add_text(f, "SEEP_WOULD_DISPROVE", disproof);
}

/*
 * The journal adds the unit and more of OBJECT_PID's process. Of one that is gone it would be those of
 * whoever has its number now; then the unit is all that can be said.
 */
static void add_object(struct fields *f, const struct alert *a)
{
	if (a->target && a->pid > 0)
		add(f, "OBJECT_PID=%d", (int)a->pid);
	else
		add_text(f, "OBJECT_SYSTEMD_UNIT", a->unit);
}

static int send_entry(enum alert_event event, const struct alert *a, const char *message)
{
	struct fields f = { .n = 0 };
	int r;

	add(&f, "MESSAGE=%s", message);
	add(&f, "MESSAGE_ID=%s", journal_message_id(event));
	add(&f, "PRIORITY=%d", journal_priority(event, a));
	add_object(&f, a);
	add_leak(&f, event, a);
	add_place(&f, a);
	r = f.r;
	if (r == 0)
		r = sd_journal_sendv(f.at, f.n);
	free_fields(&f);
	return r;
}

int journal_write(enum alert_event event, const struct alert *a)
{
	_cleanup_free_ char *message = NULL;
	int r;

	if (event == ALERT_SUSPECTED || event == ALERT_CLEARED)
		return 0;
	r = make_message(event, a, &message);
	if (r < 0)
		return r;
	/* Without its socket libsystemd drops entries without a word. */
	r = access(JOURNAL_SOCKET, F_OK) < 0 ? -ENOENT : send_entry(event, a, message);
	if (r < 0)
		log_message(journal_priority(event, a), "%s", message);
	return r == -ENOENT ? 0 : r;
}
