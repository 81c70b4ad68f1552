// SPDX-License-Identifier: GPL-2.0-or-later
/* Patterns of native memory: whose frames they are, and how many blocks stay. See hint.h. */
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "heap/group.h"
#include "heap/ids.h"
#include "hint/recognisers.h"

/* Further out it is the program's own business. */
#define FRAMES_LOOKED_AT 8
#define NAME_BYTES	 128

/* A share needs some blocks to be one. */
#define LEAST_BIRTHS 20
/* Some are freed; and: all stay. */
#define SMALL_SHARE  0.9
#define WHOLE_SHARE  0.95

/* The name of a C function, as it is; of C++ without what follows it. False: none, or a long one. */
static bool bare_name(const struct frame *f, char name[NAME_BYTES])
{
	size_t n = f->function ? strcspn(f->function, "(<") : 0;

	if (n == 0 || n >= NAME_BYTES)
		return false;
	memcpy(name, f->function, n);
	name[n] = '\0';
	return true;
}

static bool is_libc(const struct frame *f)
{
	const char *module = path_base_name(f->module);

	return module &&
	       (strncmp(module, "libc.", 5) == 0 || strncmp(module, "libc-", 5) == 0 ||
		strncmp(module, "ld-linux", 8) == 0 || strncmp(module, "ld-musl", 7) == 0);
}

static bool is_same_module(const struct frame *a, const struct frame *b)
{
	return a->module && b->module && strcmp(a->module, b->module) == 0;
}

/*
 * How many of the innermost frames are of the library that allocated: up to where another module called
 * it. A callback's own memory is thus not taken for that of who called back. @libc: only the C library.
 */
static size_t count_inner(const struct hint_facts *f, bool libc)
{
	const struct frame *own = NULL;
	size_t n = 0;

	for (; n < f->n_frames && n < FRAMES_LOOKED_AT; n++) {
		const struct frame *frame = &f->frames[n];

		if (frame_is_plumbing(frame) || (!own && is_libc(frame)))
			continue;
		if (libc || (own && !is_same_module(frame, own)))
			break;
		own = frame;
	}
	return n;
}

/* One of the inner frames, of the C library if so wanted, has one of these names. */
static bool is_called(const struct hint_facts *f, bool libc, const char *list)
{
	size_t n = count_inner(f, libc);
	char name[NAME_BYTES];

	for (size_t i = 0; i < n; i++)
		if ((!libc || is_libc(&f->frames[i])) && bare_name(&f->frames[i], name) &&
		    parse_is_listed(list, name))
			return true;
	return false;
}

/*
 * Names as symbols of the libraries have them: inner functions, too, as a jump into them leaves no frame
 * of the outer one.
 */
