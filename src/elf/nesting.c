// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which hooked functions call one another. See nesting.h.
 *
 * Functions are decoded one by one, those that a hooked function calls after it, each once. What a
 * function calls is then known, and who reaches a hook in how many calls is a matter of that list.
 */
#include "elf/nesting.h"

#include <capstone/capstone.h>
#include <string.h>

#include "base/cleanup.h"

/*
 * Bounds of the work: 0.2 s at most. glibc's malloc family takes 59 functions and 6,700 instructions;
 * jemalloc's, the most of those tried (musl, tcmalloc and mimalloc, too), 248 and 60,000.
 */
#define FUNCTIONS_MAX	 2048
#define CALLS_MAX	 16384
#define INSNS_MAX	 (1u << 18)
#define FUNCTION_INSNS	 (1u << 14) /* of one function; a power of two */
#define BRANCHES_PENDING 4096

struct function {
	uint64_t start;
	uint32_t first_call; /* its calls, in the order of the walk */
	uint32_t n_calls;
	bool returns; /* to who called it, as far as the code tells */
	bool hits;    /* gets to a hooked function without another call */
};

/* An instruction that the function being decoded had already. */
struct seen {
	uint64_t vaddr;
	uint32_t function; /* number of it, from 1 */
};

struct walk {
	const struct nesting_code *code;
	csh engine;
	cs_insn *insn;
	size_t insns_left;
	size_t n_functions;
	size_t n_calls;
	size_t n_pending;
	size_t function_insns;
	struct function functions[FUNCTIONS_MAX]; /* the hooks first */
	uint32_t calls[CALLS_MAX];		  /* indices of functions */
	uint64_t pending[BRANCHES_PENDING];	  /* where branches lead: to be decoded */
	struct seen seen[2 * FUNCTION_INSNS];	  /* a hash table, never more than half full */
};

static bool is_hook(const struct nesting_code *code, uint64_t vaddr)
{
	for (size_t i = 0; i < code->n_hooks; i++) {
		if (vaddr >= code->hooks[i].start && vaddr <= code->hooks[i].probe)
			return true;
	}
	return false;
}

static int compare_slot(const void *key, const void *item)
{
	uint64_t vaddr = *(const uint64_t *)key;
	const struct nesting_slot *slot = item;

	return vaddr < slot->vaddr ? -1 : vaddr > slot->vaddr;
}

static int compare_start(const void *key, const void *item)
{
	uint64_t vaddr = *(const uint64_t *)key, start = *(const uint64_t *)item;

	return vaddr < start ? -1 : vaddr > start;
}

static bool is_start(const struct nesting_code *code, uint64_t vaddr)
{
	return code->n_starts > 0 &&
	       bsearch(&vaddr, code->starts, code->n_starts, sizeof(*code->starts), compare_start);
}

static bool is_in_code(const struct nesting_code *code, uint64_t vaddr)
{
	return vaddr >= code->vaddr && vaddr - code->vaddr < code->size;
}

/* Decodes one instruction; false if there is none. */
static bool decode(struct walk *w, uint64_t vaddr)
{
	uint64_t offset = vaddr - w->code->vaddr;
	const uint8_t *at;
	size_t left;

	if (!is_in_code(w->code, vaddr) || w->insns_left == 0)
		return false;
	w->insns_left--;
	at = w->code->bytes + offset;
	left = w->code->size - (size_t)offset;
	return cs_disasm_iter(w->engine, &at, &left, &vaddr, w->insn);
}

