/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record in memory that outlives its writer and is only ever replaced as a whole.
 *
 * Two memory files take turns, each one gzip stream: while one is written the other holds what was
 * before. A stream ends with a checksum, so that of a writer that was killed at any instant the older
 * record is left. What is compressed is mostly zeros and JSON.
 */
#ifndef SEEP_BASE_TWIN_H
#define SEEP_BASE_TWIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct twin;

/* @name: of the files, for people who look into /proc. */
int twin_new(const char *name, struct twin **ret);
/* Of an earlier writer; takes over the descriptors, also on failure. */
int twin_from(int fds[2], struct twin **ret);
struct twin *twin_free(struct twin *t);
DEFINE_CLEANUP(struct twin *, twin_free)

int twin_fd(const struct twin *t, size_t i); /* 0 or 1; borrowed */

/* Begins a new record; what was begun and not committed is dropped. */
int twin_begin(struct twin *t);
/* A failure is kept, and returned by twin_commit(). */
void twin_write(struct twin *t, const void *data, size_t size);
/* The record is there as a whole from here on. */
int twin_commit(struct twin *t);

/* A child that was forked for it has committed a record: this process's copy of @t learns of it. */
void twin_was_committed(struct twin *t);

/* Opens the newest whole record for reading. -ENODATA: there is none. */
int twin_open(struct twin *t);
/* -EBADMSG: it is shorter than that. */
int twin_read(struct twin *t, void *data, size_t size);
/* As much as there is, up to @size. */
size_t twin_read_some(struct twin *t, void *data, size_t size);
void twin_close(struct twin *t);

#endif
