/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a sweep knows: private to its files.
 *
 *   ranges ──► pools (pools.c) ──► buffer, pool by pool ──► found blocks (blocks.c) ──► callback
 *                                     types (types.c) ──┘        └──► words to look at (large.c)
 */
#ifndef SEEP_PYTHON_SWEEP_STATE_H
#define SEEP_PYTHON_SWEEP_STATE_H

#include <string.h>

#include "python/ranges.h"
#include "python/sweep.h"

#define POOL_HEADER_BYTES 48
#define POOL_CLASSES	  32
#define BLOCK_UNIT	  16 /* bytes; blocks have 16 to 512 of them */
#define SMALL_MAX	  512

/* Pools that are read at once. One buffer, used again and again: a fresh one costs ten times as much. */
#define BUFFER_BYTES (1u << 20)

/* What debug hooks (PYTHONMALLOC=debug, -X dev) put before and behind each block. */
#define DEBUG_BEFORE 16
#define DEBUG_BEHIND 8

struct pool {
	uint64_t address;
	uint32_t refs; /* blocks in use, when it was read last */
	uint16_t next; /* offset of what was never carved into blocks */
	uint8_t class;
};

/* 64 pools side by side, by address: which of these are pools, and the number of the first. */
struct granule {
	uint64_t key; /* address >> granule_shift, + 1; 0: empty */
	uint64_t pools;
	uint32_t first;
};

/* A live block in the buffer. */
struct found {
	const struct python_type *type; /* NULL: raw */
	uint32_t at;			/* in the buffer */
	uint32_t keys_bytes;		/* of a dict's table that lies in no pool */
	uint16_t bytes;
};

struct type_table {
	struct python_type **slots; /* owned, like what they point to */
	size_t mask;
	size_t n;
	uint64_t *negative; /* owned; addresses that are no types, by hash, the latest wins */
};

/* Addresses outside of the pools that words refer to, each once. */
struct address_set {
	uint64_t *slots; /* owned; 0: empty */
	size_t mask;
	size_t n;
};

struct piece {
	uint64_t address;
	uint64_t bytes;
};

/* What may be a large object. */
struct candidate {
	uint64_t address;
	uint64_t size;			/* with what comes before it */
	const struct python_type *type; /* NULL: it is none */
	const uint8_t *bytes;		/* HEAD_BYTES of them, from the collector's header on */
	size_t neighbour;		/* number of the run that reads its neighbour */
	bool is_doubtful;
};

struct large {
	bool is_wanted;
	struct address_set seen;
	uint64_t *recent; /* owned; words that were looked at last, by hash */
	uint64_t *queue;  /* owned; addresses to look at */
	size_t queue_n;
	size_t queue_room;
	struct piece *pieces; /* owned; memory whose words are to be looked at */
	size_t pieces_n;
	size_t pieces_room;
	uint64_t piece_bytes;	      /* of all */
	struct candidate *candidates; /* owned, like the next two: RUNS of them, of one batch */
	struct python_run *runs;
	uint8_t *heads;
};

struct python_sweep {
	struct python_interpreter interpreter;
	const struct python_layout *layout; /* of it */
	const struct python_memory *memory; /* of it */
	uint64_t deadline_ns;
	struct python_range *ranges; /* owned */
	size_t n_ranges;
	uint64_t low; /* of all anonymous memory */
	uint64_t high;
	uint64_t present_bytes;
	uint64_t max_refs; /* that an object can have: there is no room for more references */

	struct pool *pools; /* owned; by address */
	size_t n_pools;
	size_t pools_room;
	uint64_t skipped_pools; /* swapped out in part: not in pools[] */
	uint64_t skipped_blocks;
	unsigned int pool_shift;
	unsigned int granule_shift;
	struct granule *granules; /* owned */
	size_t granule_mask;

	unsigned int before; /* bytes of debug hooks before what a block holds, */
	unsigned int behind; /* and behind it */
	uint8_t *buffer;     /* owned; pool after pool */
	size_t buffer_first; /* number of the first of them, */
	size_t buffer_pools; /* and how many they are */
	struct found *found; /* owned; what is in the buffer */
	size_t n_found;
	size_t *doubts; /* owned; of them, those whose place in the collector's lists is to be checked */
	size_t n_doubts;
	size_t *keys; /* owned; of them, dicts with tables in no pool */
	size_t n_keys;
	struct python_run *runs; /* owned; RUNS of them */
	uint8_t *heads;		 /* owned; RUNS * HEAD_BYTES, where they read to */

	struct type_table types;
	uint64_t object_alloc; /* tp_alloc of object; 0: not known yet */
	struct large large;
	struct python_sweep_stats stats;
};

#define RUNS	   1024 /* pieces that the kernel takes in one call */
#define HEAD_BYTES 192

static inline uint64_t word_at(const uint8_t *bytes, size_t at)
{
	uint64_t v;

	memcpy(&v, bytes + at, sizeof(v));
	return v;
}

static inline uint32_t half_at(const uint8_t *bytes, size_t at)
{
	uint32_t v;

	memcpy(&v, bytes + at, sizeof(v));
	return v;
}

