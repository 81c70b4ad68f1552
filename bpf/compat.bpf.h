/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * What old kernels lack. The object is compiled twice: the usual one, and with SEEP_LEGACY one for
 * kernels before 5.17, which have neither callbacks (bpf_loop, bpf_find_vma) nor, before 5.12,
 * atomics that return a value. User space chooses by trying (src/probe/object.c). When 5.17 is the
 * oldest kernel that is supported, this file and the second object go.
 */
#ifndef SEEP_COMPAT_BPF_H
#define SEEP_COMPAT_BPF_H

#ifdef SEEP_LEGACY

/*
 * A global function is verified once, and not for each of the ways that lead to it; it takes numbers
 * only. Not in the other object: 6.10 to 6.14 refuse it while preemption is disabled.
 */
#define verified_once __noinline

#define HAS_CALLBACKS 0

/*
 * User space counts its numbers up from 1; the kernel side's have the top bit set and are random,
 * and whoever uses one must find it free (BPF_NOEXIST).
 */
#define fresh_number(counter) (bpf_get_prandom_u32() | 0x80000000u)

#else

#define verified_once	      static __always_inline
#define HAS_CALLBACKS	      1
#define fresh_number(counter) __sync_fetch_and_add(counter, 1)

#endif

#endif
