/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame as the JSON object of the API:
 * {"kind","function","file","line","module","build_id","offset","approximate"}.
 */
#ifndef SEEP_SYMBOLIZE_FRAME_JSON_H
#define SEEP_SYMBOLIZE_FRAME_JSON_H

#include <jansson.h>

#include "symbolize/frame.h"

/* New reference; NULL: no memory. */
json_t *frame_to_json(const struct frame *f);

/*
 * The way back. Strings are new, and the caller's: frame_release(). -EINVAL, -ENOMEM; *ret is
 * untouched then.
 */
int frame_from_json(const json_t *json, struct frame *ret);

/* Of a frame that owns its strings. */
int frame_copy(const struct frame *f, struct frame *ret);
void frame_release(struct frame *f);

#endif
