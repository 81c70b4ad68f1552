// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether the code of a file keeps frame pointers. See frame_pointers.h. */
#include "elf/frame_pointers.h"

#include <capstone/capstone.h>
#include <string.h>

#include "elf/symbols.h"

#define SAMPLE	       101 /* functions that are looked at */
#define SAMPLE_MIN     5   /* fewer prove nothing */
#define CODE_BYTES_MIN 16  /* shorter functions often have no frame, and call nobody */

/* gcc moves up to this many instructions of the function in between those that make the frame. */
#define OTHERS_MAX 8

/* A function that calls nobody so far is not looked at further. */
#define CODE_BYTES_MAX 512

bool frame_pointers_by_go(const struct image *image)
{
	return image_has_section(image, ".gopclntab") ||
	       image_has_section(image, ".go.buildinfo") ||
	       image_has_section(image, ".data.rel.ro.gopclntab");
}

/* How far a frame has been made. */
enum frame_progress {
	FRAME_NOTHING,
	FRAME_ARGUMENTS, /* realigned: r10 points to the arguments */
	FRAME_REALIGNED, /* and rsp is aligned */
	FRAME_RETURN,	 /* and the return address is on the stack once more */
	FRAME_SAVED,	 /* rbp is on the stack, above a return address */
	FRAME_MADE,	 /* and rbp points there */
	FRAME_NONE,	 /* the stack is used for something else */
};

static bool is_register(const cs_insn *insn, uint8_t operand, unsigned int reg)
{
	const cs_x86 *x86 = &insn->detail->x86;

	return operand < x86->op_count && x86->operands[operand].type == X86_OP_REG &&
	       x86->operands[operand].reg == (x86_reg)reg;
}

/* Whether an operand is memory at a register and a distance. */
static bool is_memory(const cs_insn *insn, uint8_t operand, unsigned int base, int64_t distance)
{
	const cs_x86 *x86 = &insn->detail->x86;
	const x86_op_mem *memory = &x86->operands[operand].mem;

	return operand < x86->op_count && x86->operands[operand].type == X86_OP_MEM &&
	       memory->base == (x86_reg)base && memory->index == X86_REG_INVALID &&
	       memory->segment == X86_REG_INVALID && memory->disp == distance;
}

/* Registers that whatever is between the steps must leave alone, with their parts. */
static bool is_frame_register(unsigned int reg, enum frame_progress progress)
{
	static const uint16_t always[] = { X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL,
					   X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL };
	static const uint16_t realigned[] = { X86_REG_R10, X86_REG_R10D, X86_REG_R10W,
					      X86_REG_R10B };

	for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
		if (always[i] == reg)
			return true;
	}
	if (progress == FRAME_NOTHING || progress >= FRAME_SAVED)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(realigned); i++) {
		if (realigned[i] == reg)
			return true;
	}
	return false;
}

static bool leaves_registers_alone(csh engine, const cs_insn *insn, enum frame_progress progress)
{
	cs_regs reads, writes;
	uint8_t n_reads, n_writes;

	if (cs_regs_access(engine, insn, reads, &n_reads, writes, &n_writes) != CS_ERR_OK)
		return false;
	for (uint8_t i = 0; i < n_writes; i++) {
		if (is_frame_register(writes[i], progress))
			return false;
	}
	return true;
}

/* What an instruction that makes no frame is between those that do. */
static enum frame_progress step_aside(csh engine, const cs_insn *insn, enum frame_progress progress)
{
	/* An early return: the rest of the function begins with the same stack. */
	if (progress == FRAME_NOTHING && cs_insn_group(engine, insn, CS_GRP_RET))
		return progress;
	if (progress != FRAME_NOTHING &&
	    (cs_insn_group(engine, insn, CS_GRP_JUMP) || cs_insn_group(engine, insn, CS_GRP_RET)))
		return FRAME_NONE;
	return leaves_registers_alone(engine, insn, progress) ? progress : FRAME_NONE;
}

/*
 * One instruction further. Either
 *	push %rbp; mov %rsp,%rbp
 * or, where gcc aligns the stack for a function that needs its arguments' address too,
 *	lea 8(%rsp),%r10; and $-N,%rsp; push -8(%r10); push %rbp; mov %rsp,%rbp
 */
