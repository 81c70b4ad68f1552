// SPDX-License-Identifier: GPL-2.0-or-later
/* The search for functions to hook, in the symbolizer's child. */
#include <string.h>

#include "elf/cfi.h"
#include "elf/nesting.h"
#include "elf/placement.h"
#include "elf/slots.h"
#include "symbolize/child_file.h"

/* Bytes of a function that are looked at for branches; allocator functions are much smaller. */
#define CODE_BYTES_MAX 65536

/* Bytes that are looked at when the symbol has no size. */
#define CODE_BYTES_GUESS 64

/* Functions that take a block and do nothing for NULL. */
static const char *const null_skippers[] = { "free", "cfree", "free_sized", "free_aligned_sized" };

/*
 * What the C standard keeps for its allocator: a program that has a local function of such a name
 * means the allocator. Other names (cfree, say) may be anything in a program.
 */
static const char *const reserved[] = { "malloc", "calloc", "realloc", "free", "aligned_alloc" };

/* The name that the C library's own function has besides the public one. */
#define LIBC_PREFIX "__libc_"

/* Local functions of one name. */
struct local {
	struct symbol symbol; /* the C library's, if it is among them; else the first */
	uint64_t libc_vaddr;  /* of __libc_NAME; 0: there is none */
	bool is_found;
	bool is_ambiguous; /* at several addresses */
};

struct search {
	const struct image *image;
	const char *const *names;
	uint32_t n_names;
	struct hook_point *points;
	int n_points;
	bool exported;		    /* of a full table: only what other files could call */
	bool done[HOOK_NAMES_MAX];  /* names that an earlier table had */
	bool found[HOOK_NAMES_MAX]; /* names that this table has */
	struct local locals[HOOK_NAMES_MAX];
	uint8_t code[CODE_BYTES_MAX];
};

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], name) == 0)
			return true;
	}
	return false;
}

static bool skips_null(const char *name)
{
	return is_one_of(name, null_skippers, ARRAY_SIZE(null_skippers));
}

static int add_point(struct search *s, const struct symbol *symbol, uint32_t name)
{
	const struct segment *segment = image_segment_of_vaddr(s->image, symbol->vaddr);
	/* Until the code says otherwise. */
	struct hook_point point = { .name = name, .flags = HOOK_CALLS_HOOKS };
	size_t wanted;
	uint64_t room;
	ssize_t n;

	/* What leads to a resolver, or nowhere, is not the function. */
	if (symbol->is_ifunc || !segment || !segment->executable)
		return 0;
	room = segment->size - (symbol->vaddr - segment->vaddr);
	wanted = symbol->size == 0	       ? CODE_BYTES_GUESS :
		 symbol->size < CODE_BYTES_MAX ? (size_t)symbol->size :
						 CODE_BYTES_MAX;
	if (wanted > room)
		wanted = (size_t)room;
	point.symbol_offset = symbol->vaddr - segment->vaddr + segment->offset;
	n = image_read(s->image, point.symbol_offset, s->code, wanted);
	if (n <= 0)
		return n < 0 ? (int)n : 0;
	point.probe_offset = point.symbol_offset +
			     placement_find(s->code, (size_t)n, skips_null(s->names[name]));
	n = image_read(s->image, point.probe_offset, point.instruction, sizeof(point.instruction));
	if (n < 0)
		return (int)n;
	if (placement_is_emulated(point.instruction, (size_t)n))
		point.flags |= HOOK_EMULATED;
	placement_describe(point.instruction, (size_t)n,
			   point.probe_offset - segment->offset + segment->vaddr, point.words,
			   sizeof(point.words));

	/* One symbol can stand in a table under several versions. */
	for (int i = 0; i < s->n_points; i++) {
		if (s->points[i].name == name && s->points[i].symbol_offset == point.symbol_offset)
			return 0;
	}
	if (s->n_points >= HOOK_POINTS_MAX)
		return -EOVERFLOW;
	s->points[s->n_points++] = point;
	return 0;
}

/* Whether a symbol has the name, in some version of it. */
static bool has_name(const char *symbol, const char *name)
{
	size_t length;

	if (symbol[0] != name[0])
		return false;
	length = symbol_name_length(symbol);
	return strlen(name) == length && strncmp(name, symbol, length) == 0;
}

/* Index of a name that no earlier table had, -1 if it is none. */
static int wanted_name(const struct search *s, const char *name)
{
	for (uint32_t i = 0; i < s->n_names; i++) {
		if (!s->done[i] && has_name(name, s->names[i]))
			return (int)i;
	}
	return -1;
}

static int consider(const struct symbol *symbol, void *userdata)
{
	struct search *s = userdata;
	int i;

	/*
	 * A local symbol counts if it was made local by hidden visibility (an allocator linked into
	 * the program); other local functions only happen to have the name.
	 */
	if (s->exported && symbol->binding == STB_LOCAL && !symbol->is_hidden)
		return 0;
	i = wanted_name(s, symbol->name);
	if (i < 0)
		return 0;
	s->found[i] = true;
	return add_point(s, symbol, (uint32_t)i);
}

static int note_libc(const struct symbol *symbol, void *userdata)
{
	struct search *s = userdata;
	int i;

	if (strncmp(symbol->name, LIBC_PREFIX, strlen(LIBC_PREFIX)) != 0)
		return 0;
	i = wanted_name(s, symbol->name + strlen(LIBC_PREFIX));
	if (i >= 0)
		s->locals[i].libc_vaddr = symbol->vaddr;
	return 0;
}

