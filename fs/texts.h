/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Renderings. Tools ask for a file's size before they open it and read exactly that much, so a text is
 * rendered when it is looked at, kept for a second, and shown by the next open of the same process; an
 * open text stays as it is until it is closed, and its process sees its size meanwhile. A process that
 * changed something since sees no kept text. Also remembers when each text last changed, for its mtime.
 */
#include <stdint.h>

#include "base/buf.h"
#include "base/caller.h"
#include "base/list.h"
#include "fs/view.h"

struct fs;
struct texts;
struct text_node;

struct text {
	struct buf data;
	int64_t changed_us; /* wall time of the content's last change; 0 = not seen changing */

	/* Private to texts.c. */
	struct text_node *node;
	struct caller caller;
	int64_t rendered_us; /* monotonic */
	bool open;
	struct list link; /* texts of the node, newest first */
	struct list kept; /* all kept ones, oldest first */
};

struct texts *texts_new(struct fs *fs);
struct texts *texts_free(struct texts *texts); /* none may be open */

/* What the caller would read now; borrowed until the next call. 0, -ENOMEM or what `show` said. */
int texts_look(struct texts *texts, uint64_t ino, const struct subject *subject, struct text **out);

/* The text of one open file, its until texts_close(). */
int texts_open(struct texts *texts, uint64_t ino, const struct subject *subject, struct text **out);
void texts_close(struct texts *texts, struct text *text);

/* Renders an open text anew, after its value was set through this very file. */
int texts_renew(struct texts *texts, struct text *text, const struct subject *subject);

/* The caller changed something somewhere: what it looked at before is no longer shown to it. */
void texts_note_change(struct texts *texts, const struct caller *caller);

/* The value was set: nobody is shown an older one. */
void texts_forget(struct texts *texts, uint64_t ino);

/* utimens: the time of the last change is what was set. */
void texts_forget_time(struct texts *texts, uint64_t ino);