static const struct handle {
	bool is_libc;
	const char *names; /* with blanks between them */
	const char *sentence;
} handles[] = {
	{ true,
	  "fopen fopen64 _IO_fopen _IO_new_fopen __fopen_internal fdopen _IO_fdopen "
	  "_IO_new_fdopen tmpfile popen _IO_popen _IO_new_popen _IO_file_doallocate fmemopen",
	  "Files stay open: what fopen() or its like returned needs an fclose() (pclose() after "
	  "popen()) on every way out, those of errors too." },
	{ true, "opendir __opendir opendir_tail fdopendir __alloc_dir",
	  "Folders stay open: what opendir() returned needs a closedir() on every way out, those "
	  "of "
	  "errors too." },
	{ true, "getaddrinfo",
	  "What getaddrinfo() found has to be given to freeaddrinfo(), also when no address could "
	  "be connected to." },
	{ true, "getifaddrs getifaddrs_internal",
	  "What getifaddrs() found has to be given to freeifaddrs()." },
	{ true, "regcomp __regcomp re_compile_internal",
	  "What regcomp() made has to be given to regfree(); better, it is made once." },
	{ true, "dlopen ___dlopen _dl_open dl_open_worker _dl_new_object _dl_map_object",
	  "Libraries are loaded again and again: dlopen() once, or dlclose() after each use." },
	{ true,
	  "pthread_create __pthread_create_2_1 allocate_stack allocate_dtv _dl_allocate_tls "
	  "pthread_getattr_np",
	  "Threads that have ended are not collected: pthread_join() each, or pthread_detach() it; "
	  "what pthread_getattr_np() filled needs a pthread_attr_destroy()." },
	{ false,
	  "sqlite3_prepare sqlite3_prepare_v2 sqlite3_prepare_v3 sqlite3_prepare16_v2 "
	  "sqlite3Prepare sqlite3LockAndPrepare",
	  "SQL statements are prepared again and again: sqlite3_finalize() each on every way out, "
	  "or prepare it once and sqlite3_reset() it." },
	{ false, "sqlite3_open sqlite3_open_v2 openDatabase",
	  "Databases stay open: what sqlite3_open() made needs a sqlite3_close(), also when the "
	  "open "
	  "has failed." },
	{ false, "SSL_new SSL_CTX_new SSL_CTX_new_ex",
	  "TLS connections are not given back: SSL_free() each (SSL_CTX_free() for contexts) on "
	  "every "
	  "way out, those of failed handshakes too." },
	{ false,
	  "EVP_MD_CTX_new EVP_CIPHER_CTX_new EVP_PKEY_CTX_new EVP_PKEY_new BN_new BIO_new "
	  "X509_new RSA_new d2i_X509 PEM_read_bio_X509 PEM_read_bio_PrivateKey",
	  "Objects of OpenSSL are not given back: each ..._new() has a ..._free(), which is due on "
	  "every way out, those of errors too." },
	{ false, "curl_easy_init curl_slist_append curl_multi_init",
	  "Objects of curl are not given back: curl_easy_cleanup(), curl_multi_cleanup() or "
	  "curl_slist_free_all() are due on every way out." },
	{ false,
	  "xmlParseMemory xmlReadMemory xmlReadFile xmlParseFile xmlParseDoc xmlNewDoc "
	  "xmlCtxtReadMemory",
	  "Documents of libxml2 are not given back: xmlFreeDoc() each on every way out." },
	{ false, "json_loads json_loadb json_load_file json_object json_array json_string",
	  "Values of jansson are not given back: json_decref() what is yours, and give what is "
	  "stored in another one to the functions that end with _new." },
};

static const char *recognise_handle(const struct hint_facts *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
		const struct handle *h = &handles[i];

		if (is_called(f, h->is_libc, h->names))
			return h->sentence;
	}
	return NULL;
}

static const char *recognise_result(const struct hint_facts *f)
{
	static const char in_libc[] =
		"strdup __strdup strndup __strndup wcsdup asprintf __asprintf __asprintf_chk "
		"___asprintf_chk vasprintf __vasprintf __vasprintf_chk ___vasprintf_chk "
		"__vasprintf_internal getline __getline getdelim __getdelim _IO_getdelim realpath "
		"__realpath realpath_stk getcwd __getcwd get_current_dir_name open_memstream "
		"scandir __scandir_tail scandir64 __scandir64_tail";
	static const char elsewhere[] = "g_strdup g_strndup g_strdup_printf g_strdup_vprintf "
					"g_strconcat xstrdup xstrndup xasprintf xvasprintf";

	if (!is_called(f, true, in_libc) && !is_called(f, false, elsewhere))
		return NULL;
	return "The caller owns what strdup(), asprintf(), getline() and their like return: it is "
	       "due a free() on every way out, those of errors too (and after the last getline()).";
}

static bool is_interpreter(const struct frame *f)
{
	const char *module = path_base_name(f->module);

	return module &&
	       (strncmp(module, "python", 6) == 0 || strncmp(module, "libpython", 9) == 0);
}

