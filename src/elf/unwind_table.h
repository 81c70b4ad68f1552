/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call frame information of one file, compiled for the BPF side.
 *
 * A row holds from its pc up to the next row's pc. pcs are offsets in the file (not virtual
 * addresses), so a mapping's start and file offset are all that is needed to look one up. A
 * bucket index has one entry per 512 bytes of the covered range: the index of the first row whose
 * pc is at or above the bucket's start, plus one closing entry.
 *
 * x86-64: the return address is always at CFA - 8; only rsp and rbp are followed. Source of the
 * rules: System V ABI for AMD64, 3.7; DWARF 5, 6.4.
 */
#ifndef SEEP_ELF_UNWIND_TABLE_H
#define SEEP_ELF_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "../bpf/abi.h" /* struct unwind_row, enum unwind_rule: shared with the BPF side */
#include "base/cleanup.h"

struct unwind_table {
	struct unwind_row *rows; /* ascending pc */
	uint32_t n_rows;
	uint32_t *buckets; /* n_buckets + 1 entries, ascending */
	uint32_t n_buckets;
	uint32_t start; /* file offset of the first bucket, a multiple of 512 */
};

/* Limits: a file over one of them gets -EFBIG. */
#define UNWIND_MAX_ROWS	      (8u << 20)
#define UNWIND_MAX_FILE_BYTES (4ull << 30)

/*
 * Compiles the table of the ELF file open at @fd. -ENOEXEC: not an ELF file of this machine;
 * -ENODATA: no call frame information; -EFBIG; -ENOMEM. Parses hostile input: only the sandboxed
 * child calls it.
 */
int unwind_table_compile(int fd, struct unwind_table **ret);

/*
 * Builds buckets for rows that came from elsewhere, and checks them: ascending, known rules. Takes
 * over @rows (from malloc), also on failure. -ENODATA: none; -EFBIG; -EBADMSG; -ENOMEM.
 */
int unwind_table_from_rows(struct unwind_row *rows, uint32_t n_rows, struct unwind_table **ret);

/* The row that covers a file offset, NULL outside of the table. What BPF does, for tests. */
const struct unwind_row *unwind_table_lookup(const struct unwind_table *t, uint32_t pc);

struct unwind_table *unwind_table_free(struct unwind_table *t);
DEFINE_CLEANUP(struct unwind_table *, unwind_table_free)

#endif
