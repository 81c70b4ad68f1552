/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hashes for ids that people keep: the same in every build, on every host, for ever.
 *
 * FNV-1a with 64 bits over the bytes of the parts, ended by MurmurHash3's 64-bit finaliser so that
 * short inputs differ in all digits. A text is its bytes and a NUL (an absent one the byte 0xff,
 * which is in no UTF-8, and a NUL), a number its 8 bytes, the least one first. Not meant to
 * withstand someone who looks for collisions: compare what was hashed where that matters.
 */
#ifndef SEEP_HEAP_IDS_H
#define SEEP_HEAP_IDS_H

#include <stdint.h>

#define ID_START 0xcbf29ce484222325ull

uint64_t id_add_text(uint64_t h, const char *text);
uint64_t id_add_number(uint64_t h, uint64_t number);
uint64_t id_end(uint64_t h);

/* The part behind the last slash; NULL for NULL. */
const char *path_base_name(const char *path);

#endif
