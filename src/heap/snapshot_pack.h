/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot that outlives the daemon: its sites with names, as bytes and back.
 *
 * File slots, kernel keys and symbols are those of one life of the daemon; what is kept is what
 * people read: frames with function, line, module, build-id and offset. So a kept snapshot is
 * compared by what its sites' frames are, not by keys (kept_snapshot_difference()). Pure.
 */
#ifndef SEEP_HEAP_SNAPSHOT_PACK_H
#define SEEP_HEAP_SNAPSHOT_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "heap/group.h"
#include "heap/snapshot.h"

struct kept_snapshot {
	struct snapshot_head head;
	struct named_site *sites; /* owned with their frames; target and stack are 0 */
	size_t n;

	const struct frame **pointers; /* owned: what sites[].frames point into */
	struct frame *frames;	       /* owned */
	char *texts;		       /* owned: what the frames point into */
};

struct kept_snapshot *kept_snapshot_free(struct kept_snapshot *s);
DEFINE_CLEANUP(struct kept_snapshot *, kept_snapshot_free)

/*
 * The bytes of a snapshot: little endian, with a version and a checksum. Takes the head of
 * @s, which may be made for the call, and its sites. Texts and frames that several sites share
 * are there once. The caller frees *ret. -EINVAL: a name, target or stack that could not come back;
 * -EFBIG: 4 GiB; -ENOMEM.
 */
int snapshot_pack(const struct kept_snapshot *s, void **ret, size_t *ret_size);

/*
 * The input is not trusted: -EINVAL if it is damaged, cut or makes no sense; -EPROTO: of another
 * version; -ENOMEM. Texts are printable UTF-8.
 */
int snapshot_unpack(const void *packed, size_t size, struct kept_snapshot **ret);

/*
 * The same bytes in about a tenth of the room, for keeping, and back. The caller frees *ret. -EFBIG:
 * 4 GiB; -EINVAL: damaged; -ENOMEM.
 */
int snapshot_deflate(const void *packed, size_t size, void **ret, size_t *ret_size);
int snapshot_inflate(const void *deflated, size_t size, void **ret, size_t *ret_size);

/*
 * What changed from one to the other, as input of group_sites(): one site per stack whose live bytes
 * or blocks are others. What it grew by counts as allocated, what it shrank by as freed: what came and
 * went between the two is not known. The same frames are the same stack, whatever the process. The
 * array is the caller's; its frames are borrowed from both. -ENOMEM.
 */
int kept_snapshot_difference(const struct kept_snapshot *from, const struct kept_snapshot *to,
			     struct named_site **ret, size_t *ret_n);

#endif
