// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * build: -O2 -fomit-frame-pointer -fno-builtin
 *
 * stack_jit frame|bare: generated code that calls back into C, with or without frame pointers. Its
 * name is told in /tmp/perf-PID.map, as perf wants it. With --step it is called again and again, a
 * byte between. See stack_shadow.h.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "stack_shadow.h"

#define PAGE 4096

typedef void (*generated)(void (*callback)(size_t bytes), size_t bytes);

/* push %rbp; mov %rsp,%rbp; mov %rdi,%rax; mov %rsi,%rdi; call *%rax; pop %rbp; ret */
static const unsigned char with_frame[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8,
					    0x48, 0x89, 0xf7, 0xff, 0xd0, 0x5d, 0xc3 };
/* sub $24,%rsp; mov %rdi,%rax; mov %rsi,%rdi; call *%rax; add $24,%rsp; ret */
static const unsigned char without[] = { 0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0xf8, 0x48, 0x89,
					 0xf7, 0xff, 0xd0, 0x48, 0x83, 0xc4, 0x18, 0xc3 };

static void s_back(size_t bytes)
{
	ENTER();
	ALLOCATE(bytes);
	LEAVE();
}

static void write_map(const void *code, size_t bytes)
{
	char path[64], line[96];
	int fd, n;

	n = snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	if (n < 0 || n >= (int)sizeof(path))
		die("snprintf failed");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	n = snprintf(line, sizeof(line), "%lx %zx s_generated\n", (unsigned long)(uintptr_t)code,
		     bytes);
	if (fd < 0 || n < 0 || write(fd, line, (size_t)n) != n || close(fd) != 0)
		die("no map of the generated code");
}

static generated generate(const unsigned char *code, size_t bytes)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		die("mmap failed");
	memcpy(page, code, bytes);
	if (mprotect(page, PAGE, PROT_READ | PROT_EXEC) != 0)
		die("mprotect failed");
	write_map(page, bytes);
	return (generated)page;
}

static NOINLINE void s_calls_generated(generated code, size_t bytes)
{
	ENTER();
	shadow_push("s_generated");
	code(s_back, bytes);
	LEAVE();
	LEAVE();
}

/* Whether to go on. */
static bool step(void)
{
	char byte = 0;

	say("step\n");
	return read(STDIN_FILENO, &byte, 1) == 1 && byte == 'x';
}

int main(int argc, char **argv)
{
	bool frame = !has_flag(argc, argv, "bare");
	generated code;
	char text[32];

	shadow_begin();
	workload_begin(argc, argv);
	ENTER();
	code = frame ? generate(with_frame, sizeof(with_frame)) :
		       generate(without, sizeof(without));
	do {
		s_calls_generated(code, frame ? 70001 : 70003);
	} while (has_flag(argc, argv, "--step") && step());
	if (snprintf(text, sizeof(text), "\"pid\":%d,", (int)getpid()) >= (int)sizeof(text))
		die("snprintf failed");
	shadow_tell(text);
	LEAVE();
	return 0;
}
