// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin
 *
 * All shapes that a frame can have in C: what the compiler makes of them depends on its options, so
 * this is built with many of them by the test of stacks. See stack_shadow.h.
 */
#include <alloca.h>
#include <immintrin.h>
#include <setjmp.h>

#include "stack_shadow.h"

#define LARGE	  (1 << 20)
#define RECURSION 211

/* Whatever is written there has to be in memory. */
#define USE(local) __asm__ volatile("" : : "r"(local) : "memory")

static volatile unsigned int some = 97;
static jmp_buf back;

static NOINLINE void s_leaf(size_t bytes)
{
	ENTER();
	ALLOCATE(bytes);
	LEAVE();
}

static NOINLINE void s_plain_inner(size_t bytes)
{
	ENTER();
	s_leaf(bytes);
	LEAVE();
}

static NOINLINE void s_plain(size_t bytes)
{
	ENTER();
	s_plain_inner(bytes);
	LEAVE();
}

static SHADOW_INLINE void s_inlined_inner(size_t bytes)
{
	ENTER();
	ALLOCATE(bytes);
	LEAVE();
}

static SHADOW_INLINE void s_inlined_outer(size_t bytes)
{
	ENTER();
	s_inlined_inner(bytes);
	LEAVE();
}

static NOINLINE void s_inlining(size_t bytes)
{
	ENTER();
	s_inlined_outer(bytes);
	LEAVE();
}

static NOINLINE void s_alloca(size_t bytes)
{
	char *local;

	ENTER();
	local = (char *)alloca(16 + some);
	USE(local);
	s_leaf(bytes);
	USE(local);
	LEAVE();
}

static NOINLINE void s_vla(size_t bytes, unsigned int n)
{
	ENTER();
	for (unsigned int i = n; i < n + 3; i++) {
		char local[i];

		USE(local);
		if (i == n + 2)
			s_leaf(bytes);
		USE(local);
	}
	LEAVE();
}

static NOINLINE void s_large(size_t bytes)
{
	char local[LARGE];

	ENTER();
	USE(local);
	s_leaf(bytes);
	USE(local);
	LEAVE();
}

static NOINLINE void s_aligned(size_t bytes)
{
	char local[192] __attribute__((aligned(64)));

	ENTER();
	USE(local);
	s_leaf(bytes);
	USE(local);
	LEAVE();
}

/* Realigned, of unknown size, with arguments on the stack: needs rbp and another base register. */
static NOINLINE void s_aligned_alloca(int a, int b, int c, int d, int e, int f, int g, size_t bytes)
{
	char local[192] __attribute__((aligned(128)));
	char *other;

	ENTER();
	other = (char *)alloca(16 + some + (unsigned int)(a + b + c + d + e + f + g));
	USE(local);
	USE(other);
	s_leaf(bytes);
	USE(local);
	USE(other);
	LEAVE();
}

__attribute__((target("avx"))) static NOINLINE void s_avx(size_t bytes)
{
	__m256 wide = _mm256_set1_ps((float)some);

	ENTER();
	USE(&wide);
	s_leaf(bytes);
	USE(&wide);
	LEAVE();
}

static NOINLINE size_t s_sink(int a, int b, int c, int d, int e, int f, size_t g, size_t h)
{
	return (size_t)(a + b + c + d + e + f) + g + h;
}

static NOINLINE size_t s_argument(size_t bytes)
{
	ENTER();
	ALLOCATE(bytes);
	LEAVE();
	return bytes;
}

/* Other arguments may already be on the stack when this one is computed. */
static NOINLINE void s_pushes(size_t bytes)
{
	ENTER();
	some += s_sink(0, 0, 0, 0, 0, 0, bytes, s_argument(bytes)) == 0;
	LEAVE();
}

/* Has no frame when this is a jump; then its caller is not known to anybody. */
static NOINLINE void s_tail(size_t bytes)
{
#ifdef __OPTIMIZE__
	s_leaf(bytes);
#else
	ENTER();
	s_leaf(bytes);
	LEAVE();
#endif
}

static NOINLINE void s_tails(size_t bytes)
{
	ENTER();
	s_tail(bytes);
	LEAVE();
}

static NOINLINE void s_recursion(size_t bytes, unsigned int depth)
{
	ENTER();
	if (depth)
		s_recursion(bytes, depth - 1);
	else
		s_leaf(bytes);
	LEAVE();
}

__attribute__((noreturn)) static NOINLINE void s_noreturn(size_t bytes)
{
	ENTER();
	ALLOCATE(bytes);
	longjmp(back, 1);
}

/* The call is its last instruction: the return address belongs to the next function. */
__attribute__((noreturn)) static NOINLINE void s_last_call(size_t bytes)
{
	ENTER();
	s_noreturn(bytes);
}

static NOINLINE void s_jumps(size_t bytes, size_t other)
{
	volatile unsigned int depth;

	ENTER();
	depth = shadow_depth();
	if (setjmp(back) == 0)
		s_last_call(bytes);
	shadow_cut(depth);
	s_leaf(other);
	LEAVE();
}

__attribute__((cold)) static NOINLINE void s_cold_leaf(size_t bytes)
{
	ENTER();
	ALLOCATE(bytes);
	LEAVE();
}

/* The unlikely part may be moved away from the rest. */
static NOINLINE void s_split(size_t bytes)
{
	ENTER();
	if (__builtin_expect(some != 0, 0)) {
		s_cold_leaf(bytes);
		some++;
	} else {
		s_leaf(1);
		s_leaf(2);
	}
	LEAVE();
}

static NOINLINE void s_many_saved(size_t bytes)
{
	uint64_t a = some, b = a * 3, c = b ^ 5, d = c * 7, e = d ^ a, f = e * 11;

	ENTER();
	USE(&bytes);
	s_leaf(bytes);
	some = (unsigned int)((a ^ b ^ c ^ d ^ e ^ f) & 1) + 97;
	LEAVE();
}

int main(void)
{
	shadow_begin();
	ENTER();
	s_plain(20011);
	s_inlining(20021);
	s_alloca(20023);
	s_vla(20029, 1009);
	s_large(20047);
	s_aligned(20051);
	s_aligned_alloca(0, 0, 0, 0, 0, 0, 0, 20063);
	if (__builtin_cpu_supports("avx"))
		s_avx(20071);
	s_pushes(20089);
	s_tails(20101);
	s_recursion(20107, 23);
	s_recursion(20113, RECURSION);
	s_jumps(20117, 20123);
	s_split(20129);
	s_many_saved(20143);
	shadow_tell("");
	LEAVE();
	return 0;
}
