// SPDX-License-Identifier: GPL-2.0-or-later
/* Where in a function a probe is cheapest. See placement.h. */
#include "elf/placement.h"

#include <capstone/capstone.h>

#include "base/cleanup.h"

/* The probe is at most this far into the function. */
#define MAX_DISTANCE 32

static bool is_jcc_rel8(uint8_t opcode)
{
	return opcode >= 0x70 && opcode <= 0x7f;
}

bool placement_is_emulated(const uint8_t *code, size_t size)
{
	if (size < 1)
		return false;
	if (code[0] >= 0x50 && code[0] <= 0x57) /* push reg */
		return true;
	if (code[0] == 0x90) /* nop */
		return true;
	if (code[0] == 0xeb || is_jcc_rel8(code[0])) /* jmp, jcc rel8 */
		return size >= 2;
	if (code[0] == 0x41) /* push r8 .. r15 */
		return size >= 2 && code[1] >= 0x50 && code[1] <= 0x57;
	if (code[0] == 0xe8 || code[0] == 0xe9) /* call, jmp rel32 */
		return size >= 5;
	if (code[0] == 0x0f) /* jcc rel32 */
		return size >= 6 && code[1] >= 0x80 && code[1] <= 0x8f;
	return false;
}

static bool is_conditional_jump(const uint8_t *code, size_t size)
{
	return placement_is_emulated(code, size) && (is_jcc_rel8(code[0]) || code[0] == 0x0f);
}

/* je or jz, taken when the register that was just tested is 0. */
static bool is_jump_if_zero(const uint8_t *code, size_t size)
{
	return is_conditional_jump(code, size) &&
	       (code[0] == 0x74 || (code[0] == 0x0f && code[1] == 0x84));
}

/* test %rdi,%rdi or cmp $0,%rdi */
static bool tests_first_argument(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	if (x86->op_count != 2 || x86->operands[0].type != X86_OP_REG ||
	    x86->operands[0].reg != X86_REG_RDI)
		return false;
	if (insn->id == X86_INS_TEST)
		return x86->operands[1].type == X86_OP_REG && x86->operands[1].reg == X86_REG_RDI;
	return insn->id == X86_INS_CMP && x86->operands[1].type == X86_OP_IMM &&
	       x86->operands[1].imm == 0;
}

/* The 64-bit registers that a probe reads, with their parts. */
static bool is_kept_register(unsigned int reg)
{
	static const uint16_t kept[] = {
		X86_REG_RSP, X86_REG_ESP, X86_REG_SP,  X86_REG_SPL, X86_REG_RBP, X86_REG_EBP,
		X86_REG_BP,  X86_REG_BPL, X86_REG_RDI, X86_REG_EDI, X86_REG_DI,	 X86_REG_DIL,
		X86_REG_RSI, X86_REG_ESI, X86_REG_SI,  X86_REG_SIL, X86_REG_RDX, X86_REG_EDX,
		X86_REG_DX,  X86_REG_DL,  X86_REG_DH,  X86_REG_RCX, X86_REG_ECX, X86_REG_CX,
		X86_REG_CL,  X86_REG_CH,  X86_REG_R8,  X86_REG_R8D, X86_REG_R8W, X86_REG_R8B,
		X86_REG_R9,  X86_REG_R9D, X86_REG_R9W, X86_REG_R9B,
	};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (kept[i] == reg)
			return true;
	}
	return false;
}

/*
 * Whether the state that the probe sees is the same after this instruction. Only plain data
 * instructions qualify: an unknown one may do anything.
 */
static bool may_be_skipped(csh engine, const cs_insn *insn)
{
	cs_regs reads, writes;
	uint8_t n_reads, n_writes;

	switch (insn->id) {
	case X86_INS_ENDBR64:
	case X86_INS_NOP:
	case X86_INS_TEST:
	case X86_INS_CMP:
	case X86_INS_MOV:
	case X86_INS_MOVABS:
	case X86_INS_MOVZX:
	case X86_INS_MOVSX:
	case X86_INS_MOVSXD:
	case X86_INS_LEA:
	case X86_INS_XOR:
	case X86_INS_AND:
	case X86_INS_OR:
	case X86_INS_ADD:
	case X86_INS_SUB:
	case X86_INS_NEG:
	case X86_INS_NOT:
	case X86_INS_SHL:
	case X86_INS_SHR:
	case X86_INS_BSR:
	case X86_INS_BSF:
		break;
	default:
		return false;
	}
	if (cs_regs_access(engine, insn, reads, &n_reads, writes, &n_writes) != CS_ERR_OK)
		return false;
	for (uint8_t i = 0; i < n_writes; i++) {
		if (is_kept_register(writes[i]))
			return false;
	}
	return true;
}