/* The first frame that is neither an allocator's nor the interpreter's; n_frames: there is none. */
static size_t find_own(const struct hint_facts *f)
{
	size_t own = 0;

	while (own < f->n_frames && f->frames[own].kind != FRAME_PYTHON &&
	       (frame_is_plumbing(&f->frames[own]) || is_interpreter(&f->frames[own])))
		own++;
	return own;
}

static bool is_python_line(const struct hint_facts *f)
{
	size_t own = find_own(f);

	return own < f->n_frames && f->frames[own].kind == FRAME_PYTHON;
}

/* A library's own function allocates, and Python code is what called it. */
static const char *recognise_extension(const struct hint_facts *f)
{
	size_t own = find_own(f);

	if (own == f->n_frames || is_python_line(f))
		return NULL;
	for (size_t i = own; i < f->n_frames; i++)
		if (f->frames[i].kind == FRAME_PYTHON)
			return "Native memory of an extension module, which Python's collector "
			       "does "
			       "not see: what the Python line below it makes may need a close(), "
			       "or "
			       "the extension misses a free() or Py_DECREF().";
	return NULL;
}

/* A frame of a library of containers; those of the program may be called anything. */
static bool is_container(const struct frame *f)
{
	static const char *const texts[] = {
		/* libstdc++ and libc++ */
		"::push_back", "::emplace", "::_M_realloc_insert", "::_M_realloc_append",
		"::_M_default_append", "std::_Rb_tree<", "std::_Hashtable<",
		"std::__detail::_Hashtable", "std::deque<", "std::_Deque_base<",
		"std::__1::__tree<", "std::__1::__hash_table<",
		/* Rust */
		"RawVec", "raw_vec::"
	};

	if (!f->function)
		return false;
	if (strncmp(f->function, "hashbrown::raw::", strlen("hashbrown::raw::")) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strstr(f->function, texts[i]) && frame_is_plumbing(f))
			return true;
	return false;
}

static const char *recognise_container(const struct hint_facts *f)
{
	static const char names[] =
		"g_array_append_vals g_array_maybe_expand g_ptr_array_add g_ptr_array_maybe_expand "
		"g_hash_table_insert g_hash_table_insert_internal g_hash_table_resize "
		"g_list_append "
		"g_list_prepend g_slist_append g_slist_prepend g_queue_push_tail g_queue_push_head "
		"g_string_append_len g_string_maybe_expand g_byte_array_append";

	bool is_found = f->few_blocks || is_called(f, false, names);
	size_t n = count_inner(f, false);

	for (size_t i = 0; i < n && !is_found; i++)
		is_found = is_container(&f->frames[i]);
	if (!is_found)
		return NULL;
	return "A container grows and is not emptied: what is put in has to be taken out, or the "
	       "oldest dropped beyond a bound; if it is one of many, nobody destroys it.";
}

static double share_of_survivors(const struct hint_facts *f)
{
	return f->births >= LEAST_BIRTHS ? f->survivors / f->births : -1;
}

static const char *recognise_error_path(const struct hint_facts *f)
{
	double share = share_of_survivors(f);

	/* Python code does not free. */
	if (!(share > 0 && share < SMALL_SHARE) || !f->is_steady || is_python_line(f))
		return NULL;
	return "Blocks from here are freed but for a share that does not change: usually one way "
	       "out returns, continues or throws before the free(), such as that of an error or a "
	       "timeout.";
}

static const char *recognise_cache(const struct hint_facts *f)
{
	if (!(share_of_survivors(f) >= WHOLE_SHARE) || f->freed_old > 0)
		return NULL;
	return "Nothing from here is ever freed: a table, list or cache without a bound, or nobody "
	       "has the duty to free. Its entries need an end, by number, age or event.";
}

const struct recogniser native_recognisers[] = {
	{ "extension", recognise_extension },
	{ "handle", recognise_handle },
	{ "result", recognise_result },
	{ "container", recognise_container },
	{ "error-path", recognise_error_path },
	{ "cache", recognise_cache },
	{ 0 },
};
