// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fuzz target without a fuzzer: each file of its corpus, and damaged copies of it, always the same ones.
 * For make test; make fuzz has a real fuzzer. Prints TAP.
 *
 *	replay CORPUS-FOLDER [COPIES-PER-FILE]
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define FILE_MAX (1u << 20)
#define COPIES	 199

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t next_random(uint64_t *state)
{
	/* xorshift64*, Vigna 2016. */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* A target reads a block of its very size, so that ASan sees where it ends. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* Cuts it, or overwrites a few bytes, or repeats a part. Returns the size. */
static size_t damage(uint8_t *data, size_t size, uint64_t *state)
{
	static const uint8_t telling[] = { 0, 1, 0x7f, 0x80, 0xff, '\n', '"', '%' };
	size_t changes = 1 + next_random(state) % 8;

	if (!size)
		return 0;
	if (next_random(state) % 8 == 0)
		return next_random(state) % size;
	for (size_t i = 0; i < changes; i++) {
		size_t at = next_random(state) % size;

		if (next_random(state) % 2)
			data[at] = telling[next_random(state) % sizeof(telling)];
		else
			data[at] = (uint8_t)next_random(state);
	}
	return size;
}

static int replay(const char *path, unsigned int copies)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ uint8_t *whole = malloc(FILE_MAX), *damaged = malloc(FILE_MAX);
	uint64_t state = 0x9e3779b97f4a7c15ull;
	size_t size;

	if (!f || !whole || !damaged)
		return -1;
	size = fread(whole, 1, FILE_MAX, f);
	run(whole, size);
	for (unsigned int i = 0; i < copies; i++) {
		memcpy(damaged, whole, size);
		run(damaged, damage(damaged, size, &state));
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int copies = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : COPIES;
	struct dirent **names;
	int n, files = 0;

	n = argc > 1 ? scandir(argv[1], &names, NULL, alphasort) : -1;
	if (n < 0) {
		fprintf(stderr, "usage: replay CORPUS-FOLDER [COPIES-PER-FILE]\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", argv[1], names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			int r = replay(path, copies);

			printf("%s %d - %s and %u damaged copies\n", r < 0 ? "not ok" : "ok",
			       ++files, names[i]->d_name, copies);
		}
		free(names[i]);
	}
	free(names);
	printf("1..%d\n", files);
	return files ? 0 : 2;
}
