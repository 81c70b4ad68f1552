// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin
 *
 * Ways to be called other than by one's own program: by the library, by the kernel, on other stacks
 * and in other threads. See stack_shadow.h.
 */
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "stack_shadow.h"

#define STACK (1 << 18)

static volatile size_t wanted; /* by the next callback; 0: nothing */

static NOINLINE void s_leaf(size_t bytes)
{
	ENTER();
	ALLOCATE(bytes);
	LEAVE();
}

/* Once only, however often it is called. */
static NOINLINE void s_wanted(void)
{
	size_t bytes = wanted;

	ENTER();
	wanted = 0;
	if (bytes)
		s_leaf(bytes);
	LEAVE();
}

static int s_compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	ENTER();
	s_wanted();
	LEAVE();
	return (x > y) - (x < y);
}

static NOINLINE void s_qsort(size_t bytes)
{
	int numbers[] = { 13, 7, 11, 2, 5, 3, 17 };

	ENTER();
	wanted = bytes;
	qsort(numbers, 7, sizeof(numbers[0]), s_compare);
	LEAVE();
}

static NOINLINE void s_bsearch(size_t bytes)
{
	int numbers[] = { 2, 3, 5, 7, 11, 13, 17 };
	int key = 11;

	ENTER();
	wanted = bytes;
	if (!bsearch(&key, numbers, 7, sizeof(numbers[0]), s_compare))
		die("bsearch failed");
	LEAVE();
}

static void s_visit(const void *node, VISIT which, int depth)
{
	ENTER();
	(void)node;
	(void)which;
	(void)depth;
	s_wanted();
	LEAVE();
}

static NOINLINE void s_twalk(size_t bytes)
{
	static int key = 7;
	void *root = NULL;

	ENTER();
	if (!tsearch(&key, &root, s_compare))
		die("tsearch failed");
	wanted = bytes;
	twalk(root, s_visit);
	LEAVE();
}

static void s_handler(int sig)
{
	ENTER();
	(void)sig;
	s_wanted();
	LEAVE();
}

static void handle(int sig, int flags)
{
	struct sigaction action = { .sa_handler = s_handler, .sa_flags = flags };

	if (sigaction(sig, &action, NULL) != 0)
		die("sigaction failed");
}

static NOINLINE void s_raise(size_t bytes)
{
	ENTER();
	handle(SIGUSR1, 0);
	wanted = bytes;
	(void)raise(SIGUSR1);
	LEAVE();
}

/* A fault: the interrupted instruction is the first that is executed again. */
static NOINLINE void s_fault_handler(int sig, siginfo_t *info, void *context)
{
	ENTER();
	(void)sig;
	(void)context;
	s_wanted();
	if (mprotect(info->si_addr, 4096, PROT_READ | PROT_WRITE) != 0)
		die("mprotect failed");
	LEAVE();
}

static NOINLINE void s_fault(size_t bytes)
{
	struct sigaction action = { .sa_sigaction = s_fault_handler, .sa_flags = SA_SIGINFO };
	volatile int *page;

	ENTER();
	page = (volatile int *)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || sigaction(SIGSEGV, &action, NULL) != 0)
		die("mmap failed");
	wanted = bytes;
	*page = 7;
	(void)munmap((void *)page, 4096);
	LEAVE();
}

static NOINLINE void s_alternate(size_t bytes, void *memory)
{
	stack_t other = { .ss_sp = memory, .ss_size = STACK };
	stack_t none = { .ss_flags = SS_DISABLE };

	ENTER();
	if (sigaltstack(&other, NULL) != 0)
		die("sigaltstack failed");
	handle(SIGUSR2, SA_ONSTACK);
	wanted = bytes;
	(void)raise(SIGUSR2);
	(void)sigaltstack(&none, NULL);
	LEAVE();
}

struct job {
	size_t bytes;
	void *memory; /* for an alternative stack */
};

static void *s_thread(void *argument)
{
	const struct job *job = argument;

	ENTER();
	s_leaf(job->bytes);
	LEAVE();
	return NULL;
}

static void *s_thread_above(void *argument)
{
	const struct job *job = argument;

	ENTER();
	s_alternate(job->bytes, job->memory);
	LEAVE();
	return NULL;
}

static void *s_thread_below(void *argument)
{
	const struct job *job = argument;

	ENTER();
	s_alternate(job->bytes, job->memory);
	LEAVE();
	return NULL;
}

static void run_thread(const pthread_attr_t *attributes, void *(*function)(void *),
		       const struct job *job)
{
	pthread_t thread;

	if (pthread_create(&thread, attributes, function, (void *)job) != 0 ||
	    pthread_join(thread, NULL) != 0)
		die("pthread_create failed");
}

/* A thread whose stack lies above or below that on which its signal is handled. */
static void run_alternate_thread(size_t bytes, bool above)
{
	char *memory =
		mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct job job = { bytes, memory + (above ? 0 : STACK) };
	pthread_attr_t attributes;

	if (memory == MAP_FAILED || pthread_attr_init(&attributes) != 0 ||
	    pthread_attr_setstack(&attributes, memory + (above ? STACK : 0), STACK) != 0)
		die("no stack for a thread");
	run_thread(&attributes, above ? s_thread_above : s_thread_below, &job);
	(void)pthread_attr_destroy(&attributes);
	(void)munmap(memory, 2 * STACK);
}

static void s_thread_ends(void *value)
{
	ENTER();
	s_leaf((size_t)value);
	LEAVE();
}

static void *leave_thread(void *argument)
{
	pthread_key_t key;

	if (pthread_key_create(&key, s_thread_ends) != 0 || pthread_setspecific(key, argument) != 0)
		die("pthread_key_create failed");
	return NULL;
}

static void s_once_only(void)
{
	ENTER();
	s_wanted();
	LEAVE();
}

static NOINLINE void s_once(size_t bytes)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	ENTER();
	wanted = bytes;
	(void)pthread_once(&once, s_once_only);
	LEAVE();
}

static void s_coroutine(void)
{
	ENTER();
	s_wanted();
	LEAVE();
}

/* On a stack of its own a chain begins anew. */
static void run_coroutine(size_t bytes)
{
	static char stack[STACK] __attribute__((aligned(16)));
	struct shadow_chain saved = shadow_chain;
	ucontext_t here, there;

	if (getcontext(&there) != 0)
		die("getcontext failed");
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = sizeof(stack);
	there.uc_link = &here;
	makecontext(&there, s_coroutine, 0);
	wanted = bytes;
	shadow_chain.n = 0;
	(void)swapcontext(&here, &there);
	shadow_chain = saved;
}

static void run_threads(void)
{
	pthread_t thread;
	struct job job = { 30097, NULL };

	run_thread(NULL, s_thread, &job);
	run_alternate_thread(30103, false);
	run_alternate_thread(30109, true);
	if (pthread_create(&thread, NULL, leave_thread, (void *)(size_t)30113) != 0 ||
	    pthread_join(thread, NULL) != 0)
		die("pthread_create failed");
}

int main(void)
{
	static char memory[STACK];

	shadow_begin();
	ENTER();
	s_qsort(30011);
	s_bsearch(30013);
	s_twalk(30029);
	s_raise(30047);
	s_fault(30059);
	s_alternate(30071, memory);
	s_once(30089);
	run_threads();
	run_coroutine(30119);
	shadow_tell("");
	LEAVE();
	return 0;
}
