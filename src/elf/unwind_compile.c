// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From call frame information to rows.
 *
 * libdw interprets the instructions (dwarf_cfi_addrframe), function by function; here its answers
 * become rows, with holes between functions marked, and addresses become offsets in the file.
 */
#include "elf/unwind_compile.h"

#include <elfutils/libdw.h>
#include <fcntl.h>

#include "elf/cfi.h"
#include "elf/frame_pointers.h"

/* An .eh_frame with fewer functions than this is start-up code only (crt1.o). */
#define FEW_FUNCTIONS 8

/* Functions are at most this far apart by alignment alone; more is code without information. */
#define PADDING_MAX 15

struct builder {
	const struct image *image;
	Dwarf_CFI *cfi; /* borrowed */
	struct unwind_row *rows;
	uint32_t n;
	uint32_t capacity;
	uint8_t hole; /* rule of code without information */
	bool sorted;
};

static int add_row(struct builder *b, uint64_t offset, struct unwind_row row)
{
	if (offset > UINT32_MAX)
		return -EFBIG;
	row.pc = (uint32_t)offset;
	if (b->n > 0) {
		const struct unwind_row *last = &b->rows[b->n - 1];

		if (row.pc <= last->pc)
			b->sorted = false;
		else if (row.rule == last->rule && row.cfa_off8 == last->cfa_off8 &&
			 row.rbp_off8 == last->rbp_off8)
			return 0;
	}
	if (b->n == b->capacity) {
		uint32_t capacity = b->capacity ? 2 * b->capacity : 4096;
		struct unwind_row *rows;

		if (b->n >= UNWIND_MAX_ROWS)
			return -EFBIG;
		rows = reallocarray(b->rows, capacity, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		b->rows = rows;
		b->capacity = capacity;
	}
	b->rows[b->n++] = row;
	return 0;
}

/* Rows of one function, up to @limit. *ret_end: where its information ends. */
static int add_function(struct builder *b, const struct segment *s, uint64_t start, uint64_t limit,
			uint64_t *ret_end)
{
	uint64_t pc = start;

	while (pc < limit) {
		_cleanup_free_ Dwarf_Frame *frame = NULL;
		Dwarf_Addr from, end = 0;
		struct unwind_row row;
		int r;

		if (dwarf_cfi_addrframe(b->cfi, pc, &frame) != 0 ||
		    dwarf_frame_info(frame, &from, &end, NULL) < 0 || end <= pc)
			break;
		cfi_row(frame, &row);
		r = add_row(b, pc - s->vaddr + s->offset, row);
		if (r < 0)
			return r;
		pc = end;
	}
	*ret_end = pc < limit ? pc : limit;
	return 0;
}

static int add_functions(struct builder *b, const struct cfi_starts *starts)
{
	const struct unwind_row hole = { .rule = b->hole };

	for (size_t i = 0; i < starts->n; i++) {
		const struct segment *s = image_segment_of_vaddr(b->image, starts->list[i]);
		uint64_t start = starts->list[i], end, next, segment_end;
		int r;

		if (!s || !s->executable)
			continue;
		segment_end = s->vaddr + s->size;
		next = i + 1 < starts->n ? starts->list[i + 1] : UINT64_MAX;
		r = add_function(b, s, start, next < segment_end ? next : segment_end, &end);
		if (r < 0)
			return r;
		if (end == start || next > segment_end || next - end > PADDING_MAX) {
			r = add_row(b, end - s->vaddr + s->offset, hole);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Of rows for one pc the one that knows most comes first: an end of code is where others begin. */
static int rank(const struct unwind_row *row)
{
	return row->rule == RULE_NO_CFI ? 2 : row->rule == RULE_FRAME_POINTER;
}

static int compare_rows(const void *a, const void *b)
{
	const struct unwind_row *x = a, *y = b;

	if (x->pc != y->pc)
		return x->pc < y->pc ? -1 : 1;
	return rank(x) - rank(y);
}

/* Needed when segments are not in the order of their addresses, or were added as a whole. */
static void sort_rows(struct builder *b)
{
	uint32_t kept = 0;

	qsort(b->rows, b->n, sizeof(*b->rows), compare_rows);
	for (uint32_t i = 0; i < b->n; i++) {
		if (kept == 0 || b->rows[kept - 1].pc != b->rows[i].pc)
			b->rows[kept++] = b->rows[i];
	}
	b->n = kept;
}

/* What stands before the first function and around all of them: a hole per segment. */
static int add_segments(struct builder *b)
{
	const struct unwind_row hole = { .rule = b->hole }, end = { .rule = RULE_NO_CFI };
	int r;

	for (size_t i = 0; i < b->image->n_segments; i++) {
		const struct segment *s = &b->image->segments[i];

		if (!s->executable)
			continue;
		r = add_row(b, s->offset, hole);
		if (r == 0)
			r = add_row(b, s->offset + s->size, end);
		if (r < 0)
			return r;
	}
	b->sorted = false;
	return 0;
}

static int compile(const struct image *image, Dwarf_CFI *cfi, const struct cfi_starts *starts,
		   uint8_t hole, struct unwind_table **ret)
{
	_cleanup_free_ struct unwind_row *rows = NULL;
	struct builder b = { .image = image, .cfi = cfi, .hole = hole, .sorted = true };
	int r;

	r = add_functions(&b, starts);
	if (r == 0 && hole == RULE_FRAME_POINTER)
		r = add_segments(&b);
	rows = b.rows;
	if (r < 0)
		return r;
	if (!b.sorted)
		sort_rows(&b);
	return unwind_table_from_rows(TAKE_PTR(rows), b.n, ret);
}

static int compile_eh_frame(const struct image *image, const struct cfi_starts *starts,
			    uint8_t hole, struct unwind_table **ret)
{
	Dwarf_CFI *cfi = dwarf_getcfi_elf(image->elf);
	int r;

	if (!cfi && hole != RULE_FRAME_POINTER)
		return -ENODATA;
	/* Without information there is nothing to start from either. */
	r = compile(image, cfi, cfi ? starts : &(struct cfi_starts){ 0 }, hole, ret);
	(void)dwarf_cfi_end(cfi);
	return r;
}

static int compile_debug_frame(const struct image *image, const struct image *debug,
			       const struct cfi_starts *starts, struct unwind_table **ret)
{
	Dwarf *dwarf = dwarf_begin_elf(debug->elf, DWARF_C_READ, NULL);
	Dwarf_CFI *cfi = dwarf ? dwarf_getcfi(dwarf) : NULL;
	int r = -ENODATA;

	if (cfi)
		r = compile(image, cfi, starts, RULE_NO_CFI, ret);
	(void)dwarf_end(dwarf);
	return r;
}

int unwind_compile(const struct image *image, const struct image *debug, struct unwind_table **ret)
{
	_cleanup_(cfi_starts_done) struct cfi_starts eh = { 0 }, extra = { 0 };
	const struct image *source = image;
	int r;

	if (image->size > UNWIND_MAX_FILE_BYTES)
		return -EFBIG;
	r = cfi_eh_frame_starts(image, &eh);
	if (r < 0)
		return r;
	if (eh.n < FEW_FUNCTIONS) {
		r = cfi_debug_frame_starts(image, &extra);
		if (r == 0 && extra.n == 0 && debug) {
			source = debug;
			r = cfi_debug_frame_starts(debug, &extra);
		}
		if (r < 0)
			return r;
		if (extra.n > eh.n)
			return compile_debug_frame(image, source, &extra, ret);
	}
	/* A few functions of start-up code say nothing of the rest, nor do the C parts of Go's. */
	if (frame_pointers_by_go(image) ||
	    (eh.n < FEW_FUNCTIONS && frame_pointers_by_prologue(image)))
		return compile_eh_frame(image, &eh, RULE_FRAME_POINTER, ret);
	return compile_eh_frame(image, &eh, RULE_NO_CFI, ret);
}

int unwind_table_compile(int fd, struct unwind_table **ret)
{
	_cleanup_(image_freep) struct image *image = NULL;
	int own, r;

	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return -errno;
	r = image_open(own, &image);
	if (r < 0)
		return r;
	return unwind_compile(image, NULL, ret);
}
