// SPDX-License-Identifier: GPL-2.0-or-later
/* The names that were found. See names.h. */
#include "symbolize/names.h"

#include <string.h>

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((element)->failed = true)
#include <uthash.h>

#include "../bpf/abi.h"
#include "base/utf8.h"

/* A list with its frames behind it; functions and files of the frames are owned. */
struct name_list {
	struct name_list *replaced; /* owned; what was handed out before */
	struct frame_list list;
	bool borrows; /* functions and files are somebody else's */
	struct frame frames[];
};

struct entry {
	uint64_t frame;
	struct name_list *names; /* owned */
	bool provisional;
	bool failed; /* could not be put into the hash */
	UT_hash_handle hh;
};

struct names {
	struct entry *entries; /* hash */
};

static void name_list_free(struct name_list *l)
{
	while (l) {
		struct name_list *next = l->replaced;

		for (size_t i = 0; i < l->list.n && !l->borrows; i++) {
			free((char *)l->frames[i].function);
			free((char *)l->frames[i].file);
		}
		free(l);
		l = next;
	}
}

struct names *names_new(void)
{
	return calloc(1, sizeof(struct names));
}

struct names *names_free(struct names *names)
{
	struct entry *e, *next;

	if (!names)
		return NULL;
	HASH_ITER(hh, names->entries, e, next) {
		HASH_DEL(names->entries, e);
		name_list_free(e->names);
		free(e);
	}
	free(names);
	return NULL;
}

static struct entry *find_entry(struct names *names, uint64_t frame)
{
	struct entry *e = NULL;

	HASH_FIND(hh, names->entries, &frame, sizeof(frame), e);
	return e;
}

const struct frame_list *names_find(struct names *names, uint64_t frame)
{
	const struct entry *e = find_entry(names, frame);

	return e ? &e->names->list : NULL;
}

bool names_is_final(struct names *names, uint64_t frame)
{
	const struct entry *e = find_entry(names, frame);

	return e && !e->provisional;
}

/* Puts a list into the table; takes it over, also on failure. */
static int put(struct names *names, uint64_t frame, struct name_list *l, bool provisional)
{
	struct entry *e = find_entry(names, frame);

	if (e) {
		l->replaced = e->names;
		e->names = l;
		e->provisional = provisional;
		return 0;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		name_list_free(l);
		return -ENOMEM;
	}
	e->frame = frame;
	e->names = l;
	e->provisional = provisional;
	HASH_ADD(hh, names->entries, frame, sizeof(e->frame), e);
	if (e->failed) {
		name_list_free(l);
		free(e);
		return -ENOMEM;
	}
	return 0;
}

static struct name_list *name_list_new(const struct frame *frames, size_t n)
{
	struct name_list *l = calloc(1, sizeof(*l) + n * sizeof(*frames));

	if (!l)
		return NULL;
	memcpy(l->frames, frames, n * sizeof(*frames));
	l->list = (struct frame_list){ .frames = l->frames, .n = n };
	return l;
}

int names_add_unknown(struct names *names, uint64_t frame, const struct names_file *file,
		      bool provisional)
{
	const struct frame unknown = {
		.kind = FRAME_NATIVE,
		.module = file->module,
		.build_id = file->build_id,
		.offset = frame & FRAME_OFFSET_MASK,
		.approximate = true,
	};
	struct entry *e = find_entry(names, frame);
	struct name_list *l;

	if (e) {
		e->provisional = e->provisional && provisional;
		return 0;
	}
	l = name_list_new(&unknown, 1);
	return l ? put(names, frame, l, provisional) : -ENOMEM;
}

int names_add_frame(struct names *names, uint64_t frame, const struct frame *named,
		    bool provisional)
{
	struct name_list *l = name_list_new(named, 1);

	if (!l)
		return -ENOMEM;
	l->borrows = true;
	return put(names, frame, l, provisional);
}

void names_builder_reset(struct names_builder *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free((char *)b->frames[i].function);
		free((char *)b->frames[i].file);
	}
	b->n = 0;
}

int names_builder_add(struct names_builder *b, const struct name_answer *answer,
		      const uint8_t *text, size_t size)
{
	_cleanup_free_ char *function = NULL, *file = NULL;
	struct frame *frame;
	int r;

	if (b->n >= INLINE_DEPTH_MAX || answer->function_bytes > TEXT_BYTES_MAX ||
	    answer->file_bytes > TEXT_BYTES_MAX ||
	    size != (size_t)answer->function_bytes + answer->file_bytes)
		return -EBADMSG;
	if (answer->function_bytes > 0) {
		r = utf8_sanitize((const char *)text, answer->function_bytes, &function);
		if (r < 0)
			return r;
	}
	if (answer->file_bytes > 0) {
		r = utf8_sanitize((const char *)text + answer->function_bytes, answer->file_bytes,
				  &file);
		if (r < 0)
			return r;
	}
	frame = &b->frames[b->n++];
	*frame = (struct frame){
		.kind = answer->flags & NAME_INLINED ? FRAME_INLINED : FRAME_NATIVE,
		.line = file ? answer->line : 0,
		.approximate = !function || answer->flags & NAME_APPROXIMATE,
	};
	frame->function = TAKE_PTR(function);
	frame->file = TAKE_PTR(file);
	return 0;
}

int names_add(struct names *names, uint64_t frame, const struct names_file *file,
	      struct names_builder *b)
{
	struct name_list *l;

	for (size_t i = 0; i < b->n; i++) {
		b->frames[i].module = file->module;
		b->frames[i].build_id = file->build_id;
		b->frames[i].offset = frame & FRAME_OFFSET_MASK;
	}
	l = name_list_new(b->frames, b->n);
	if (!l) {
		names_builder_reset(b);
		return -ENOMEM;
	}
	b->n = 0;
	return put(names, frame, l, false);
}
