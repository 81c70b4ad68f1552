/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in a function a probe is cheapest.
 *
 * The kernel emulates a few x86 instructions (push reg, jmp, jcc, call rel, 1-byte nop); any other
 * is single-stepped, which costs many times as much. The probe goes to the first emulated
 * instruction that every call passes, with the stack pointer still at the return address and the
 * argument registers untouched. Source: arch/x86/kernel/uprobes.c, branch_setup_xol_ops() and
 * push_setup_xol_ops().
 */
#ifndef SEEP_ELF_PLACEMENT_H
#define SEEP_ELF_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Distance in bytes from the function's start to the probe; 0 when nothing better is found.
 * @code: the function's bytes, @size of them (at least the first 64 are useful, the whole function
 * is best: branches that would jump over the probe are looked for).
 * @skips_null: the function takes a block and does nothing for NULL (free), so that a conditional
 * branch on its first argument being 0 may be passed.
 */
size_t placement_find(const uint8_t *code, size_t size, bool skips_null);

/* Whether the kernel emulates the instruction at @code. */
bool placement_is_emulated(const uint8_t *code, size_t size);

/*
 * The instruction at @code, which is loaded at @vaddr, in words: "pushq %r12". Printable ASCII, cut to
 * @text_bytes (at least 1) with its NUL; empty if it is no instruction.
 */
void placement_describe(const uint8_t *code, size_t size, uint64_t vaddr, char *text,
			size_t text_bytes);

#endif
