// SPDX-License-Identifier: GPL-2.0-or-later
/* The CPython interpreter in a process. See interpreter.h. */
#include "python/interpreter.h"

#include <string.h>

#include "base/cleanup.h"
#include "elf/files.h"
#include "elf/image.h"
#include "python/file.h"
#include "python/thread_slot.h"
#include "target/procfs.h"

/* Extension modules have "cpython-311" in their names and no interpreter in them. */
bool python_is_interpreter_path(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name + 1 : path;
	return strstr(name, "python") && !strstr(name, ".cpython-");
}

/* 3.11 and later say their version as PY_VERSION_HEX: 0x030b02f0. */
static int read_version(struct python_interpreter *i, const struct python_file *file, uint64_t bias,
			unsigned int *ret_minor)
{
	uint64_t hex;
	int r;

	*ret_minor = file->minor;
	if (!file->version)
		return 0;
	r = python_read_u64(&i->memory, file->version + bias, &hex);
	if (r < 0)
		return r;
	if (hex >> 24 != 3)
		return -EPROTO;
	*ret_minor = hex >> 16 & 0xff;
	i->micro = hex >> 8 & 0xff;
	return 0;
}

static int read_layout(struct python_interpreter *i, const struct python_file *file, uint64_t bias,
		       const char **ret_why)
{
	uint8_t bytes[PYTHON_DEBUG_OFFSETS_BYTES];
	const struct python_layout *table;
	unsigned int minor;
	size_t n = sizeof(bytes);
	int r;

	r = read_version(i, file, bias, &minor);
	if (r < 0 && r != -EPROTO)
		return r;
	table = r < 0 ? NULL : python_layout_find(3, minor);
	if (!table) {
		*ret_why = "only CPython 3.8 to 3.14 are supported";
		return -EOPNOTSUPP;
	}
	if (file->runtime_bytes && file->runtime_bytes < n)
		n = file->runtime_bytes;
	r = python_read(&i->memory, i->runtime, bytes, n);
	if (r < 0)
		return r;
	r = python_layout_of_runtime(table, bytes, n, &i->layout, ret_why);
	return r == -EPROTO ? -EOPNOTSUPP : r;
}

/* The types are what they are taken for, and code is as large as its layout has it. */
static int check_types(struct python_interpreter *i)
{
	uint64_t words[PY_TYPE_BYTES / sizeof(uint64_t)];
	int r;

	r = python_read(&i->memory, i->type_type, words, sizeof(words));
	if (r < 0)
		return r;
	if (words[PY_OB_TYPE / 8] != i->type_type)
		return -EPROTO;
	r = python_read(&i->memory, i->code_type, words, sizeof(words));
	if (r < 0)
		return r;
	if (words[PY_OB_TYPE / 8] != i->type_type)
		return -EPROTO;
	/* From 3.11 on the instructions follow the object, and its size is where they begin. */
	if (i->layout.previous_instruction != PYTHON_LASTI_POINTER)
		return 0;
	if (words[PY_TP_BASICSIZE / 8] < i->layout.code_linetable ||
	    words[PY_TP_BASICSIZE / 8] > i->layout.code_linetable + 128u)
		return -EPROTO;
	i->layout.code_first_unit = (uint16_t)words[PY_TP_BASICSIZE / 8];
	return 0;
}

static void take_addresses(struct python_interpreter *i, const struct python_file *file,
			   uint64_t bias)
{
	i->runtime = file->runtime + bias;
	i->type_type = file->type_type + bias;
	i->code_type = file->code_type + bias;
	i->dict_type = file->dict_type ? file->dict_type + bias : 0;
	i->function_type = file->function_type ? file->function_type + bias : 0;
	for (size_t n = 0; n < ARRAY_SIZE(i->function_new); n++)
		i->function_new[n] = file->function_new[n] ? file->function_new[n] + bias : 0;
	i->new_managed = file->new_managed ? file->new_managed + bias : 0;
	i->gc_new = file->gc_new ? file->gc_new + bias : 0;
	i->gc_new_var = file->gc_new_var ? file->gc_new_var + bias : 0;
	for (size_t part = 0; part < ARRAY_SIZE(i->eval); part++) {
		if (file->eval[part][1] == file->eval[part][0])
			continue;
		i->eval[part][0] = file->eval[part][0] + bias;
		i->eval[part][1] = file->eval[part][1] + bias;
	}
}

int python_interpreter_read(pid_t pid, const struct python_file *file, uint64_t start,
			    uint64_t offset, struct python_interpreter *ret, const char **ret_why)
{
	uint64_t bias = start - (offset - file->text_offset + file->text);
	struct python_interpreter i = { .file_bias = start - offset };
	int r;

	python_memory_of_process(&i.memory, pid);
	take_addresses(&i, file, bias);
	r = read_layout(&i, file, bias, ret_why);
	if (r < 0)
		return r;
	r = check_types(&i);
	if (r == -EPROTO) {
		*ret_why = "its types are not where its symbols say";
		return -EAGAIN;
	}
	if (r < 0)
		return r;
	python_thread_slot_find(&i, file->runtime_bytes);
	*ret = i;
	return 0;
}

static int read_mapped_file(pid_t pid, const struct mapping *m, struct python_file *ret)
{
	_cleanup_(image_freep) struct image *image = NULL;
	_cleanup_close_ int root = -EBADF;
	int fd, r;

	r = file_open_mapped("/proc", pid, m->start, m->end, m->path,
			     (uint64_t)m->major << 20 | m->minor, m->inode, &fd, &root);
	if (r < 0)
		return r;
	r = image_open(fd, &image);
	return r < 0 ? r : python_file_read(image, ret);
}

static int find_in(pid_t pid, const struct mapping *mappings, size_t n,
		   struct python_interpreter *ret, const char **ret_why)
{
	int denied = 0;

	for (size_t k = 0; k < n; k++) {
		const struct mapping *m = &mappings[k];
		struct python_file file;
		int r;

		if (!m->inode || !python_is_interpreter_path(m->path))
			continue;
		r = read_mapped_file(pid, m, &file);
		if (r == -EPERM || r == -EACCES)
			denied = r;
		if (r < 0)
			continue;
		r = python_interpreter_read(pid, &file, m->start, m->offset, ret, ret_why);
		if (r == 0) {
			ret->file_dev = (uint64_t)m->major << 20 | m->minor;
			ret->file_inode = m->inode;
		}
		return r;
	}
	return denied ? denied : -ENOENT;
}

int python_interpreter_find(pid_t pid, struct python_interpreter *ret, const char **ret_why)
{
	struct mapping *mappings = NULL;
	size_t n = 0;
	int r;

	*ret_why = NULL;
	r = procfs_exec_mappings("/proc", pid, &mappings, &n);
	if (r < 0)
		return r;
	r = find_in(pid, mappings, n, ret, ret_why);
	(void)mappings_free(mappings, n);
	return r;
}
