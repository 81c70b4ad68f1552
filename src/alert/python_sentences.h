/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of leaking Python objects, in sentences as of sentences.h. */
#ifndef SEEP_ALERT_PYTHON_SENTENCES_H
#define SEEP_ALERT_PYTHON_SENTENCES_H

#include <jansson.h>

#include "alert/python.h"

/* Appends to @array. -ENOMEM. */
int python_sentences(const struct alert_python *p, json_t *array);

#endif
