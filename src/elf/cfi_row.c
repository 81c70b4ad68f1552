// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libdw's answer for an address, in the eight bytes of a row.
 *
 * Register numbers are those of the System V ABI for AMD64, figure 3.36: 6 is rbp, 7 rsp, 16 the
 * return address.
 */
#include <dwarf.h>

#include "elf/cfi.h"

#define REGISTER_RBP 6
#define REGISTER_RSP 7
#define REGISTER_RA  16

/* "register + offset": the register's number, or -1 for anything else. */
static int based_on(const Dwarf_Op *op, int64_t *ret_offset)
{
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		*ret_offset = (int64_t)op->number;
		return op->atom - DW_OP_breg0;
	}
	if (op->atom == DW_OP_bregx && op->number <= INT32_MAX) {
		*ret_offset = (int64_t)op->number2;
		return (int)op->number;
	}
	return -1;
}

/*
 * The expression that linkers write for a PLT of 16-byte stubs: the CFA is one word further from
 * the eleventh (or, for other stubs, tenth) byte on, behind the push.
 */
static bool is_plt(const Dwarf_Op *ops, size_t n, uint16_t *ret_threshold)
{
	int64_t offset;

	if (n != 9 || based_on(&ops[0], &offset) != REGISTER_RSP || offset != 8 ||
	    based_on(&ops[1], &offset) != REGISTER_RA || offset != 0)
		return false;
	if (ops[2].atom != DW_OP_lit15 || ops[3].atom != DW_OP_and || ops[5].atom != DW_OP_ge ||
	    ops[6].atom != DW_OP_lit3 || ops[7].atom != DW_OP_shl || ops[8].atom != DW_OP_plus)
		return false;
	if (ops[4].atom != DW_OP_lit11 && ops[4].atom != DW_OP_lit10)
		return false;
	*ret_threshold = ops[4].atom - DW_OP_lit0;
	return true;
}

/* The rule with the offset's high bits, see UNWIND_RULE. */
static uint8_t cfa_rule(const Dwarf_Op *ops, size_t n, uint16_t *ret_off8)
{
	int64_t offset = 0;
	int reg;

	if (n == 0)
		return RULE_INVALID;
	if (is_plt(ops, n, ret_off8))
		return RULE_PLT;
	reg = based_on(&ops[0], &offset);
	if (offset % 8 != 0)
		return RULE_INVALID;
	offset /= 8;
	if (n == 1 && (reg == REGISTER_RSP || reg == REGISTER_RBP)) {
		if (offset < 0 || offset > UNWIND_CFA_OFF8_MAX)
			return RULE_INVALID;
		*ret_off8 = (uint16_t)offset;
		return (uint8_t)((reg == REGISTER_RSP ? RULE_RSP : RULE_RBP) | offset >> 16 << 4);
	}
	/* How gcc finds the CFA again after it has realigned the stack. */
	if (n == 2 && reg == REGISTER_RBP && ops[1].atom == DW_OP_deref) {
		if (offset < INT16_MIN || offset > INT16_MAX)
			return RULE_INVALID;
		*ret_off8 = (uint16_t)(int16_t)offset;
		return RULE_RBP_DEREF;
	}
	return RULE_INVALID;
}

enum place {
	PLACE_SAME,
	PLACE_UNDEFINED,
	PLACE_AT_CFA, /* saved at CFA + offset */
	PLACE_AT_RBP, /* saved where rbp points to */
	PLACE_OTHER,
};

static enum place find_register(Dwarf_Frame *frame, int reg, int64_t *ret_offset)
{
	Dwarf_Op memory[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, reg, memory, &ops, &n) != 0)
		return PLACE_OTHER;
	if (n == 0)
		return ops == memory ? PLACE_UNDEFINED : PLACE_SAME;
	if (ops[0].atom == DW_OP_call_frame_cfa) {
		*ret_offset = 0;
		if (n == 1)
			return PLACE_AT_CFA;
		/* Compilers write it where they realign the stack (libdw puts the CFA before it). */
		if (n == 2 && ops[1].atom == DW_OP_breg0 + REGISTER_RBP && ops[1].number == 0)
			return PLACE_AT_RBP;
		if (n != 2 || ops[1].atom != DW_OP_plus_uconst)
			return PLACE_OTHER;
		*ret_offset = (int64_t)ops[1].number;
		return PLACE_AT_CFA;
	}
	return PLACE_OTHER;
}

static int8_t rbp_rule(Dwarf_Frame *frame)
{
	int64_t offset = 0;

	switch (find_register(frame, REGISTER_RBP, &offset)) {
	case PLACE_SAME:
		return RBP_SAME;
	case PLACE_AT_CFA:
		/* 0, 126 and 127 mean something else. */
		if (offset % 8 != 0 || offset == 0 || offset < 8 * INT8_MIN ||
		    offset >= 8 * RBP_AT_RBP)
			return RBP_LOST;
		return (int8_t)(offset / 8);
	case PLACE_AT_RBP:
		return RBP_AT_RBP;
	default:
		/* In another register: not in a row. */
		return RBP_LOST;
	}
}

void cfi_row(Dwarf_Frame *frame, struct unwind_row *row)
{
	bool is_signal = false;
	Dwarf_Op *ops;
	int64_t offset = 0;
	enum place ra;
	int column;
	size_t n;

	*row = (struct unwind_row){ .rule = RULE_INVALID };
	column = dwarf_frame_info(frame, NULL, NULL, &is_signal);
	if (column < 0)
		return;
	if (is_signal) {
		row->rule = RULE_SIGNAL;
		return;
	}
	ra = find_register(frame, column, &offset);
	if (ra == PLACE_UNDEFINED) {
		row->rule = RULE_END;
		return;
	}
	if (ra != PLACE_AT_CFA || offset != -8 || column != REGISTER_RA)
		return;
	if (dwarf_frame_cfa(frame, &ops, &n) != 0)
		return;
	row->rule = cfa_rule(ops, n, &row->cfa_off8);
	if (row->rule != RULE_INVALID)
		row->rbp_off8 = rbp_rule(frame);
}
