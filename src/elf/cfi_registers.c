// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which registers call frame instructions name (DWARF 5, 6.4.2 and 7.24, with GNU's extensions).
 *
 * libdw has an array of as many as the greatest number that it meets, and copies it for each row:
 * some bytes of a file that lies would take hundreds of megabytes and many seconds.
 */
#include <dwarf.h>

#include "elf/cfi.h"

/* x86-64 has numbers up to 130 (psABI, figure 3.36). */
#define REGISTERS_MAX 256

#define HIGH_BITS 0xc0

struct reader {
	const uint8_t *at, *end;
};

/*
 * False where it is longer than libdw reads on (LEB128 of 9 bytes have 63 bits): what comes next is then not
 * the same for both. One that is cut by the end is the end.
 */
static bool read_number(struct reader *r, uint64_t *ret)
{
	*ret = 0;
	for (unsigned int shift = 0; r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;

		if (shift > 56)
			return false;
		*ret |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return true;
}

static bool skip_number(struct reader *r)
{
	uint64_t value;

	return read_number(r, &value);
}

static void skip(struct reader *r, uint64_t n)
{
	size_t left = (size_t)(r->end - r->at);

	r->at += n < left ? n : left;
}

static bool skip_block(struct reader *r)
{
	uint64_t n;

	if (!read_number(r, &n))
		return false;
	skip(r, n);
	return true;
}

static bool read_register(struct reader *r)
{
	uint64_t value;

	return read_number(r, &value) && value < REGISTERS_MAX;
}

/* False where the instruction is one that libdw refuses as well, or has no known length. */
static bool skip_operands(struct reader *r, uint8_t code)
{
	switch (code) {
	case DW_CFA_nop:
	case DW_CFA_remember_state:
	case DW_CFA_restore_state:
		break;
	case DW_CFA_advance_loc1:
		skip(r, 1);
		break;
	case DW_CFA_advance_loc2:
		skip(r, 2);
		break;
	case DW_CFA_advance_loc4:
		skip(r, 4);
		break;
	case DW_CFA_MIPS_advance_loc8:
		skip(r, 8);
		break;
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_GNU_args_size:
		return skip_number(r);
	case DW_CFA_def_cfa_expression:
		return skip_block(r);
	default:
		return false;
	}
	return true;
}

static bool skip_registers(struct reader *r, uint8_t code)
{
	switch (code) {
	case DW_CFA_restore_extended:
	case DW_CFA_undefined:
	case DW_CFA_same_value:
	case DW_CFA_def_cfa_register:
		return read_register(r);
	case DW_CFA_register:
		return read_register(r) && read_register(r);
	case DW_CFA_offset_extended:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_GNU_negative_offset_extended:
		return read_register(r) && skip_number(r);
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		return read_register(r) && skip_block(r);
	default:
		return skip_operands(r, code);
	}
}

bool cfi_registers_fit(const uint8_t *start, const uint8_t *end)
{
	struct reader r = { .at = start, .end = end };

	while (r.at < r.end) {
		uint8_t code = *r.at++;

		if (!(code & HIGH_BITS)) {
			if (!skip_registers(&r, code))
				return false;
		} else if ((code & HIGH_BITS) == DW_CFA_offset && !skip_number(&r)) {
			return false;
		}
	}
	return true;
}

bool cfi_skip_augmentation(const uint8_t **at, const uint8_t *end, bool has_size, size_t size)
{
	struct reader r = { .at = *at, .end = end };
	uint64_t n = size;

	if ((has_size && !read_number(&r, &n)) || n > (size_t)(end - r.at))
		return false;
	*at = r.at + n;
	return true;
}
