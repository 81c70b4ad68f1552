// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which functions only pass an allocation on, so that no leak is theirs.
 *
 * When in doubt a function is not in here: a line too far inside is better than the wrong line.
 */
#include "heap/group.h"

#include <string.h>

#include "base/parse.h"
#include "heap/ids.h"

/* Longer names (without parameters and template arguments) are nobody's plumbing. */
#define NAME_MAX_BYTES 256

enum how {
	WHOLE, /* the name */
	RAW,   /* its beginning, parameters and arguments left in place: Rust's "<T as Trait>" */
};

/*
 * Names are compared without return type, parameters, template arguments and suffixes of clones:
 * "std::_Vector_base<int, std::allocator<int> >::_M_allocate(unsigned long)" is
 * "std::_Vector_base::_M_allocate".
 */
static const struct plumbing {
	enum how how;
	const char *names; /* separated by blanks, or one name */
} plumbing[] = {
	/* An interposed allocator, or one that calls the other. */
	{ WHOLE, "malloc calloc realloc reallocarray posix_memalign aligned_alloc memalign valloc "
		 "pvalloc __libc_malloc __libc_calloc __libc_realloc __libc_memalign __libc_valloc "
		 "__libc_pvalloc __libc_reallocarray __posix_memalign" },
	/* C++; the rest is the whole library, see is_cxx_library() */
	{ WHOLE, "__cxa_allocate_exception __libcpp_allocate __libcpp_operator_new" },
	/* GLib */
	{ WHOLE, "g_malloc g_malloc0 g_malloc_n g_malloc0_n g_realloc g_realloc_n g_try_malloc "
		 "g_try_malloc0 g_try_malloc_n g_try_malloc0_n g_try_realloc g_try_realloc_n "
		 "g_aligned_alloc g_aligned_alloc0 g_slice_alloc g_slice_alloc0 g_slice_copy "
		 "g_strdup g_strndup g_strdup_printf g_strdup_vprintf g_strconcat g_memdup "
		 "g_memdup2 standard_malloc standard_calloc standard_realloc" },
	/* What many programs call their own "or die" wrappers. */
	{ WHOLE, "xmalloc xcalloc xrealloc xreallocarray xstrdup xstrndup xmemdup xmemdupz xzalloc "
		 "xmallocz xmallocarray xnmalloc xnrealloc x2realloc x2nrealloc xasprintf "
		 "xvasprintf" },
	/* OpenSSL */
	{ WHOLE, "CRYPTO_malloc CRYPTO_zalloc CRYPTO_realloc CRYPTO_clear_realloc CRYPTO_strdup "
		 "CRYPTO_strndup CRYPTO_memdup" },
	/* Redis, Valkey */
	{ WHOLE, "zmalloc zcalloc zcalloc_num zrealloc zmalloc_usable zcalloc_usable "
		 "zrealloc_usable ztrymalloc ztrycalloc ztryrealloc ztrymalloc_usable "
		 "ztrycalloc_usable ztryrealloc_usable ztrymalloc_usable_internal "
		 "ztrycalloc_usable_internal ztryrealloc_usable_internal zmalloc_no_tcache "
		 "zmalloc_cache_aligned zstrdup" },
	/* CPython */
	{ WHOLE, "PyMem_RawMalloc PyMem_RawCalloc PyMem_RawRealloc PyMem_Malloc PyMem_Calloc "
		 "PyMem_Realloc PyObject_Malloc PyObject_Calloc PyObject_Realloc "
		 "_PyMem_RawMalloc _PyMem_RawCalloc _PyMem_RawRealloc _PyMem_RawStrdup "
		 "_PyMem_RawWcsdup _PyMem_Strdup _PyObject_Malloc _PyObject_Calloc "
		 "_PyObject_Realloc _PyMem_DebugRawAlloc _PyMem_DebugRawMalloc "
		 "_PyMem_DebugRawCalloc _PyMem_DebugRawRealloc _PyMem_DebugMalloc "
		 "_PyMem_DebugCalloc _PyMem_DebugRealloc _PyObject_ArenaMalloc pymalloc_alloc "
		 "pymalloc_realloc allocate_from_new_pool new_arena _PyObject_New "
		 "_PyObject_NewVar _PyObject_GC_Malloc _PyObject_GC_New _PyObject_GC_NewVar "
		 "_PyObject_GC_Resize PyType_GenericAlloc _PyType_AllocNoTrack gc_alloc" },
	/* Rust, both ways of mangling; its std:: is covered like C++'s */
	{ WHOLE, "__rust_alloc __rust_alloc_zeroed __rust_realloc __rdl_alloc __rdl_alloc_zeroed "
		 "__rdl_realloc __rg_alloc __rg_alloc_zeroed __rg_realloc" },
	{ RAW, "alloc::" },
	{ RAW, "<alloc::" },
	{ RAW, "core::" },
	{ RAW, "<core::" },
	{ RAW, "<std::" },
};