/* Where the decoded branch leads: an address, NESTING_HOOKED, or 0 if nobody can tell. */
static uint64_t branch_target(const struct walk *w)
{
	const cs_x86 *x86 = &w->insn->detail->x86;
	const struct nesting_slot *slot;
	const cs_x86_op *op = &x86->operands[0];
	uint64_t vaddr;

	if (x86->op_count != 1)
		return 0;
	if (op->type == X86_OP_IMM)
		return (uint64_t)op->imm;
	if (op->type != X86_OP_MEM || op->mem.index != X86_REG_INVALID ||
	    op->mem.segment != X86_REG_INVALID)
		return 0;
	vaddr = (uint64_t)op->mem.disp;
	if (op->mem.base == X86_REG_RIP)
		vaddr += w->insn->address + w->insn->size;
	else if (op->mem.base != X86_REG_INVALID)
		return 0;
	if (w->code->n_slots == 0)
		return 0;
	slot = bsearch(&vaddr, w->code->slots, w->code->n_slots, sizeof(*slot), compare_slot);
	return slot ? slot->target : 0;
}

/* A stub of the PLT leads to where its slot does; anything else is what it is. */
static uint64_t behind_stub(struct walk *w, uint64_t vaddr)
{
	if (!decode(w, vaddr))
		return vaddr;
	if (w->insn->id == X86_INS_ENDBR64 && !decode(w, vaddr + w->insn->size))
		return vaddr;
	if (w->insn->id != X86_INS_JMP || w->insn->detail->x86.op_count != 1 ||
	    w->insn->detail->x86.operands[0].type != X86_OP_MEM)
		return vaddr;
	return branch_target(w);
}

/* True the first time that the function comes to this instruction, and while there is room. */
static bool mark(struct walk *w, uint32_t function, uint64_t vaddr)
{
	const size_t mask = ARRAY_SIZE(w->seen) - 1;
	size_t i = (size_t)(vaddr * 0x9e3779b97f4a7c15ull >> 32) & mask;

	if (w->function_insns >= FUNCTION_INSNS)
		return false;
	while (w->seen[i].function == function) {
		if (w->seen[i].vaddr == vaddr)
			return false;
		i = (i + 1) & mask;
	}
	w->seen[i] = (struct seen){ .vaddr = vaddr, .function = function };
	w->function_insns++;
	return true;
}

static void add_call(struct walk *w, struct function *f, uint64_t target, bool is_deepest)
{
	size_t i = w->code->n_hooks;

	if (is_deepest || !is_in_code(w->code, target) || w->n_calls >= CALLS_MAX)
		return;
	while (i < w->n_functions && w->functions[i].start != target)
		i++;
	if (i == w->n_functions) {
		if (i >= FUNCTIONS_MAX)
			return;
		w->functions[w->n_functions++] = (struct function){ .start = target };
	}
	w->calls[w->n_calls++] = (uint32_t)i;
	f->n_calls++;
}

static void take_call(struct walk *w, struct function *f, bool is_deepest)
{
	uint64_t target = branch_target(w);

	if (target != 0 && target != NESTING_HOOKED && !is_hook(w->code, target))
		target = behind_stub(w, target);
	if (target == NESTING_HOOKED || is_hook(w->code, target))
		f->hits = true;
	else
		add_call(w, f, target, is_deepest);
}

/*
 * A jump goes on in the same call, wherever it leads. True if the code at *at is to be decoded;
 * where it cannot be told, it is some function's that returns.
 */
static bool take_jump(struct walk *w, struct function *f, uint64_t *at)
{
	uint64_t target = branch_target(w);

	if (target == NESTING_HOOKED || is_hook(w->code, target)) {
		f->hits = true;
		f->returns = true;
		return false;
	}
	*at = target;
	if (is_in_code(w->code, target))
		return true;
	f->returns = true;
	return false;
}

static void take_branch(struct walk *w, struct function *f)
{
	uint64_t target;

	if (!take_jump(w, f, &target))
		return;
	if (w->n_pending < BRANCHES_PENDING)
		w->pending[w->n_pending++] = target;
	else
		f->returns = true;
}

/*
 * Goes on to the next instruction of a line of code: true and *at, or false at its end. Code that runs
 * into the next function came from a call that does not return.
 */
