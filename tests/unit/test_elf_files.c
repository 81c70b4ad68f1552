// SPDX-License-Identifier: GPL-2.0-or-later
/* The file table, and opening what a process has mapped. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <sys/mman.h>

#include "elf/files.h"
#include "elf/open_file.h"
#include "fixtures/elf.h"

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_table(void **state)
{
	size_t before = fixture_count_descriptors();
	struct file_table *t = file_table_new();
	const struct file *f = NULL;

	(void)state;
	assert_non_null(t);
	assert_int_equal(file_table_add(t, 1, 8, 23, "/a", null_fd(), null_fd(), &f), 0);
	assert_string_equal(f->path, "/a");
	assert_int_equal(f->slot, 1);
	assert_ptr_equal(file_table_get(t, 1), f);
	assert_ptr_equal(file_table_find(t, 8, 23), f);
	assert_null(file_table_find(t, 23, 8));
	assert_null(file_table_get(t, 2));
	assert_null(file_table_get(t, 0));
	assert_null(file_table_get(t, UINT16_MAX));

	/* What is refused is closed all the same. */
	assert_int_equal(file_table_add(t, 0, 8, 29, "/b", null_fd(), -EBADF, NULL), -ERANGE);
	assert_int_equal(file_table_add(t, FILE_SLOT_MAX + 1, 8, 29, "/b", null_fd(), -EBADF, NULL),
			 -ERANGE);
	assert_int_equal(file_table_add(t, 1, 8, 29, "/b", null_fd(), null_fd(), NULL), -EEXIST);
	assert_int_equal(file_table_add(t, 2, 8, 23, "/b", null_fd(), null_fd(), NULL), -EEXIST);
	assert_int_equal(fixture_count_descriptors(), before + 2);

	assert_int_equal(file_table_add(t, FILE_SLOT_MAX, 8, 29, "/b", -ENOENT, -EBADF, &f), 0);
	assert_int_equal(f->fd, -EBADF);
	for (uint16_t i = 2; i < 1009; i++)
		assert_int_equal(file_table_add(t, i, 9, i, "/c", -EBADF, -EBADF, NULL), 0);
	for (uint16_t i = 2; i < 1009; i++)
		assert_int_equal(file_table_find(t, 9, i)->slot, i);
	file_table_free(t);
	assert_int_equal(fixture_count_descriptors(), before);
}

struct mapping {
	uint64_t start, end, dev, inode;
};

/* Our own mapping at @address, as the kernel tells it. */
static struct mapping find_mapping(const void *address)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4608];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		struct mapping m;
		unsigned int maj, min;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*x %x:%x %" SCNu64, &m.start, &m.end,
			   &maj, &min, &m.inode) != 5)
			continue;
		if (m.start != (uintptr_t)address)
			continue;
		m.dev = (uint64_t)maj << 20 | min;
		fclose(f);
		return m;
	}
	abort();
}

static void test_open_mapped(void **state)
{
	size_t before = fixture_count_descriptors();
	char *dir = fixture_directory(), *path = fixture_path(dir, "mapped");
	char text[5] = "";
	struct mapping m;
	int fd, root = 0;
	void *p;

	(void)state;
	fixture_write(path, "seep", 4);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	p = mmap(NULL, 4, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	close(fd);
	m = find_mapping(p);

	assert_int_equal(file_open_mapped("/proc", getpid(), m.start, m.end, path, m.dev, m.inode,
					  &fd, &root),
			 0);
	assert_int_equal(root, -EBADF);
	assert_int_equal(read(fd, text, 4), 4);
	assert_string_equal(text, "seep");
	close(fd);

	/* Another file, by identity; a mapping that is not there. */
	assert_int_equal(file_open_mapped("/proc", getpid(), m.start, m.end, path, m.dev,
					  m.inode + 1, &fd, &root),
			 -ESTALE);
	assert_int_equal(file_open_mapped("/proc", getpid(), m.start, m.end, path, m.dev + 1,
					  m.inode, &fd, &root),
			 -ESTALE);
	assert_int_equal(file_open_mapped("/proc", getpid(), 4096, 8192, "/nowhere", m.dev, m.inode,
					  &fd, &root),
			 -ENOENT);
	/* By path, when the mapping is gone. */
	assert_int_equal(
		file_open_mapped("/proc", getpid(), 4096, 8192, path, m.dev, m.inode, &fd, &root),
		0);
	close(fd);

	/* A deleted file is there while it is mapped. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_open_mapped("/proc", getpid(), m.start, m.end, path, m.dev, m.inode,
					  &fd, &root),
			 0);
	assert_int_equal(pread(fd, text, 4, 0), 4);
	close(fd);
	munmap(p, 4);
	free(path);
	fixture_remove(dir);
	assert_int_equal(fixture_count_descriptors(), before);
}

/* A made-up process whose root directory is full of traps. */
static void test_traps(void **state)
{
	size_t before = fixture_count_descriptors();
	char *dir = fixture_directory();
	_cleanup_free_ char *root_path = fixture_path(dir, "23/root");
	_cleanup_free_ char *fifo = fixture_path(dir, "23/root/fifo");
	_cleanup_free_ char *file = fixture_path(dir, "23/root/etc/file");
	_cleanup_free_ char *up = fixture_path(dir, "23/root/up");
	_cleanup_free_ char *device = fixture_path(dir, "23/root/null");
	struct stat st;
	uint64_t dev;
	int fd = -EBADF, root = -EBADF;

	(void)state;
	assert_true(fixture_run("mkdir -p '%s/etc'", root_path));
	fixture_write(file, "x", 1);
	assert_int_equal(stat(file, &st), 0);
	dev = (uint64_t)major(st.st_dev) << 20 | minor(st.st_dev);

	assert_int_equal(file_open_mapped(dir, 23, 0, 1, "/etc/file", dev, st.st_ino, &fd, &root),
			 0);
	assert_true(root >= 0);
	close(fd);
	/* A link that wants out of the root stays in it. */
	assert_int_equal(symlink("../../../../etc/file", up), 0);
	assert_int_equal(open_below_root(root, "/up", NULL, &fd), 0);
	close(fd);
	assert_int_equal(open_below_root(root, "/etc/passwd", NULL, &fd), -ENOENT);
	assert_int_equal(open_below_root(root, "/etc", NULL, &fd), -EINVAL);

	/* Neither blocks on a FIFO nor opens a device. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(open_below_root(root, "/fifo", NULL, &fd), -EINVAL);
	if (mknod(device, S_IFCHR | 0600, makedev(1, 3)) == 0)
		assert_int_equal(open_below_root(root, "/null", NULL, &fd), -EINVAL);
	assert_int_equal(file_open_mapped(dir, 23, 0, 1, "relative", dev, st.st_ino, &fd, &root),
			 -ENOENT);
	assert_int_equal(file_open_mapped(dir, 29, 0, 1, "/etc/file", dev, st.st_ino, &fd, &root),
			 -ENOENT);
	close(root);
	fixture_remove(dir);
	assert_int_equal(fixture_count_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_open_mapped),
		cmocka_unit_test(test_traps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