/* As the last component of a name, in any class. They hold blanks, which the lists cannot. */
static const char *const operators[] = { "operator new", "operator new[]", "operator delete",
					 "operator delete[]" };

/* Only in the C library: programs have functions of these names that do more. */
static const char libc_names[] =
	"strdup __strdup strndup __strndup wcsdup asprintf __asprintf __asprintf_chk "
	"___asprintf_chk vasprintf __vasprintf __vasprintf_chk ___vasprintf_chk "
	"__vasprintf_internal getline __getline getdelim __getdelim _IO_getdelim "
	"open_memstream open_wmemstream _IO_mem_finish";

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Where template arguments that begin at @p end: behind their '>'. NULL if they do not. */
static const char *skip_arguments(const char *p)
{
	int depth = 0;

	for (; *p; p++) {
		if (*p == '<')
			depth++;
		else if (*p == '>' && p[-1] != '-' && --depth == 0)
			return p + 1;
	}
	return NULL;
}

/*
 * The bare name; false if it is too long or of a form that no plumbing has (names that begin with
 * '<' or '('). Of operators only new and delete keep their sign.
 */
static bool strip_name(const char *p, char *name, size_t size)
{
	size_t n = 0;

	while (*p && !strchr("(.", *p)) {
		if (starts_with(p, "operator") && (n == 0 || name[n - 1] == ':')) {
			size_t length = strcspn(p, "(");

			if (!starts_with(p, "operator new") && !starts_with(p, "operator delete"))
				length = strlen("operator");
			if (n + length >= size)
				return false;
			memcpy(name + n, p, length);
			n += length;
			break;
		}
		if (*p == '<') {
			p = skip_arguments(p);
			if (!p)
				return false;
			continue;
		}
		if (*p == '[') /* "[abi:cxx11]" */
			break;
		if (*p == ' ') {
			n = 0; /* that was the return type */
			p++;
			continue;
		}
		if (n + 1 >= size)
			return false;
		name[n++] = *p++;
	}
	name[n] = '\0';
	return n > 0;
}

static const char *last_component(const char *name)
{
	const char *last = name;

	for (const char *p = name; (p = strstr(p, "::")); p += 2)
		last = p + 2;
	return last;
}

/*
 * Nobody mends a leak inside the C++ library: the caller of std::vector::push_back is meant. Debug
 * information may name an inlined function without its class; then its file tells.
 */
static bool is_cxx_library(const struct frame *f, const char *name)
{
	if (starts_with(name, "std::") || starts_with(name, "__gnu_cxx::"))
		return true;
	return !strstr(name, "::") && f->file && strstr(f->file, "/include/c++/");
}

static bool is_libc(const struct frame *f)
{
	const char *module = path_base_name(f->module);

	/* Not libcrypto.so and the like. */
	return module && (starts_with(module, "libc.") || starts_with(module, "libc-") ||
			  starts_with(module, "ld-musl"));
}

static bool matches(const struct plumbing *p, const struct frame *f, const char *name)
{
	switch (p->how) {
	case WHOLE:
		return name && parse_is_listed(p->names, name);
	case RAW:
		/* Names of C++ functions have their parameters with them, Rust's have not. */
		return starts_with(f->function, p->names) && !strchr(f->function, '(');
	}
	return false;
}

/* CPython's program or library, and the modules that come with it. */
static bool is_python_interpreter(const struct frame *f)
{
	const char *module = path_base_name(f->module);

	if (!module || f->kind == FRAME_PYTHON)
		return false;
	return starts_with(module, "python3") || starts_with(module, "libpython3") ||
	       strstr(f->module, "/lib-dynload/");
}

bool frame_is_plumbing(const struct frame *f)
{
	char buffer[NAME_MAX_BYTES];
	const char *name;

	if (is_python_interpreter(f))
		return true;
	if (!f->function || f->kind == FRAME_PYTHON)
		return false;
	name = strip_name(f->function, buffer, sizeof(buffer)) ? buffer : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(plumbing); i++)
		if (matches(&plumbing[i], f, name))
			return true;
	for (size_t i = 0; name && i < ARRAY_SIZE(operators); i++)
		if (strcmp(last_component(name), operators[i]) == 0)
			return true;
	if (!name)
		return false;
	return is_cxx_library(f, name) || (is_libc(f) && parse_is_listed(libc_names, name));
}

size_t group_blamed_frame(const struct frame *const *frames, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!frame_is_plumbing(frames[i]))
			return i;
	return 0;
}
