// SPDX-License-Identifier: GPL-2.0-or-later
/* The interpreter in an ELF file. See file.h. */
#include "python/file.h"

#include <capstone/capstone.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/symbols.h"

/* The loop is 20 to 60 KiB; a tail-calling build's is a few instructions. */
#define EVAL_BYTES_MAX (1u << 20)
#define COLD_BYTES_MAX (1u << 18)

#define SYMBOLS_MAX (1u << 22)

/* So many jumps from the loop make a function its cold part; others get none, or one. */
#define COLD_JUMPS_MIN 4

struct wanted {
	const char *name;
	size_t address; /* of the member of struct python_file */
	size_t bytes;	/* and of that with the size; 0: none */
};

#define MEMBER(m) offsetof(struct python_file, m)

static const struct wanted wanted[] = {
	{ "_PyRuntime", MEMBER(runtime), MEMBER(runtime_bytes) },
	{ "PyType_Type", MEMBER(type_type), 0 },
	{ "PyCode_Type", MEMBER(code_type), 0 },
	{ "PyDict_Type", MEMBER(dict_type), 0 },
	{ "_PyObject_GC_New", MEMBER(gc_new), 0 },
	{ "_PyObject_GC_NewVar", MEMBER(gc_new_var), 0 },
	{ "_PyType_NewManagedObject", MEMBER(new_managed), 0 },
	{ "PyFunction_Type", MEMBER(function_type), 0 },
	{ "PyFunction_New", MEMBER(function_new[0]), 0 },
	{ "PyFunction_NewWithQualName", MEMBER(function_new[1]), 0 },
	{ "Py_Version", MEMBER(version), 0 },
	{ "_PyEval_EvalFrameDefault", MEMBER(eval[0][0]), MEMBER(eval[0][1]) },
};

static void take_symbol(const char *name, const GElf_Sym *sym, struct python_file *f)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(wanted); i++) {
		const struct wanted *w = &wanted[i];

		if (strncmp(name, w->name, strlen(w->name)) != 0 ||
		    symbol_name_length(name) != strlen(w->name))
			continue;
		*(uint64_t *)((uint8_t *)f + w->address) = sym->st_value;
		if (w->bytes)
			*(uint64_t *)((uint8_t *)f + w->bytes) = sym->st_size;
	}
}

static void read_table(Elf *elf, uint32_t type, struct python_file *f)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		Elf_Data *data;
		GElf_Sym sym;

		if (!gelf_getshdr(section, &header) || header.sh_type != type)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && i < (int)SYMBOLS_MAX && gelf_getsym(data, i, &sym); i++)
			if (sym.st_shndx != SHN_UNDEF && sym.st_value)
				take_symbol(elf_strptr(elf, header.sh_link, sym.st_name), &sym, f);
	}
}

struct jump_target {
	uint64_t start;
	uint32_t n;
};