/*
 * Finds the places for a probe, the best first. A place behind the branch of free(NULL) comes
 * before the branch itself: it is not hit by calls that do nothing.
 */
static size_t find_places(csh engine, cs_insn *insn, const uint8_t *code, size_t size,
			  bool skips_null, size_t places[2])
{
	const uint8_t *at = code;
	size_t left = size, n = 0, branch = 0;
	uint64_t address = 0;
	bool tested = false;

	while (address <= MAX_DISTANCE && left > 0) {
		size_t here = (size_t)address;
		bool is_null_branch =
			skips_null && tested && branch == 0 && is_jump_if_zero(at, left);

		if (placement_is_emulated(at, left) && !is_null_branch) {
			places[n++] = here;
			break;
		}
		if (!cs_disasm_iter(engine, &at, &left, &address, insn))
			break;
		if (is_null_branch)
			branch = here;
		else if (!may_be_skipped(engine, insn))
			break;
		tested = tests_first_argument(insn);
	}
	if (branch > 0)
		places[n++] = branch;
	return n;
}

/* How far into the function, up to @distance, a direct branch of the function itself leads. */
static size_t first_branch_target(csh engine, cs_insn *insn, const uint8_t *code, size_t size,
				  size_t distance)
{
	size_t left = size, first = SIZE_MAX;
	uint64_t address = 0;

	while (left > 0 && cs_disasm_iter(engine, &code, &left, &address, insn)) {
		const cs_x86_op *op;

		if (insn->id == 0 || insn->detail->x86.op_count != 1 ||
		    (!cs_insn_group(engine, insn, CS_GRP_JUMP) &&
		     !cs_insn_group(engine, insn, CS_GRP_CALL)))
			continue;
		op = &insn->detail->x86.operands[0];
		if (op->type == X86_OP_IMM && op->imm > 0 && (uint64_t)op->imm <= distance &&
		    (size_t)op->imm < first)
			first = (size_t)op->imm;
	}
	return first;
}

size_t placement_find(const uint8_t *code, size_t size, bool skips_null)
{
	size_t places[2], n, found = 0, target;
	cs_insn *insn;
	csh engine;

	if (placement_is_emulated(code, size))
		return 0;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
		return 0;
	/* Bytes that are not code (tables between the code) are stepped over, not the end. */
	cs_option(engine, CS_OPT_DETAIL, CS_OPT_ON);
	insn = cs_malloc(engine);
	if (insn) {
		n = find_places(engine, insn, code, size, skips_null, places);
		cs_option(engine, CS_OPT_SKIPDATA, CS_OPT_ON);
		target = first_branch_target(engine, insn, code, size, MAX_DISTANCE);
		/* A branch back to or over the place would be one more hit, or none, per call. */
		for (size_t i = 0; i < n && found == 0; i++) {
			if (places[i] < target)
				found = places[i];
		}
		cs_free(insn, 1);
	}
	cs_close(&engine);
	return found;
}

/* Adds as much of @words as there is room for. */
static size_t append_words(char *text, size_t size, size_t used, const char *words)
{
	for (; *words && used + 1 < size; words++)
		text[used++] = *words >= ' ' && *words <= '~' ? *words : ' ';
	text[used] = 0;
	return used;
}

void placement_describe(const uint8_t *code, size_t size, uint64_t vaddr, char *text,
			size_t text_bytes)
{
	cs_insn *insn;
	csh engine;

	*text = 0;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
		return;
	cs_option(engine, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	insn = cs_malloc(engine);
	if (insn && cs_disasm_iter(engine, &code, &size, &vaddr, insn)) {
		size_t used = append_words(text, text_bytes, 0, insn->mnemonic);

		if (*insn->op_str) {
			used = append_words(text, text_bytes, used, " ");
			(void)append_words(text, text_bytes, used, insn->op_str);
		}
	}
	if (insn)
		cs_free(insn, 1);
	cs_close(&engine);
}
