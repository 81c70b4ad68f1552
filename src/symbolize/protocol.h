/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the symbolizer's parent and child say to each other.
 *
 * The child greets once; then the parent asks, one request at a time, and the child answers with one
 * message (base/worker.h), or several of which the last has MESSAGE_LAST. Files go from parent to child
 * as descriptors. Nothing the child says is believed unchecked.
 */
#ifndef SEEP_SYMBOLIZE_PROTOCOL_H
#define SEEP_SYMBOLIZE_PROTOCOL_H

#include <limits.h>
#include <stdint.h>

#include "base/worker.h"
#include "elf/image.h"

enum message_type {
	MESSAGE_HELLO = 1, /* child: the sandbox is closed */
	MESSAGE_OPEN,	   /* + file: its build-id and links; answer: struct about_file */
	MESSAGE_DEBUG,	   /* + debug file of the slot; answer: struct about_file of it */
	MESSAGE_ALT,	   /* + dwz file of the slot; answer: nothing */
	MESSAGE_RESOLVE,   /* uint64_t addresses; answers: struct name_answer + text */
	MESSAGE_HOOKS,	   /* names, each with its NUL; answer: struct hook_point */
	MESSAGE_UNWIND,	   /* + memfd for the rows; answer: nothing, rows are in the memfd */
	MESSAGE_PYTHON,	   /* answer: struct python_file */
};

/*
 * Of a message's members, slot is that of a file, and count the number of addresses, names, points or
 * rows. An error of -ESTALE: the child has not got the slot.
 */

/* Addresses per request: few, since the deadline is for all of them. */
#define RESOLVE_MAX 64

#define HOOK_NAMES_MAX	1024
#define HOOK_POINTS_MAX 512

/* Frames that one address may stand for: inlined calls and the function itself. */
#define INLINE_DEPTH_MAX 64

/* Text of a name or path; longer ones end in TEXT_CUT. */
#define TEXT_BYTES_MAX 4096
#define TEXT_CUT       "[...]"

#define DEBUG_LINK_MAX (NAME_MAX + 1)

struct about_file {
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t build_id_bytes;
	uint32_t flags;
	char debug_link[DEBUG_LINK_MAX]; /* empty: none */
	char alt_link[PATH_MAX];	 /* empty: none */
	uint8_t alt_id[BUILD_ID_MAX];
	uint32_t alt_id_bytes;
};

/* The file itself lacks symbols or line information. */
#define ABOUT_WANTS_DEBUG (1u << 0)

/* An address of a request: an offset in the file, and whether it is one of a call's return. */
#define ADDRESS_EXACT (1ull << 63)

/* One frame, function name and source file behind it, without NULs. */
struct name_answer {
	uint32_t index; /* of the address, ascending */
	uint32_t line;
	uint32_t function_bytes; /* 0: no name */
	uint32_t file_bytes;	 /* 0: no file */
	uint32_t flags;
};

#define NAME_INLINED	 (1u << 0) /* more frames of this address follow */
#define NAME_APPROXIMATE (1u << 1)

#endif
