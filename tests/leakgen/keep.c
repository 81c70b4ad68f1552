// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory of leakgen's own. See keep.h. */
#include "keep.h"

#include <stdint.h>
#include <sys/mman.h>

/* Before each piece: how long its mapping is. A multiple of every alignment that is needed. */
struct head {
	_Alignas(max_align_t) size_t length;
};

void *keep_realloc(void *at, size_t bytes)
{
	size_t length = (bytes + sizeof(struct head) + 4095) & ~(size_t)4095;
	struct head *head = at ? (struct head *)at - 1 : NULL;

	if (bytes > SIZE_MAX / 2)
		return NULL;
	if (head)
		head = mremap(head, head->length, length, MREMAP_MAYMOVE);
	else
		head = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	if (head == MAP_FAILED)
		return NULL;
	head->length = length;
	return head + 1;
}

void keep_free(void *at)
{
	struct head *head = at ? (struct head *)at - 1 : NULL;

	if (head)
		munmap(head, head->length);
}
