// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which files a command is going to map.
 *
 * The dynamic linker itself is asked ("ld.so --list"), so that search paths and preloaded
 * libraries count as they will for the command. The executable is one that the caller is about to
 * run anyway; only its headers are read here.
 */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/launch.h"

#define MAX_FILES   512
#define MAX_SCRIPTS 4 /* interpreters that are scripts themselves */

struct file_list {
	char **items; /* owned, ends with NULL */
	size_t n;
};

char **launch_files_free(char **files)
{
	for (size_t i = 0; files && files[i]; i++)
		free(files[i]);
	free(files);
	return NULL;
}

static void file_list_done(struct file_list *l)
{
	l->items = launch_files_free(l->items);
}

/* Takes over @path. */
static int add_file(struct file_list *l, char *path)
{
	char **grown;

	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->items[i], path) == 0) {
			free(path);
			return 0;
		}
	}
	grown = l->n < MAX_FILES ? reallocarray(l->items, l->n + 2, sizeof(*grown)) : NULL;
	if (!grown) {
		free(path);
		return -ENOMEM;
	}
	l->items = grown;
	l->items[l->n++] = path;
	l->items[l->n] = NULL;
	return 0;
}

/* As execvp(3) searches. Caller frees. */
static int find_command(const char *command, char **ret)
{
	const char *search = getenv("PATH"), *end;
	int found = -ENOENT;

	if (!*command)
		return -ENOENT;
	if (strchr(command, '/')) {
		*ret = realpath(command, NULL);
		return *ret ? 0 : -errno;
	}
	for (const char *at = search ? search : "/usr/bin:/bin"; at; at = *end ? end + 1 : NULL) {
		_cleanup_free_ char *path = NULL;
		struct stat st;

		end = strchrnul(at, ':');
		if (asprintf(&path, "%.*s%s%s", (int)(end - at), at, end == at ? "" : "/",
			     command) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (access(path, X_OK) < 0) {
			found = -EACCES;
			continue;
		}
		*ret = realpath(path, NULL);
		return *ret ? 0 : -errno;
	}
	return found;
}

/* "#!/path argument": the path. Caller frees. -ENOENT: no script. */
static int script_interpreter(int fd, char **ret)
{
	char line[PATH_MAX + 2];
	char *start, *end;
	ssize_t n;

	n = pread(fd, line, sizeof(line) - 1, 0);
	if (n < 2 || line[0] != '#' || line[1] != '!')
		return -ENOENT;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	start = line + 2 + strspn(line + 2, " \t");
	end = start + strcspn(start, " \t");
	*end = '\0';
	*ret = realpath(start, NULL);
	return *ret ? 0 : -errno;
}

/* Path of the dynamic linker. -ENOENT: a static program. Caller frees. */
static int dynamic_linker(int fd, char **ret)
{
	char path[PATH_MAX];
	Elf64_Ehdr header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
		return -ENOEXEC;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		off_t at = (off_t)(header.e_phoff + (uint64_t)i * sizeof(Elf64_Phdr));
		Elf64_Phdr p;

		if (pread(fd, &p, sizeof(p), at) != sizeof(p))
			return -ENOEXEC;
		if (p.p_type != PT_INTERP)
			continue;
		if (p.p_filesz == 0 || p.p_filesz >= sizeof(path) ||
		    pread(fd, path, p.p_filesz, (off_t)p.p_offset) != (ssize_t)p.p_filesz)
			return -ENOEXEC;
		path[p.p_filesz] = '\0';
		*ret = realpath(path, NULL);
		return *ret ? 0 : -errno;
	}
	return -ENOENT;
}

/* Lines are "<tab>name => /path (0x...)" or "<tab>/path (0x...)". */
static int add_listed(struct file_list *l, FILE *f)
{
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;
	int r;

	while (getline(&line, &capacity, f) > 0) {
		char *start = strchr(line, '/'), *end = start ? strstr(start, " (0x") : NULL;
		char *arrow = strstr(line, " => ");
		char *path;

		if (arrow && arrow > line)
			start = arrow + 4;
		if (!start || !end || *start != '/')
			continue;
		*end = '\0';
		path = realpath(start, NULL);
		if (!path)
			continue;
		r = add_file(l, path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int list_libraries(struct file_list *l, const char *linker, const char *path)
{
	_cleanup_fclose_ FILE *f = NULL;
	int fds[2], status, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		r = -errno;
		close_fd(fds[0]);
		close_fd(fds[1]);
		return r;
	}
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
		    dup2(fds[1], STDOUT_FILENO) < 0)
			_exit(127);
		execl(linker, linker, "--list", path, (char *)NULL);
		_exit(127);
	}
	close_fd(fds[1]);
	f = fdopen(fds[0], "r");
	if (!f)
		close_fd(fds[0]);
	r = f ? add_listed(l, f) : -ENOMEM;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return r;
}

int launch_files(const char *command, char ***ret)
{
	_cleanup_(file_list_done) struct file_list l = { .items = NULL };
	_cleanup_free_ char *path = NULL, *linker = NULL;
	_cleanup_close_ int fd = -EBADF;
	int r;

	r = find_command(command, &path);
	for (int i = 0; r == 0; i++) {
		char *interpreter = NULL;

		cleanup_close(&fd);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (script_interpreter(fd, &interpreter) < 0)
			break;
		free(path);
		path = interpreter;
		if (i == MAX_SCRIPTS)
			r = -ELOOP;
	}
	if (r < 0)
		return r;
	r = dynamic_linker(fd, &linker);
	if (r < 0 && r != -ENOENT)
		return r;
	if (linker) {
		r = list_libraries(&l, linker, path);
		if (r == 0)
			r = add_file(&l, TAKE_PTR(linker));
		if (r < 0)
			return r;
	}
	r = add_file(&l, TAKE_PTR(path));
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l.items);
	return 0;
}
