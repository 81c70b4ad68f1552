/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where things are in the memory of a CPython interpreter: one table per minor version, 3.8 to 3.14,
 * 64-bit release builds with the GIL.
 *
 * Offsets in bytes from the start of the structure. They were taken from the headers of CPython
 * (Include/cpython/, Include/internal/, Objects/, Modules/_asynciomodule.c) of each version and compared
 * with live processes; whoever reads by them still checks what was read, since the memory is its owner's.
 * From 3.13 on the interpreter publishes many of them itself (struct _Py_DebugOffsets at the start of
 * _PyRuntime, Include/internal/pycore_debug_offsets.h): python_layout_of_runtime() takes and compares them.
 */
#ifndef SEEP_PYTHON_LAYOUT_H
#define SEEP_PYTHON_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define PYTHON_MINOR_MIN 8
#define PYTHON_MINOR_MAX 14

/* Not in this version. */
#define PYTHON_NONE 0xffff

/* struct _object, PyVarObject, PyTypeObject: the same in all of these versions. */
enum {
	PY_OB_REFCNT = 0,
	PY_OB_TYPE = 8,
	PY_OB_SIZE = 16,
	PY_TP_NAME = 24,
	PY_TP_BASICSIZE = 32,
	PY_TP_ITEMSIZE = 40,
	PY_TP_DEALLOC = 48,
	PY_TP_FLAGS = 168,
	PY_TP_MEMBERS = 240,
	PY_TP_BASE = 256,
	PY_TP_DICT = 264,
	PY_TP_DICTOFFSET = 288,
	PY_TP_INIT = 296,
	PY_TP_ALLOC = 304,
	PY_TP_NEW = 312,
	PY_TP_FREE = 320,
	PY_TYPE_BYTES = 416, /* at least; heap types are longer */
};

/* tp_flags (Include/object.h). */
#define PY_INLINE_VALUES   (1u << 2) /* 3.13 */
#define PY_MANAGED_WEAKREF (1u << 3) /* 3.12 */
#define PY_MANAGED_DICT	   (1u << 4) /* 3.11 */
#define PY_HEAPTYPE	   (1u << 9)
#define PY_READY	   (1u << 12)
#define PY_HAVE_GC	   (1u << 14)
#define PY_LONG_SUBCLASS   (1u << 24)
#define PY_LIST_SUBCLASS   (1u << 25)
#define PY_TUPLE_SUBCLASS  (1u << 26)
#define PY_BYTES_SUBCLASS  (1u << 27)
#define PY_STR_SUBCLASS	   (1u << 28)
#define PY_DICT_SUBCLASS   (1u << 29)
#define PY_EXC_SUBCLASS	   (1u << 30)
#define PY_TYPE_SUBCLASS   (1u << 31)

enum python_previous_instruction {
	PYTHON_LASTI_BYTES,   /* f_lasti is an int, in bytes: 3.8, 3.9 */
	PYTHON_LASTI_UNITS,   /* an int, in code units: 3.10 */
	PYTHON_LASTI_POINTER, /* a pointer to the code unit that was started last: 3.11 and later */
};

enum python_line_table {
	PYTHON_LNOTAB,	  /* 3.8, 3.9: co_lnotab */
	PYTHON_LINETABLE, /* 3.10: PEP 626 */
	PYTHON_LOCATIONS, /* 3.11 and later: Objects/locations.md */
};

struct python_layout {
	uint16_t minor;

	/* _PyRuntime and PyInterpreterState. */
	uint16_t runtime_interpreters; /* head of the list */
	uint16_t interpreter_next;
	uint16_t interpreter_threads; /* first thread state */
	uint16_t interpreter_modules; /* sys.modules */

	/* PyThreadState. */
	uint16_t thread_next;
	uint16_t thread_interpreter;
	uint16_t thread_frame;	      /* the top frame, or the cframe */
	uint16_t thread_cframe_frame; /* the top frame in a cframe; PYTHON_NONE: there is none */
	uint16_t thread_id;	      /* pthread_self() */
	uint16_t thread_native_id;    /* 3.11: gettid() */
	uint16_t thread_datastack;    /* 3.11: the first chunk; then the top, 8 bytes on */

