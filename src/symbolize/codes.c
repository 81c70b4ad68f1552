// SPDX-License-Identifier: GPL-2.0-or-later
/* The Python codes that frames name by number. See codes.h. */
#include "symbolize/codes.h"

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((element)->failed = true)
#include <uthash.h>

#include "../bpf/abi.h"

struct entry {
	uint32_t id;
	bool failed;		  /* could not be put into the hash */
	struct python_code *code; /* owned */
	UT_hash_handle hh;
};

struct codes {
	struct entry *entries; /* hash */
};

struct codes *codes_new(void)
{
	return calloc(1, sizeof(struct codes));
}

struct codes *codes_free(struct codes *codes)
{
	struct entry *e, *next;

	if (!codes)
		return NULL;
	HASH_ITER(hh, codes->entries, e, next) {
		HASH_DEL(codes->entries, e);
		(void)python_code_free(e->code);
		free(e);
	}
	free(codes);
	return NULL;
}

static struct entry *find_entry(const struct codes *codes, uint32_t id)
{
	struct entry *e = NULL;

	HASH_FIND(hh, codes->entries, &id, sizeof(id), e);
	return e;
}

int codes_add(struct codes *codes, uint32_t id, struct python_code *code)
{
	_cleanup_(python_code_freep) struct python_code *owned = code;
	struct entry *e;

	if (find_entry(codes, id))
		return -EEXIST;
	if (HASH_COUNT(codes->entries) >= CODES_MAX)
		return -ENOSPC;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->id = id;
	e->code = owned;
	HASH_ADD(hh, codes->entries, id, sizeof(e->id), e);
	if (e->failed) {
		free(e);
		return -ENOMEM;
	}
	owned = NULL;
	return 0;
}

size_t codes_count(const struct codes *codes)
{
	return HASH_COUNT(codes->entries);
}

int codes_each(const struct codes *codes, codes_fn callback, void *userdata)
{
	int r = 0;

	for (const struct entry *e = codes->entries; e && r >= 0; e = e->hh.next)
		r = callback(e->id, e->code, userdata);
	return r;
}

bool codes_is_python(uint64_t frame)
{
	return (frame >> FRAME_SLOT_SHIFT & FRAME_SLOT_MASK) == FRAME_SLOT_PYTHON;
}

bool codes_describe(const struct codes *codes, uint64_t frame, struct frame *ret)
{
	uint64_t offset = frame & FRAME_OFFSET_MASK;
	const struct entry *e = find_entry(codes, (uint32_t)(offset >> FRAME_CODE_SHIFT));
	uint32_t line;

	if (!e)
		return false;
	line = python_code_line(e->code, (uint32_t)(offset & FRAME_UNIT_MASK));
	*ret = (struct frame){
		.kind = FRAME_PYTHON,
		.function = e->code->name,
		.file = e->code->file,
		.line = e->code->file ? line : 0,
		.offset = line > e->code->first_line ? line - e->code->first_line : 0,
		.approximate = !e->code->name,
	};
	return true;
}
