/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names that were found, by stored frame, kept for good.
 *
 * Lists that were handed out stay where they are until the end, also when a later answer replaces
 * them.
 */
#ifndef SEEP_SYMBOLIZE_NAMES_H
#define SEEP_SYMBOLIZE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "symbolize/frame.h"
#include "symbolize/protocol.h"

struct names;

struct names *names_new(void); /* NULL: no memory */
struct names *names_free(struct names *names);
DEFINE_CLEANUP(struct names *, names_free)

/* What all frames of a file have in common; borrowed from whoever outlives the names. */
struct names_file {
	const char *module;   /* NULL: not known */
	const char *build_id; /* NULL: none */
};

const struct frame_list *names_find(struct names *names, uint64_t frame);

/* Whether a frame is known for good; a frame of names_add_unknown(.., true) is not. */
bool names_is_final(struct names *names, uint64_t frame);

/* A frame without function and line. @provisional: worth another try. Never replaces names. */
int names_add_unknown(struct names *names, uint64_t frame, const struct names_file *file,
		      bool provisional);

/*
 * A frame that is known otherwise; its strings are borrowed and outlive the names. Replaces what was there;
 * @provisional as in names_add_unknown(). -ENOMEM.
 */
int names_add_frame(struct names *names, uint64_t frame, const struct frame *named,
		    bool provisional);

/* Names that come in one at a time, innermost first. */
struct names_builder {
	struct frame frames[INLINE_DEPTH_MAX]; /* function and file are owned */
	size_t n;
};

void names_builder_reset(struct names_builder *b);

/* Takes one answer's text, made printable. -EBADMSG: sizes do not fit, or too many. */
int names_builder_add(struct names_builder *b, const struct name_answer *answer,
		      const uint8_t *text, size_t size);

/* Adds what was built for @frame and empties the builder. */
int names_add(struct names *names, uint64_t frame, const struct names_file *file,
	      struct names_builder *b);

#endif
