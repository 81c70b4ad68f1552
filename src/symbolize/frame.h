/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames: as the kernel side stores them and as people read them.
 *
 * A stored frame is one 64-bit word (bpf/abi.h): bit 63 says that the address is exact and not a
 * return address, bits 48..62 the file slot (0: none, the rest is an absolute address), bits 0..47
 * the offset in the file. One stored frame becomes one or more read frames, inlined ones first. A Python
 * frame has a slot of its own, and instead of an offset which code it runs and where.
 */
#ifndef SEEP_SYMBOLIZE_FRAME_H
#define SEEP_SYMBOLIZE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_kind {
	FRAME_NATIVE,
	FRAME_INLINED,
	FRAME_PYTHON,
};

/* All strings are owned by whoever owns the frame, valid UTF-8 without control characters. */
struct frame {
	enum frame_kind kind;
	const char *function; /* demangled; NULL when no symbol covers the address */
	const char *file;     /* source file; NULL without line information */
	uint32_t line;	      /* 0 without line information */
	const char *module;   /* path of the ELF file as the target names it; NULL when unknown */
	const char *build_id; /* lower-case hex; NULL when the file has none */
	uint64_t offset;      /* in the file, of the address itself (not return address - 1); */
	/* of a Python frame the lines below its function's first one */
	bool approximate; /* no symbol covers the address: there is only the offset */
};

/* What one stored frame stands for: innermost first, the physical function last. n >= 1. */
struct frame_list {
	struct frame *frames;
	size_t n;
};

#endif