static enum frame_progress step(csh engine, const cs_insn *insn, enum frame_progress progress)
{
	switch (progress) {
	case FRAME_NOTHING:
		if (insn->id == X86_INS_PUSH && is_register(insn, 0, X86_REG_RBP))
			return FRAME_SAVED;
		if (insn->id == X86_INS_LEA && is_register(insn, 0, X86_REG_R10) &&
		    is_memory(insn, 1, X86_REG_RSP, 8))
			return FRAME_ARGUMENTS;
		break;
	case FRAME_ARGUMENTS:
		if (insn->id == X86_INS_AND && is_register(insn, 0, X86_REG_RSP))
			return FRAME_REALIGNED;
		break;
	case FRAME_REALIGNED:
		if (insn->id == X86_INS_PUSH && is_memory(insn, 0, X86_REG_R10, -8))
			return FRAME_RETURN;
		break;
	case FRAME_RETURN:
		if (insn->id == X86_INS_PUSH && is_register(insn, 0, X86_REG_RBP))
			return FRAME_SAVED;
		break;
	case FRAME_SAVED:
		if (insn->id == X86_INS_MOV && is_register(insn, 0, X86_REG_RBP) &&
		    is_register(insn, 1, X86_REG_RSP))
			return FRAME_MADE;
		break;
	default:
		return progress;
	}
	return step_aside(engine, insn, progress);
}

enum frame_verdict {
	VERDICT_UNKNOWN, /* it calls nobody, so that it is never in the middle of a stack */
	VERDICT_WITHOUT,
	VERDICT_WITH,
};

/*
 * Whether a function has made its frame when it first calls another one. Compilers first do what
 * needs no frame, such as an early return.
 */
static enum frame_verdict judge(csh engine, cs_insn *insn, const struct image *image,
				const struct symbol *s)
{
	enum frame_progress progress = FRAME_NOTHING;
	uint8_t code[CODE_BYTES_MAX];
	const uint8_t *at = code;
	uint64_t offset, address = 0;
	unsigned int others = 0;
	size_t left;
	ssize_t n;

	if (!image_vaddr_to_offset(image, s->vaddr, &offset))
		return VERDICT_UNKNOWN;
	n = image_read(image, offset, code, s->size < sizeof(code) ? s->size : sizeof(code));
	left = n > 0 ? (size_t)n : 0;
	while (left > 0 && cs_disasm_iter(engine, &at, &left, &address, insn)) {
		enum frame_progress before = progress;

		if (cs_insn_group(engine, insn, CS_GRP_CALL))
			return progress == FRAME_MADE ? VERDICT_WITH : VERDICT_WITHOUT;
		progress = step(engine, insn, progress);
		others = progress == before ? others + 1 : 0;
		if (others > OTHERS_MAX && progress > FRAME_NOTHING && progress < FRAME_MADE)
			progress = FRAME_NONE;
	}
	return VERDICT_UNKNOWN;
}

/* Parts of functions have the frame of another one; what the compiler brings along has none. */
static bool is_in_sample(const struct symbol *s)
{
	static const char *const start_up[] = {
		"_start",
		"_init",
		"_fini",
		"_dl_relocate_static_pie",
		"register_tm_clones",
		"deregister_tm_clones",
		"frame_dummy",
		"__do_global_dtors_aux",
		"__libc_csu_init",
		"__libc_csu_fini",
	};

	if (s->size < CODE_BYTES_MIN || s->is_ifunc || strstr(s->name, ".cold") ||
	    strstr(s->name, ".part."))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(start_up); i++) {
		if (strcmp(start_up[i], s->name) == 0)
			return false;
	}
	return true;
}

/* Looks at functions all over the file. Of code without frame pointers next to none looks so. */
static bool sample(csh engine, cs_insn *insn, const struct image *image, struct symbols *symbols)
{
	size_t n = 0, looked_at = 0, kept = 0, distance;

	for (size_t i = 0; i < symbols->n; i++) {
		if (is_in_sample(&symbols->list[i]))
			symbols->list[n++] = symbols->list[i];
	}
	distance = n > SAMPLE ? n / SAMPLE : 1;
	for (size_t i = 0; i < n; i += distance) {
		enum frame_verdict verdict = judge(engine, insn, image, &symbols->list[i]);

		looked_at += verdict != VERDICT_UNKNOWN;
		kept += verdict == VERDICT_WITH;
	}
	return looked_at >= SAMPLE_MIN && kept * 4 >= looked_at * 3;
}

bool frame_pointers_by_prologue(const struct image *image)
{
	_cleanup_(symbols_done) struct symbols symbols = { 0 };
	bool found = false;
	cs_insn *insn;
	csh engine;

	if (symbols_add(&symbols, image->elf, SHT_SYMTAB) < 0 ||
	    symbols_add(&symbols, image->elf, SHT_DYNSYM) < 0)
		return false;
	symbols_sort(&symbols);
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
		return false;
	cs_option(engine, CS_OPT_DETAIL, CS_OPT_ON);
	insn = cs_malloc(engine);
	if (insn) {
		found = sample(engine, insn, image, &symbols);
		cs_free(insn, 1);
	}
	cs_close(&engine);
	return found;
}
