/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Python codes that frames name by number (bpf/abi.h: FRAME_SLOT_PYTHON), kept for good.
 */
#ifndef SEEP_SYMBOLIZE_CODES_H
#define SEEP_SYMBOLIZE_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "python/code.h"
#include "symbolize/frame.h"

/* A process that makes code all the time shall not cost more: some 60 MB. */
#define CODES_MAX (1u << 17)

struct codes;

struct codes *codes_new(void); /* NULL: no memory */
struct codes *codes_free(struct codes *codes);
DEFINE_CLEANUP(struct codes *, codes_free)

/* Takes over @code, also on failure. -EEXIST; -ENOSPC: CODES_MAX; -ENOMEM. */
int codes_add(struct codes *codes, uint32_t id, struct python_code *code);

bool codes_is_python(uint64_t frame);

size_t codes_count(const struct codes *codes);
/* Stops at the first negative result and returns it. */
typedef int (*codes_fn)(uint32_t id, const struct python_code *code, void *userdata);
int codes_each(const struct codes *codes, codes_fn callback, void *userdata);

/* The frame of a stored one, its strings borrowed. False: its code is not known. */
bool codes_describe(const struct codes *codes, uint64_t frame, struct frame *ret);

#endif
