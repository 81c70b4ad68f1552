/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that passes for CPython 3.11 and lies: fake_main(MODE). Whoever walks its frames must come to an
 * end, and read nothing that it should not.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const unsigned long Py_Version = 0x030b02f0;
uint64_t _PyRuntime[512];
uint64_t PyType_Type[64], PyCode_Type[64], PyDict_Type[64];

static uint64_t interpreter[64], state[64], cframe[4], frames[2][16], code[64], text[64], table[64];
static void *blocks[1 << 18];

#define SET(object, offset, value) \
	(*(uint64_t *)((char *)(object) + (offset)) = (uint64_t)(uintptr_t)(value))

__attribute__((noinline)) void *_PyEval_EvalFrameDefault(size_t size)
{
	void *block = malloc(size);

	__asm__ volatile("" : : "r"(block) : "memory");
	return block;
}

static void build(pthread_key_t key)
{
	SET(PyType_Type, 8, PyType_Type);
	SET(PyCode_Type, 8, PyType_Type);
	SET(PyCode_Type, 32, 184);
	SET(_PyRuntime, 40, interpreter);
	SET(interpreter, 16, state);
	SET(state, 16, interpreter);
	SET(state, 56, cframe);
	SET(state, 152, pthread_self());
	SET(cframe, 8, frames[0]);
	SET(_PyRuntime, 0x240, state);
	SET(_PyRuntime, 0x248, interpreter);
	SET(_PyRuntime, 0x250, (uint64_t)key << 32 | 1);
	(void)pthread_setspecific(key, state);
	for (int i = 0; i < 2; i++) {
		SET(frames[i], 32, code);
		SET(frames[i], 56, (char *)code + 184);
	}
	SET(code, 8, PyCode_Type);
	SET(code, 72, 23);
	SET(code, 112, text);
	SET(code, 120, text);
	SET(code, 128, text);
	SET(code, 136, table);
	SET(text, 16, 4);	/* length */
	SET(text, 32, 0x64);	/* ASCII */
	SET(text, 48, 0x656b6166); /* "fake" */
}

/* Numbers that would overflow, lengths that lie, pointers to nowhere. */
static void lie(int round)
{
	static const uint64_t lengths[] = { UINT64_MAX, 1ull << 62, 0x7fffffff, 193, 0 };
	static const uint64_t states[] = { 0xffffffff, 0x20, 0x68, 0x64, 0x30, 0 };

	SET(text, 16, lengths[round % 5]);
	SET(text, 32, states[round % 6]);
	SET(table, 16, lengths[round % 5]);
	SET(code, 136, round % 7 ? (uint64_t)(uintptr_t)table : 0x10);
	SET(code, 112, round % 11 ? (uint64_t)(uintptr_t)text : UINT64_MAX - 7);
	SET(frames[0], 56, (uint64_t)round << 33);
}

int fake_main(const char *mode)
{
	pthread_key_t key;
	char c;

	(void)pthread_key_create(&key, NULL);
	build(key);
	(void)puts("ready");
	(void)fflush(stdout);
	if (read(STDIN_FILENO, &c, 1) < 0)
		return 1;
	if (strcmp(mode, "cycle") == 0)
		SET(frames[0], 48, frames[0]);
	if (strcmp(mode, "nowhere") == 0)
		SET(frames[0], 48, 0x10);
	for (int i = 0; i < (1 << 16); i++) {
		if (strcmp(mode, "lies") == 0)
			lie(i);
		if (strcmp(mode, "endless") == 0)
			SET(code, 72, i);
		blocks[i] = _PyEval_EvalFrameDefault(13007);
	}
	(void)puts("{}");
	(void)fflush(stdout);
	return read(STDIN_FILENO, &c, 1) < 0;
}
