// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of mapped files, by slot and by identity.
 *
 * Entries are never removed: a slot that the kernel side has handed out stays in stored frames.
 */
#include "elf/files.h"

#include <stdlib.h>
#include <string.h>

/* Running out of memory inside of a hash must be an error, not an exit(). */
#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((element)->slot = 0)
#include <uthash.h>

struct identity {
	uint64_t dev;
	uint64_t inode;
};

struct entry {
	struct file file;
	struct identity identity;
	uint16_t slot; /* 0: could not be put into the hash */
	UT_hash_handle hh;
};

struct file_table {
	struct entry *slots[FILE_SLOT_MAX + 1]; /* owned */
	struct entry *by_identity;		/* hash over the same entries */
};

static struct entry *entry_free(struct entry *e)
{
	if (!e)
		return NULL;
	e->file.fd = close_fd(e->file.fd);
	e->file.root_fd = close_fd(e->file.root_fd);
	free(e->file.path);
	free(e);
	return NULL;
}
DEFINE_CLEANUP(struct entry *, entry_free)

struct file_table *file_table_new(void)
{
	return calloc(1, sizeof(struct file_table));
}

struct file_table *file_table_free(struct file_table *t)
{
	if (!t)
		return NULL;
	HASH_CLEAR(hh, t->by_identity);
	for (size_t i = 0; i < ARRAY_SIZE(t->slots); i++)
		(void)entry_free(t->slots[i]);
	free(t);
	return NULL;
}

static struct entry *find_entry(const struct file_table *t, uint64_t dev, uint64_t inode)
{
	struct identity id = { .dev = dev, .inode = inode };
	struct entry *e = NULL;

	HASH_FIND(hh, t->by_identity, &id, sizeof(id), e);
	return e;
}

const struct file *file_table_find(const struct file_table *t, uint64_t dev, uint64_t inode)
{
	const struct entry *e = find_entry(t, dev, inode);

	return e ? &e->file : NULL;
}

const struct file *file_table_get(const struct file_table *t, uint16_t slot)
{
	if (slot == 0 || slot > FILE_SLOT_MAX || !t->slots[slot])
		return NULL;
	return &t->slots[slot]->file;
}

int file_table_add(struct file_table *t, uint16_t slot, uint64_t dev, uint64_t inode,
		   const char *path, int fd, int root_fd, const struct file **ret)
{
	_cleanup_close_ int owned_fd = fd, owned_root = root_fd;
	_cleanup_(entry_freep) struct entry *e = NULL;

	if (slot == 0 || slot > FILE_SLOT_MAX)
		return -ERANGE;
	if (t->slots[slot] || find_entry(t, dev, inode))
		return -EEXIST;

	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->slot = slot;
	e->identity = (struct identity){ .dev = dev, .inode = inode };
	e->file = (struct file){
		.slot = slot,
		.dev = dev,
		.inode = inode,
		.path = strdup(path),
		.fd = owned_fd >= 0 ? TAKE_FD(owned_fd) : -EBADF,
		.root_fd = owned_root >= 0 ? TAKE_FD(owned_root) : -EBADF,
	};
	if (!e->file.path)
		return -ENOMEM;
	HASH_ADD(hh, t->by_identity, identity, sizeof(e->identity), e);
	if (e->slot == 0)
		return -ENOMEM;

	t->slots[slot] = e;
	if (ret)
		*ret = &e->file;
	e = NULL;
	return 0;
}