	/* PyFrameObject up to 3.10, _PyInterpreterFrame from 3.11 on. */
	uint16_t frame_code;
	uint16_t frame_previous;
	uint16_t frame_instruction;
	uint16_t frame_globals;
	uint16_t frame_locals; /* the first */
	uint16_t frame_owner;  /* 3.11: 0 thread, 1 generator, 2 frame object, 3 and up C stack */
	uint16_t frame_is_entry;
	uint16_t frame_state;	      /* 3.10: i8 */
	uint16_t frame_bytes;	      /* what has to be read of it */
	uint8_t previous_instruction; /* enum python_previous_instruction */

	/* PyCodeObject. */
	uint8_t line_table; /* enum python_line_table */
	uint16_t code_flags;
	uint16_t code_firstlineno;
	uint16_t code_version; /* 3.12: unique */
	uint16_t code_filename;
	uint16_t code_name;
	uint16_t code_qualname; /* 3.11 */
	uint16_t code_linetable;
	uint16_t code_first_unit; /* up to 3.10: co_code, a pointer to a bytes object */
	uint16_t code_varnames;	  /* up to 3.10: tuples of names, in this order in the frame */
	uint16_t code_cellvars;
	uint16_t code_freevars;
	uint16_t code_localsplusnames; /* 3.11 */

	/* str, bytes, tuple, int. */
	uint16_t str_length;
	uint16_t str_state;   /* u32: interned 2 bits, kind 3, compact 1, ascii 1 */
	uint16_t str_ascii;   /* data of an ASCII string */
	uint16_t str_compact; /* data of another compact one */
	uint16_t bytes_data;
	uint16_t tuple_items;
	uint16_t long_digits;
	uint16_t long_tag; /* 3.12: lv_tag, digits << 3 | sign; up to 3.11: ob_size */

	/* dict and its tables. */
	uint16_t dict_used;
	uint16_t dict_keys;
	uint16_t dict_values;	  /* NULL: no split table */
	uint16_t split_values;	  /* the first value in what dict_values points to */
	uint16_t keys_size;	  /* up to 3.10: i64 dk_size; later u8 log2 of it */
	uint16_t keys_index_log2; /* 3.11: u8 log2 of the bytes of the indices */
	uint16_t keys_kind;	  /* 3.11: u8 0 general, 1 unicode, 2 split */
	uint16_t keys_entries;	  /* dk_nentries */
	uint16_t keys_indices;	  /* the first entry lies behind the indices */

	/* Function, heap type, generator. */
	uint16_t function_code;
	uint16_t function_globals;
	uint16_t function_defaults;
	uint16_t function_closure;
	uint16_t function_dict;
	uint16_t heap_name; /* ht_name */
	uint16_t heap_qualname;
	uint16_t heap_cached_keys;
	uint16_t generator_code;  /* 3.12: PYTHON_NONE, it is the frame's */
	uint16_t generator_frame; /* up to 3.10: a pointer; later the frame itself */
	uint16_t
		generator_state; /* 3.11: i8 gi_frame_state; -1 and 0 suspended or created, 1 runs, 4 ended */
	uint16_t generator_name;
	uint16_t generator_qualname;

	/* Task and Future of _asyncio. */
	uint16_t task_bytes; /* tp_basicsize: a check; 3.14 has a section .AsyncioDebug as well */
	uint16_t task_coro;
	uint16_t task_name;
	uint16_t task_fut_waiter;
	uint16_t task_state; /* u32, low 2 bits: 0 pending, 1 cancelled, 2 done */
	uint16_t future_callback0;
	uint16_t future_callbacks;

	uint32_t pool_bytes; /* of pymalloc */
	uint32_t arena_bytes;
};

/* NULL: a version that is not known. */
const struct python_layout *python_layout_find(unsigned int major, unsigned int minor);

#define PYTHON_DEBUG_OFFSETS_BYTES 1024

/*
 * The layout of one interpreter: the table's, and from 3.13 on what the interpreter says of itself, where
 * members move between micro versions. @bytes, @n of them, is the start of its _PyRuntime. 0, or -EPROTO with
 * *ret_why a static sentence: no cookie, another version, a free-threaded build, or an offset that is not
 * the table's.
 */
int python_layout_of_runtime(const struct python_layout *table, const void *bytes, size_t n,
			     struct python_layout *ret, const char **ret_why);

#endif
