// SPDX-License-Identifier: GPL-2.0-or-later
/* A module for Python that copies its argument and forgets the copy on one of its ways out. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) static char *copy_text(const char *text)
{
	char *copy = malloc(1000);

	if (copy)
		strncpy(copy, text, 999);
	return copy;
}

static PyObject *parse(PyObject *self, PyObject *args)
{
	const char *text;
	char *copy;

	(void)self;
	if (!PyArg_ParseTuple(args, "s", &text))
		return NULL;
	copy = copy_text(text);
	if (!copy)
		return PyErr_NoMemory();
	if (strchr(copy, '7')) {
		free(copy);
		return PyLong_FromLong(7);
	}
	/* Here free() is missing. */
	return PyLong_FromLong(copy[0]);
}

static PyMethodDef methods[] = { { "parse", parse, METH_VARARGS, NULL }, { NULL, NULL, 0, NULL } };

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT, "leaky", NULL, -1, methods, NULL, NULL, NULL, NULL
};

PyMODINIT_FUNC PyInit_leaky(void)
{
	return PyModule_Create(&module);
}