static bool step(struct walk *w, struct function *f, uint64_t *at, bool is_deepest)
{
	uint64_t next = *at + w->insn->size;

	switch (w->insn->id) {
	case X86_INS_RET:
		f->returns = true;
		return false;
	case X86_INS_HLT:
	case X86_INS_UD2:
	case X86_INS_INT3:
		return false;
	case X86_INS_JMP:
		return take_jump(w, f, at);
	case X86_INS_CALL:
		take_call(w, f, is_deepest);
		break;
	default:
		if (cs_insn_group(w->engine, w->insn, CS_GRP_JUMP) ||
		    cs_insn_group(w->engine, w->insn, CS_GRP_BRANCH_RELATIVE))
			take_branch(w, f);
		break;
	}
	*at = next;
	if (is_start(w->code, next))
		return false;
	if (!is_hook(w->code, next) || is_hook(w->code, next - 1))
		return true;
	f->hits = true;
	f->returns = true;
	return false;
}

static void decode_function(struct walk *w, uint32_t index, bool is_deepest)
{
	struct function *f = &w->functions[index];

	f->first_call = (uint32_t)w->n_calls;
	w->function_insns = 0;
	w->n_pending = 0;
	w->pending[w->n_pending++] = f->start;
	while (w->n_pending > 0) {
		uint64_t at = w->pending[--w->n_pending];

		while (mark(w, index + 1, at) && decode(w, at) && step(w, f, &at, is_deepest))
			continue;
	}
	/* Not all of it was seen: the rest may return. */
	if (w->insns_left == 0 || w->function_insns >= FUNCTION_INSNS)
		f->returns = true;
}

/* Functions of one depth stand behind one another, so each is met first where it is least deep. */
static void decode_functions(struct walk *w)
{
	size_t from = 0;

	for (int depth = 0; depth <= NESTING_DEPTH; depth++) {
		size_t to = w->n_functions;

		for (; from < to; from++)
			decode_function(w, (uint32_t)from, depth == NESTING_DEPTH);
	}
}

static bool calls_one_that_hits(const struct walk *w, const struct function *f, const bool *hits)
{
	for (uint32_t i = 0; i < f->n_calls; i++) {
		uint32_t called = w->calls[f->first_call + i];

		/* What never comes back is the end of the process, not a part of the call. */
		if (hits[called] && w->functions[called].returns)
			return true;
	}
	return false;
}

/* Who gets to a hook in at most NESTING_DEPTH calls: one more in each round. */
static void spread(const struct walk *w, bool *hits, bool *before)
{
	for (size_t i = 0; i < w->n_functions; i++)
		hits[i] = w->functions[i].hits;
	for (int depth = 0; depth < NESTING_DEPTH; depth++) {
		memcpy(before, hits, w->n_functions * sizeof(*hits));
		for (size_t i = 0; i < w->n_functions; i++) {
			if (!hits[i])
				hits[i] = calls_one_that_hits(w, &w->functions[i], before);
		}
	}
}

static int walk_code(struct walk *w, bool *calls_hooks)
{
	_cleanup_free_ bool *hits = calloc(FUNCTIONS_MAX, sizeof(*hits));
	_cleanup_free_ bool *before = calloc(FUNCTIONS_MAX, sizeof(*before));

	w->insn = cs_malloc(w->engine);
	if (!w->insn || !hits || !before)
		return -ENOMEM;
	for (size_t i = 0; i < w->code->n_hooks; i++)
		w->functions[w->n_functions++].start = w->code->hooks[i].start;
	decode_functions(w);
	spread(w, hits, before);
	memcpy(calls_hooks, hits, w->code->n_hooks * sizeof(*hits));
	return 0;
}

int nesting_find(const struct nesting_code *code, bool *calls_hooks)
{
	_cleanup_free_ struct walk *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	if (code->n_hooks > FUNCTIONS_MAX)
		return -E2BIG;
	w->code = code;
	w->insns_left = INSNS_MAX;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &w->engine) != CS_ERR_OK)
		return -ENOTSUP;
	cs_option(w->engine, CS_OPT_DETAIL, CS_OPT_ON);
	r = walk_code(w, calls_hooks);
	if (w->insn)
		cs_free(w->insn, 1);
	cs_close(&w->engine);
	return r;
}
