// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which addresses are types: asked for every block, so the answers are remembered, also the negative ones.
 *
 * A type is a piece of writable memory whose own type is PyType_Type or derives from it, and whose sizes and
 * flags are sane. The memory is its owner's: chains are followed for a few steps, tables are bounded.
 */
#include "python/sweep_state.h"

#include <errno.h>

#define TYPES_MAX     65536
#define NEGATIVE_MAX  16384 /* a power of two */
#define BASES_MAX     32
#define BASICSIZE_MAX (1u << 20)
#define ITEMSIZE_MAX  4096

/* Enough of a name to compare it. */
#define NAME_BYTES 32

static const struct {
	const char *name;
	enum python_role role;
} named_roles[] = {
	{ "set", PYTHON_ROLE_SET },
	{ "frozenset", PYTHON_ROLE_SET },
	{ "bytearray", PYTHON_ROLE_BYTEARRAY },
	{ "code", PYTHON_ROLE_CODE },
	{ "frame", PYTHON_ROLE_FRAME },
	{ "generator", PYTHON_ROLE_GENERATOR },
	{ "coroutine", PYTHON_ROLE_GENERATOR },
	{ "async_generator", PYTHON_ROLE_GENERATOR },
	{ "collections.deque", PYTHON_ROLE_DEQUE },
	{ "_asyncio.Task", PYTHON_ROLE_TASK },
};

static const struct {
	uint32_t flag;
	enum python_role role;
} flagged_roles[] = {
	{ PY_LONG_SUBCLASS, PYTHON_ROLE_INT },	  { PY_LIST_SUBCLASS, PYTHON_ROLE_LIST },
	{ PY_TUPLE_SUBCLASS, PYTHON_ROLE_TUPLE }, { PY_BYTES_SUBCLASS, PYTHON_ROLE_BYTES },
	{ PY_STR_SUBCLASS, PYTHON_ROLE_STR },	  { PY_DICT_SUBCLASS, PYTHON_ROLE_DICT },
	{ PY_TYPE_SUBCLASS, PYTHON_ROLE_TYPE },
};

int types_init(struct python_sweep *s)
{
	const struct python_memory *m = s->memory;
	uint64_t object = 0;

	s->types.slots = calloc(1024, sizeof(struct python_type *));
	s->types.negative = calloc(NEGATIVE_MAX, sizeof(uint64_t));
	if (!s->types.slots || !s->types.negative)
		return -ENOMEM;
	s->types.mask = 1023;
	if (python_read_u64(m, s->interpreter.type_type + PY_TP_BASE, &object) < 0 ||
	    python_read_u64(m, object + PY_TP_ALLOC, &s->object_alloc) < 0)
		return -EFAULT;
	return 0;
}

void types_done(struct python_sweep *s)
{
	for (size_t i = 0; s->types.slots && i <= s->types.mask; i++)
		free(s->types.slots[i]);
	free(s->types.slots);
	free(s->types.negative);
}

static struct python_type **slot_of(struct python_type **slots, size_t mask, uint64_t address)
{
	size_t at = hash_address(address) & mask;

	while (slots[at] && slots[at]->address != address)
		at = (at + 1) & mask;
	return &slots[at];
}

static int grow(struct type_table *t)
{
	size_t mask = 2 * t->mask + 1;
	struct python_type **slots = calloc(mask + 1, sizeof(struct python_type *));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i <= t->mask; i++)
		if (t->slots[i])
			*slot_of(slots, mask, t->slots[i]->address) = t->slots[i];
	free(t->slots);
	t->slots = slots;
	t->mask = mask;
	return 0;
}

/* Whether a chain of bases leads from @type to PyType_Type. */
static bool is_metatype(const struct python_sweep *s, uint64_t type)
{
	for (int depth = 0; depth < BASES_MAX; depth++) {
		uint8_t bytes[PY_TP_BASE + 8];

		if (type == s->interpreter.type_type)
			return true;
		if (!type || python_read(s->memory, type, bytes, sizeof(bytes)) < 0 ||
		    !(half_at(bytes, PY_TP_FLAGS) & PY_TYPE_SUBCLASS))
			return false;
		type = word_at(bytes, PY_TP_BASE);
	}
	return false;
}

/* The text at an address, a string of C; "" if there is none that can be printed. */
static void read_name(const struct python_sweep *s, uint64_t address, char to[NAME_BYTES])
{
	size_t n = NAME_BYTES - 1;

	memset(to, 0, NAME_BYTES);
	/* A name may end close to the end of its mapping. */
	while (n && python_read(s->memory, address, to, n) < 0)
		n /= 2;
	to[n] = '\0';
	for (size_t i = 0; i < n && to[i]; i++)
		if ((unsigned char)to[i] < ' ' || to[i] == 0x7f)
			to[i] = '\0';
}

static enum python_role role_of_name(const char *name, uint32_t flags)
{
	/* A class in Python may have any name, but none with a dot. */
	if (flags & PY_HEAPTYPE && !strchr(name, '.'))
		return PYTHON_ROLE_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(named_roles); i++)
		if (strcmp(named_roles[i].name, name) == 0)
			return named_roles[i].role;
	return PYTHON_ROLE_OTHER;
}