static inline size_t hash_address(uint64_t address)
{
	return (size_t)(address * 0x9e3779b97f4a7c15ull >> 24);
}

/* The place of the granule that an address lies in, which may be empty. */
static inline struct granule *granule_slot(const struct python_sweep *s, uint64_t address)
{
	uint64_t key = (address >> s->granule_shift) + 1;
	size_t at = hash_address(key) & s->granule_mask;

	while (s->granules[at].key && s->granules[at].key != key)
		at = (at + 1) & s->granule_mask;
	return &s->granules[at];
}

/* The pool that an address lies in; NULL: none. */
static inline const struct pool *pools_at(const struct python_sweep *s, uint64_t address)
{
	const struct granule *g = granule_slot(s, address);
	uint64_t bit = 1ull << ((address >> s->pool_shift) & 63);

	if (!g->key || !(g->pools & bit))
		return NULL;
	return &s->pools[g->first + (unsigned int)__builtin_popcountll(g->pools & (bit - 1))];
}

/* sweep.c */
/* As python_sweep_new(), over given memory. Takes @ranges. */
int sweep_over(const struct python_interpreter *i, struct python_range *ranges, size_t n,
	       int pagemap, uint64_t deadline_ns, struct python_sweep **ret, const char **ret_why);
int sweep_check_deadline(const struct python_sweep *s);

/* pools.c */
int pools_find(struct python_sweep *s, int pagemap);
int pools_index(struct python_sweep *s);
/*
 * Whether 48 bytes are the header of a pool; its class and so on then. One that is empty keeps its header, and
 * is likely to be the next that is used.
 */
bool pool_header_read(const struct python_sweep *s, const uint8_t *bytes, struct pool *ret);

/* blocks.c */
/*
 * The live blocks of a pool whose first @have bytes are at @at in the buffer, into found[]. How many, or
 * -EAGAIN: its header and its list of free blocks contradict each other.
 */
int pool_blocks(struct python_sweep *s, struct pool *p, size_t at, size_t have);

/* objects.c */
/* The type of the object in a block, or NULL. */
const struct python_type *object_in(struct python_sweep *s, const uint8_t *data, size_t bytes);
uint64_t object_refcount(const struct python_sweep *s, const uint8_t *object);
bool object_has_sane_header(const struct python_sweep *s, const uint8_t *object);
/* Bytes of an object without what the collector and debug hooks put around it; 0: cannot be. */
uint64_t object_size(const struct python_sweep *s, const struct python_type *t,
		     const uint8_t *object);

/* heads.c */
/* Takes those of doubts[] out of found[] whose place in the collector's lists is made up. */
int heads_check(struct python_sweep *s);
/*
 * Whether the head, of 16 bytes, of an object that the collector knows of has to be checked: it claims a place in
 * the lists, or has none though it must.
 */
bool head_is_doubtful(const struct python_type *t, const uint8_t *head);
/* Whether it says the same as when it was read. */
bool head_still_says(const struct python_sweep *s, uint64_t self, const uint8_t *head);
/* Whether the head at @next, of which HEAD_READ @bytes were read, can be the one behind @self. */
#define HEAD_READ 32
bool head_is_neighbour(struct python_sweep *s, uint64_t self, uint64_t next, const uint8_t *bytes);

/* tables.c */
struct tables {
	struct piece pieces[2]; /* outside of the pools */
	unsigned int n;
	uint64_t bytes;
	uint64_t pool_bytes;
	uint32_t pool_blocks;
};
int tables_read_keys(struct python_sweep *s);
bool tables_has_distant_keys(const struct python_sweep *s, const uint8_t *object);
void tables_of(const struct python_sweep *s, const struct python_type *t, const uint8_t *object,
	       uint64_t keys_bytes, struct tables *ret);
/* Bytes of a dict's table of keys by its header of 48 bytes; 0: cannot be. */
uint64_t keys_table_bytes(const struct python_layout *l, const uint8_t *header);
/* Where its entries start, and what each takes; of a header that keys_table_bytes() took. */
uint64_t keys_first_entry(const struct python_layout *l, const uint8_t *header,
			  uint64_t *ret_entry_bytes);
#define KEYS_HEADER_BYTES 48
#define DEQUE_BLOCK_BYTES 528 /* two links and 64 items */

/* types.c */
int types_init(struct python_sweep *s);
void types_done(struct python_sweep *s);
const struct python_type *types_find(struct python_sweep *s, uint64_t address);

/* large.c; what is noted is told by large_objects.c */
void large_done(struct large *l);
/* For another pass. */
void large_reset(struct large *l);
/* Whether objects of a type hold references at all. */
bool large_has_references(const struct python_type *t);
int large_note_words(struct python_sweep *s, const uint8_t *data, size_t bytes);
int large_note_piece(struct python_sweep *s, const struct piece *p);
/* The tables of an object, for their words to be looked at later. */
int large_note_tables(struct python_sweep *s, const struct python_type *t,
		      const struct tables *tables);

#endif
