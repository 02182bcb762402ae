/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What MESSAGE_START asks for, taken apart. Strings are those of the message: it lives as long as that does.
 */
#include <stdbool.h>
#include <stddef.h>

#include "run/guardian_message.h"

struct order {
	struct message_start numbers;
	const char *name;
	const char *code;    /* NULL: none yet, a spare's (guardian_spares.h) */
	const char *runtime; /* "": there is none */
	const char *directory;
	const char **layers, **argv, **environment; /* NULL-ended; layers NULL: there are none */
	const char **zygote;                        /* NULL-ended */
	bool keeps_status; /* the ward does, the other end: its program comes later */
};

int order_parse(struct order *order, const char *body, size_t length); /* 0, -EBADMSG, -ENOMEM */
void order_deinit(struct order *order);

/* `count` strings of a message, and NULL; NULL when they are not there. The caller frees the list. */
const char **order_take_strings(const char **place, const char *end, size_t count);