static int note_local(const struct symbol *symbol, void *userdata)
{
	struct search *s = userdata;
	struct local *local;
	int i;

	if (symbol->binding != STB_LOCAL)
		return 0;
	i = wanted_name(s, symbol->name);
	if (i < 0)
		return 0;
	local = &s->locals[i];
	if (local->is_found && local->symbol.vaddr != symbol->vaddr)
		local->is_ambiguous = true;
	if (!local->is_found || symbol->vaddr == local->libc_vaddr)
		local->symbol = *symbol;
	local->is_found = true;
	return 0;
}

/*
 * In a static PIE, linkers make hidden functions local and forget that they were hidden; glibc's
 * malloc is one. Nothing but the name is left to tell them from others.
 */
static int find_locals(struct search *s, Elf *full)
{
	(void)symbols_walk(full, SHT_SYMTAB, note_libc, s);
	(void)symbols_walk(full, SHT_SYMTAB, note_local, s);
	for (uint32_t i = 0; i < s->n_names; i++) {
		const struct local *local = &s->locals[i];
		int r;

		if (!local->is_found)
			continue;
		if (local->symbol.vaddr != local->libc_vaddr &&
		    (local->is_ambiguous ||
		     !is_one_of(s->names[i], reserved, ARRAY_SIZE(reserved))))
			continue;
		r = add_point(s, &local->symbol, i);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A full table has more than the dynamic one, but only names that that has not are news. */
static int find_in_full_table(struct search *s, Elf *full)
{
	int r;

	memcpy(s->done, s->found, sizeof(s->done));
	s->exported = true;
	r = symbols_walk(full, SHT_SYMTAB, consider, s);
	if (r < 0 || !image_is_static_program(s->image))
		return r;
	for (uint32_t i = 0; i < s->n_names; i++)
		s->done[i] |= s->found[i];
	return find_locals(s, full);
}

static bool is_hooked_name(const char *name, void *userdata)
{
	const struct search *s = userdata;

	for (uint32_t i = 0; i < s->n_names; i++) {
		if (has_name(name, s->names[i]))
			return true;
	}
	return false;
}

/* The bytes of a segment, mapped with the file. */
static bool map_code(const struct image *image, const struct segment *segment,
		     struct nesting_code *code)
{
	size_t size = 0;
	const char *file = elf_rawfile(image->elf, &size);

	if (!file || segment->offset >= size)
		return false;
	code->bytes = (const uint8_t *)file + segment->offset;
	code->size = size - (size_t)segment->offset;
	if (code->size > segment->size)
		code->size = (size_t)segment->size;
	code->vaddr = segment->vaddr;
	return true;
}

static uint64_t vaddr_in(const struct segment *segment, uint64_t offset)
{
	return offset - segment->offset + segment->vaddr;
}

static int follow_calls(struct search *s, const struct segment *segment, struct nesting_code *code)
{
	_cleanup_free_ struct nesting_hook *hooks = calloc((size_t)s->n_points, sizeof(*hooks));
	_cleanup_free_ bool *calls = calloc((size_t)s->n_points, sizeof(*calls));
	int r;

	if (!hooks || !calls)
		return -ENOMEM;
	for (int i = 0; i < s->n_points; i++) {
		hooks[i].start = vaddr_in(segment, s->points[i].symbol_offset);
		hooks[i].probe = vaddr_in(segment, s->points[i].probe_offset);
	}
	code->hooks = hooks;
	code->n_hooks = (size_t)s->n_points;
	r = nesting_find(code, calls);
	if (r < 0)
		return r;
	for (int i = 0; i < s->n_points; i++) {
		if (!calls[i] && hooks[i].start - code->vaddr < code->size)
			s->points[i].flags &= ~(uint32_t)HOOK_CALLS_HOOKS;
	}
	return 0;
}

/*
 * Which of the functions call one another. All code of a file is in one segment, whatever linker made
 * it; functions elsewhere keep the flag.
 */
static int find_nesting(struct search *s)
{
	_cleanup_(cfi_starts_done) struct cfi_starts starts = { 0 };
	_cleanup_(slots_done) struct slots slots = { 0 };
	struct nesting_code code = { 0 };
	const struct segment *segment;
	int r;

	if (s->n_points == 0)
		return 0;
	segment = image_segment_of_offset(s->image, s->points[0].symbol_offset);
	if (!segment || !map_code(s->image, segment, &code))
		return 0;
	r = cfi_eh_frame_starts(s->image, &starts);
	/* Of call frame information in another form nothing is known. */
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	r = slots_read(s->image, is_hooked_name, s, &slots);
	if (r < 0)
		return r;
	code.starts = starts.list;
	code.n_starts = starts.n;
	code.slots = slots.list;
	code.n_slots = slots.n;
	return follow_calls(s, segment, &code);
}

int child_file_find_hooks(struct child_file *f, const char *const *names, uint32_t n,
			  struct hook_point points[HOOK_POINTS_MAX])
{
	_cleanup_free_ struct search *s = NULL;
	Elf *full = NULL;
	int r;

	if (n > HOOK_NAMES_MAX)
		return -E2BIG;
	if (!f->image)
		return -ENOEXEC;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->image = f->image;
	s->names = names;
	s->n_names = n;
	s->points = points;
	r = symbols_walk(f->image->elf, SHT_DYNSYM, consider, s);
	if (r < 0)
		return r;

	if (symbols_has_table(f->image->elf, SHT_SYMTAB))
		full = f->image->elf;
	else if (f->debug)
		full = f->debug->elf;
	if (full) {
		r = find_in_full_table(s, full);
		if (r < 0)
			return r;
	}
	/* Without it each function is hooked all the same, at a higher price. */
	r = find_nesting(s);
	return r == -ENOMEM ? r : s->n_points;
}
