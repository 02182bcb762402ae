/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Programs that remove a whole function, and come to what is in use before they come to what uses it: Python's
 * shutil.rmtree, from 3.13 on, takes the files of a directory first and then its directories from the last to the
 * first, so versions before the aliases that route to them. To unlink a file of the platform's directly in
 * functions/NAME has no effect by itself; whoever does it is removing the function. From then on what it removes
 * there, and what is in use, goes when what uses it has gone; should the program stop half-way, it stays.
 */
#include <stdbool.h>

#include "fs/node.h"

struct removing;

/* Accepts NULL. */
struct removing *removing_free(struct removing *removing);

/* The caller of this request has unlinked a file directly in that function's directory. */
void removing_note(struct request *request, uint64_t function);

/* Whether the caller of this request is removing the function; 0 is none. */
bool removing_is(const struct request *request, uint64_t function);

/* It still is, elsewhere: in the code, of which there may be much. */
void removing_refresh(const struct request *request);

/* It is not: it has made or set something there. What was to go later stays. */
void removing_stop(const struct request *request, uint64_t function);

/* The function has gone. */
void removing_gone(struct fs *fs, uint64_t function);

/* The child, which is in use, is to go later. 0 or -ENOMEM. */
int removing_later(struct request *request, uint64_t function, const struct node *child);

/*
 * Something of the function has gone: `remove` is asked of what was to go later, again and again while it helps.
 * It returns 0, -ENOENT where that has gone otherwise, or an error: then the child is asked for another time.
 */
void removing_go_on(struct request *request, uint64_t function,
        int (*remove)(struct request *request, const struct node *child));
