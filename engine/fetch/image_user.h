/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The user an image is started as. FunctionGraph knows one, 1003, and that is who runs an image that names
 * none or root; any other keeps its number. It is the only one mapped, so all files are its own.
 */
#include "base/buf.h"
#include "fetch/tree.h"

struct image_user {
	long uid, gid;
	struct buf home; /* "" = not known */
};

/* `text` is the image's: NAME, NUMBER, or either with :GROUP. 0, or refused. */
int image_user_find(struct tree *tree, const char *text, struct image_user *out);

/* The rest of the line of /etc/passwd or /etc/group that has this word in the field; NULL: none. */
const char *image_user_line(const char *text, size_t field, const char *word);