/* By its flags, else by its name or that of the nearest base that tells. */
static enum python_role role_of(const struct python_sweep *s, const uint8_t *bytes,
				char name[NAME_BYTES])
{
	const struct type_table *table = &s->types;
	uint8_t base[PY_TP_BASE + 8];

	for (size_t i = 0; i < ARRAY_SIZE(flagged_roles); i++)
		if (half_at(bytes, PY_TP_FLAGS) & flagged_roles[i].flag)
			return flagged_roles[i].role;
	for (int depth = 0; depth < BASES_MAX; depth++) {
		enum python_role role = role_of_name(name, half_at(bytes, PY_TP_FLAGS));
		const struct python_type *known;

		if (role != PYTHON_ROLE_OTHER)
			return role;
		known = *slot_of(table->slots, table->mask, word_at(bytes, PY_TP_BASE));
		if (known)
			return known->role;
		if (python_read(s->memory, word_at(bytes, PY_TP_BASE), base, sizeof(base)) < 0)
			return PYTHON_ROLE_OTHER;
		bytes = base;
		read_name(s, word_at(bytes, PY_TP_NAME), name);
	}
	return PYTHON_ROLE_OTHER;
}

static uint16_t object_start(const struct python_layout *l, uint32_t flags)
{
	uint32_t managed = l->minor >= 12 ? PY_MANAGED_DICT | PY_MANAGED_WEAKREF :
			   l->minor == 11 ? PY_MANAGED_DICT :
					    0;

	return (uint16_t)((flags & PY_HAVE_GC ? 16 : 0) + (flags & managed ? 16 : 0));
}

/* A _asyncio.Task whose size is not the known one is not looked into. */
static enum python_role checked_role(const struct python_layout *l, enum python_role role,
				     uint64_t basicsize)
{
	if (role == PYTHON_ROLE_TASK && (l->task_bytes == PYTHON_NONE || basicsize < l->task_bytes))
		return PYTHON_ROLE_OTHER;
	return role;
}

/* Its name and what names its objects' attributes, which are side by side. */
static void read_heap_type(const struct python_sweep *s, struct python_type *t)
{
	const struct python_layout *l = s->layout;
	uint8_t bytes[16];

	if (!(t->flags & PY_HEAPTYPE) || l->heap_cached_keys != l->heap_qualname + 8 ||
	    python_read(s->memory, t->address + l->heap_qualname, bytes, sizeof(bytes)) < 0)
		return;
	t->qualname = word_at(bytes, 0);
	t->cached_keys = word_at(bytes, 8);
}

/* Fills in @t by the type at @address, if it is one. */
static bool check_type(const struct python_sweep *s, uint64_t address, struct python_type *t)
{
	uint8_t bytes[PY_TYPE_BYTES];
	char name[NAME_BYTES];
	uint64_t meta;

	/* A type is too large for a pool; most words that are none lead to one. */
	if (pools_at(s, address) || !python_range_find(s->ranges, s->n_ranges, address) ||
	    python_read(s->memory, address, bytes, sizeof(bytes)) < 0)
		return false;
	*t = (struct python_type){
		.address = address,
		.name = word_at(bytes, PY_TP_NAME),
		.base = word_at(bytes, PY_TP_BASE),
		.dict = word_at(bytes, PY_TP_DICT),
		.members = word_at(bytes, PY_TP_MEMBERS),
		.basicsize = word_at(bytes, PY_TP_BASICSIZE),
		.itemsize = word_at(bytes, PY_TP_ITEMSIZE),
		.dictoffset = word_at(bytes, PY_TP_DICTOFFSET),
		.flags = half_at(bytes, PY_TP_FLAGS),
	};
	meta = word_at(bytes, PY_OB_TYPE);
	if (!(t->flags & PY_READY) || t->basicsize < 16 || t->basicsize > BASICSIZE_MAX ||
	    t->itemsize > ITEMSIZE_MAX || !is_metatype(s, meta))
		return false;
	read_name(s, t->name, name);
	if (!name[0])
		return false;
	t->object_at = object_start(s->layout, t->flags);
	t->role = checked_role(s->layout, role_of(s, bytes, name), t->basicsize);
	t->has_own_allocator = t->role == PYTHON_ROLE_OTHER && !t->itemsize &&
			       !(t->flags & PY_HAVE_GC) &&
			       word_at(bytes, PY_TP_ALLOC) != s->object_alloc;
	read_heap_type(s, t);
	return true;
}

const struct python_type *types_find(struct python_sweep *s, uint64_t address)
{
	struct type_table *table = &s->types;
	struct python_type **slot = slot_of(table->slots, table->mask, address);
	uint64_t *negative = &table->negative[hash_address(address) & (NEGATIVE_MAX - 1)];
	struct python_type t, *kept = *slot;

	if (kept)
		return kept;
	if (*negative == address || address % 8)
		return NULL;
	if (table->n >= TYPES_MAX || !check_type(s, address, &t)) {
		*negative = address;
		return NULL;
	}
	if (2 * table->n > table->mask && grow(table) < 0)
		return NULL;
	kept = malloc(sizeof(*kept));
	if (!kept)
		return NULL;
	t.id = (uint32_t)table->n++;
	*kept = t;
	*slot_of(table->slots, table->mask, address) = kept;
	return kept;
}

const struct python_type *python_sweep_type(struct python_sweep *s, uint64_t address)
{
	return types_find(s, address);
}
