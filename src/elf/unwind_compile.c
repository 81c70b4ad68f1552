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

/* What a file says of its functions: .eh_frame, and .debug_frame of those that it leaves out. */
struct sources {
	struct cfi_starts eh, debug;
	Dwarf_CFI *eh_cfi;    /* owned; NULL: none */
	Dwarf *dwarf;	      /* owned; NULL: none */
	Dwarf_CFI *debug_cfi; /* borrowed from dwarf; NULL: none */
};

struct builder {
	const struct image *image;
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

/*
 * The one row of a function that leaves the stack as it was is put behind an end. Whoever "returns"
 * to the first byte of such a function was never called: coroutines are given a bottom so (glibc's
 * __start_context), and one byte before there is the padding behind another function.
 */
static int add_bottom(struct builder *b, uint64_t padding, struct unwind_row row)
{
	const struct unwind_row end = { .rule = RULE_END };
	int r;

	if (b->n > 0 && b->rows[b->n - 1].pc == row.pc)
		b->n--;
	r = add_row(b, padding, end);
	return r < 0 ? r : add_row(b, row.pc, row);
}

static bool is_entry(const struct unwind_row *row)
{
	return row->rule == RULE_RSP && row->cfa_off8 == 1 && row->rbp_off8 == RBP_SAME;
}

/*
 * Rows of one function, up to @limit. *end is where the information of the one before it ended,
 * and then where this one's does.
 */
static int add_function(struct builder *b, Dwarf_CFI *cfi, const struct segment *s, uint64_t start,
			uint64_t limit, uint64_t *end_of_known)
{
	uint64_t pc = start, before = *end_of_known;
	unsigned int n_rows = 0;
	struct unwind_row row = { 0 };

	while (pc < limit) {
		_cleanup_free_ Dwarf_Frame *frame = NULL;
		Dwarf_Addr from, end = 0;
		int r;

		if (dwarf_cfi_addrframe(cfi, pc, &frame) != 0 ||
		    dwarf_frame_info(frame, &from, &end, NULL) < 0 || end <= pc)
			break;
		cfi_row(frame, &row);
		r = add_row(b, pc - s->vaddr + s->offset, row);
		if (r < 0)
			return r;
		pc = end;
		n_rows++;
	}
	*end_of_known = pc < limit ? pc : limit;
	if (n_rows != 1 || !is_entry(&row) || before < s->vaddr || before >= start ||
	    start - before > PADDING_MAX)
		return 0;
	row.pc = (uint32_t)(start - s->vaddr + s->offset);
	return add_bottom(b, before - s->vaddr + s->offset, row);
}

static int add_functions(struct builder *b, const struct sources *sources)
{
	const struct cfi_starts *eh = &sources->eh, *debug = &sources->debug;
	const struct unwind_row hole = { .rule = b->hole };
	uint64_t end = 0;
	size_t i = 0, j = 0;

	while (i < eh->n || j < debug->n) {
		bool is_eh = j == debug->n || (i < eh->n && eh->list[i] <= debug->list[j]);
		uint64_t start = is_eh ? eh->list[i++] : debug->list[j++];
		const struct segment *s = image_segment_of_vaddr(b->image, start);
		uint64_t next = UINT64_MAX, segment_end;
		int r;

		if (!s || !s->executable)
			continue;
		segment_end = s->vaddr + s->size;
		if (i < eh->n)
			next = eh->list[i];
		if (j < debug->n && debug->list[j] < next)
			next = debug->list[j];
		r = add_function(b, is_eh ? sources->eh_cfi : sources->debug_cfi, s, start,
				 next < segment_end ? next : segment_end, &end);
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

	if (b->n == 0)
		return;
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

static int compile(const struct image *image, const struct sources *sources, uint8_t hole,
		   struct unwind_table **ret)
{
	_cleanup_free_ struct unwind_row *rows = NULL;
	struct builder b = { .image = image, .hole = hole, .sorted = true };
	int r;

	r = add_functions(&b, sources);
	if (r == 0 && hole == RULE_FRAME_POINTER)
		r = add_segments(&b);
	rows = b.rows;
	if (r < 0)
		return r;
	if (!b.sorted)
		sort_rows(&b);
	return unwind_table_from_rows(TAKE_PTR(rows), b.n, ret);
}

static void sources_done(struct sources *s)
{
	(void)dwarf_end(s->dwarf);
	if (s->eh_cfi)
		(void)dwarf_cfi_end(s->eh_cfi);
	cfi_starts_done(&s->debug);
	cfi_starts_done(&s->eh);
}

static int open_eh_frame(struct sources *s, const struct image *image)
{
	int r;

	r = cfi_eh_frame_starts(image, &s->eh);
	if (r < 0)
		return r;
	s->eh_cfi = dwarf_getcfi_elf(image->elf);
	/* Without information there is nothing to start from either. */
	if (!s->eh_cfi)
		cfi_starts_done(&s->eh);
	return 0;
}

/* What .eh_frame does not cover of the .debug_frame of @image, a file or its debug file. */
static int open_debug_frame(struct sources *s, const struct image *image)
{
	size_t kept = 0;
	int r;

	r = cfi_debug_frame_starts(image, &s->debug);
	if (r < 0)
		return r;
	if (s->debug.n > 0)
		s->dwarf = dwarf_begin_elf(image->elf, DWARF_C_READ, NULL);
	s->debug_cfi = s->dwarf ? dwarf_getcfi(s->dwarf) : NULL;
	if (!s->debug_cfi)
		cfi_starts_done(&s->debug);
	for (size_t i = 0; i < s->debug.n; i++) {
		_cleanup_free_ Dwarf_Frame *frame = NULL;

		if (!s->eh_cfi || dwarf_cfi_addrframe(s->eh_cfi, s->debug.list[i], &frame) != 0)
			s->debug.list[kept++] = s->debug.list[i];
	}
	s->debug.n = kept;
	return 0;
}

int unwind_compile(const struct image *image, const struct image *debug, struct unwind_table **ret)
{
	_cleanup_(sources_done) struct sources s = { 0 };
	int r;

	if (image->size > UNWIND_MAX_FILE_BYTES)
		return -EFBIG;
	r = open_eh_frame(&s, image);
	/* Libraries have no .debug_frame; their debug files, if any, say nothing new. */
	if (r == 0 && image_has_section(image, ".debug_frame"))
		r = open_debug_frame(&s, image);
	else if (r == 0 && debug && s.eh.n < FEW_FUNCTIONS)
		r = open_debug_frame(&s, debug);
	if (r < 0)
		return r;
	/* A few functions of start-up code say nothing of the rest, nor do the C parts of Go's. */
	if (frame_pointers_by_go(image) ||
	    (s.eh.n + s.debug.n < FEW_FUNCTIONS && frame_pointers_by_prologue(image)))
		return compile(image, &s, RULE_FRAME_POINTER, ret);
	return compile(image, &s, RULE_NO_CFI, ret);
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
