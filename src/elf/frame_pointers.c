// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether the code of a file keeps frame pointers. */
#include "elf/frame_pointers.h"

#include <string.h>

#include "elf/symbols.h"

#define SAMPLE	       101 /* functions that are looked at */
#define SAMPLE_MIN     5   /* fewer prove nothing */
#define CODE_BYTES_MIN 16  /* shorter functions often have no frame, and call nobody */

bool frame_pointers_by_go(const struct image *image)
{
	return image_has_section(image, ".gopclntab") ||
	       image_has_section(image, ".go.buildinfo") ||
	       image_has_section(image, ".data.rel.ro.gopclntab");
}

static bool has_prologue(const struct image *image, const struct symbol *s)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	/* push %rbp; mov %rsp,%rbp in its two encodings */
	static const uint8_t forms[][4] = { { 0x55, 0x48, 0x89, 0xe5 },
					    { 0x55, 0x48, 0x8b, 0xec } };
	const uint8_t *at;
	uint8_t code[8];
	uint64_t offset;

	if (!image_vaddr_to_offset(image, s->vaddr, &offset) ||
	    image_read(image, offset, code, sizeof(code)) != (ssize_t)sizeof(code))
		return false;
	at = memcmp(code, endbr64, sizeof(endbr64)) == 0 ? code + sizeof(endbr64) : code;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (memcmp(at, forms[i], sizeof(forms[i])) == 0)
			return true;
	return false;
}

bool frame_pointers_by_prologue(const struct image *image)
{
	_cleanup_(symbols_done) struct symbols symbols = { 0 };
	size_t looked_at = 0, kept = 0, step;

	if (symbols_add(&symbols, image->elf, SHT_SYMTAB) < 0 ||
	    symbols_add(&symbols, image->elf, SHT_DYNSYM) < 0)
		return false;
	symbols_sort(&symbols);
	step = symbols.n > SAMPLE ? symbols.n / SAMPLE : 1;
	for (size_t i = 0; i < symbols.n; i += step) {
		if (symbols.list[i].size < CODE_BYTES_MIN)
			continue;
		looked_at++;
		kept += has_prologue(image, &symbols.list[i]);
	}
	/* Start-up code is among them; of code without frame pointers next to none looks so. */
	return looked_at >= SAMPLE_MIN && kept * 4 >= looked_at * 3;
}