/* The function that holds an address: the last start at or below it. */
static size_t function_of(const struct cfi_starts *starts, uint64_t vaddr)
{
	size_t low = 0, high = starts->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (starts->list[middle] <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : SIZE_MAX;
}

/* Where an instruction jumps to, calls left out; 0: nowhere that is known. */
static uint64_t jump_of(const uint8_t *code, size_t n, uint64_t vaddr)
{
	int32_t distance;

	if (n >= 5 && code[0] == 0xe9) {
		memcpy(&distance, code + 1, sizeof(distance));
		return vaddr + 5 + (uint64_t)(int64_t)distance;
	}
	if (n >= 6 && code[0] == 0x0f && (code[1] & 0xf0) == 0x80) {
		memcpy(&distance, code + 2, sizeof(distance));
		return vaddr + 6 + (uint64_t)(int64_t)distance;
	}
	return 0;
}

/* Counts the jumps out of the loop, by function. */
static void count_jumps(const struct python_file *f, const uint8_t *code, size_t n,
			const struct cfi_starts *starts, uint32_t *jumps, csh engine, cs_insn *insn)
{
	uint64_t vaddr = f->eval[0][0], at = vaddr;

	while (n > 0) {
		uint64_t target = jump_of(code, n, at);
		size_t function = target ? function_of(starts, target) : SIZE_MAX;

		if (function != SIZE_MAX && (target < vaddr || target >= f->eval[0][1]))
			jumps[function]++;
		/* What is no instruction (a table) is stepped over. */
		if (!cs_disasm_iter(engine, &code, &n, &at, insn)) {
			code++;
			n--;
			at++;
		}
	}
}

static int most_jumped(const struct python_file *f, const uint8_t *code, size_t n,
		       const struct cfi_starts *starts, size_t *ret)
{
	_cleanup_free_ uint32_t *jumps = calloc(starts->n, sizeof(*jumps));
	cs_insn *insn;
	csh engine;

	if (!jumps)
		return -ENOMEM;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
		return -ENOTSUP;
	insn = cs_malloc(engine);
	if (insn) {
		count_jumps(f, code, n, starts, jumps, engine, insn);
		cs_free(insn, 1);
	}
	(void)cs_close(&engine);
	*ret = 0;
	for (size_t i = 1; i < starts->n; i++)
		if (jumps[i] > jumps[*ret])
			*ret = i;
	return jumps[*ret] >= COLD_JUMPS_MIN ? 0 : -ENOENT;
}

static int find_cold_part(const struct image *image, struct python_file *f)
{
	_cleanup_(cfi_starts_done) struct cfi_starts starts = { 0 };
	_cleanup_free_ uint8_t *code = NULL;
	uint64_t offset, size = f->eval[0][1] - f->eval[0][0];
	size_t cold;
	ssize_t n;
	int r;

	if (!image_vaddr_to_offset(image, f->eval[0][0], &offset))
		return -ENOENT;
	r = cfi_eh_frame_starts(image, &starts);
	if (r < 0 || starts.n < 2)
		return r < 0 ? r : -ENOENT;
	code = malloc(size);
	if (!code)
		return -ENOMEM;
	n = image_read(image, offset, code, size);
	if (n < 0)
		return (int)n;
	r = most_jumped(f, code, (size_t)n, &starts, &cold);
	if (r < 0)
		return r;
	/* The last of them ends somewhere, which is not looked for. */
	if (cold + 1 == starts.n || starts.list[cold + 1] - starts.list[cold] > COLD_BYTES_MAX)
		return -ENOENT;
	f->eval[1][0] = starts.list[cold];
	f->eval[1][1] = starts.list[cold + 1];
	return 0;
}

/* The tag of cached bytecode, sys.implementation.cache_tag: a string of its own in all of 3.8 to 3.10. */
#define CACHE_TAG "cpython-3"

static uint32_t minor_of_cache_tag(const struct image *image)
{
	size_t size = 0;
	const char *bytes = elf_rawfile(image->elf, &size), *end = bytes + size, *at = bytes;

	while (at && (at = memmem(at, (size_t)(end - at), CACHE_TAG, strlen(CACHE_TAG)))) {
		uint32_t minor = 0;

		at += strlen(CACHE_TAG);
		for (int i = 0; i < 2 && at < end && *at >= '0' && *at <= '9'; i++)
			minor = 10 * minor + (uint32_t)(*at++ - '0');
		if (minor && at < end && *at == '\0')
			return minor;
	}
	return 0;
}

bool python_file_is_sane(const struct python_file *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->eval); i++)
		if (f->eval[i][1] < f->eval[i][0] || f->eval[i][1] - f->eval[i][0] > EVAL_BYTES_MAX)
			return false;
	return f->runtime && f->type_type && f->code_type && f->minor < 100;
}

int python_file_read(const struct image *image, struct python_file *ret)
{
	struct python_file f = { 0 };

	read_table(image->elf, SHT_DYNSYM, &f);
	if (!f.runtime)
		read_table(image->elf, SHT_SYMTAB, &f);
	if (!f.runtime || !f.type_type || !f.code_type)
		return -ENOENT;
	if (!f.version)
		f.minor = minor_of_cache_tag(image);
	for (size_t i = 0; i < image->n_segments && !f.text; i++) {
		if (!image->segments[i].executable)
			continue;
		f.text = image->segments[i].vaddr;
		f.text_offset = image->segments[i].offset;
	}
	if (f.eval[0][1] > EVAL_BYTES_MAX || f.eval[0][0] > UINT64_MAX - EVAL_BYTES_MAX)
		f.eval[0][0] = f.eval[0][1] = 0;
	f.eval[0][1] += f.eval[0][0];
	if (f.eval[0][1] > f.eval[0][0])
		(void)find_cold_part(image, &f);
	*ret = f;
	return 0;
}
