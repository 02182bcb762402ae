/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/texts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "fs/fs.h"
#include "fs/peer.h"

#define KEPT_US      1000000 /* for the next open */
#define KEPT_LOOK_US 50000   /* LOOKUP and GETATTR of one system call render once */
#define KEPT_BUSY_US 5000    /* after a change by another process of the same user */
#define KEPT_MOST    64
#define NODES_MOST   65536 /* then the times of texts nobody has in hand are forgotten */
#define CHANGES      32
#define COMPARISONS  8 /* of process ids, each a look into /proc */

struct text_node {
	uint64_t ino;
	uint64_t hash; /* of the last rendering */
	int64_t changed_us;
	struct list texts;
};

struct change {
	struct caller caller;
	int64_t time_us;
};

struct texts {
	struct fs *fs;
	struct map nodes;
	struct list kept;
	unsigned kept_count;
	struct change changes[CHANGES]; /* a ring */
	unsigned changes_next;
	unsigned open_count;
};

struct texts *texts_new(struct fs *fs)
{
	struct texts *texts = calloc(1, sizeof(*texts));

	if (!texts)
		return NULL;
	texts->fs = fs;
	map_init(&texts->nodes);
	list_init(&texts->kept);
	return texts;
}

static void text_free(struct texts *texts, struct text *text)
{
	list_unlink(&text->link);
	if (!list_empty(&text->kept)) {
		list_unlink(&text->kept);
		texts->kept_count--;
	}
	buf_deinit(&text->data);
	free(text);
}

struct texts *texts_free(struct texts *texts)
{
	struct text_node *node;

	if (!texts)
		return NULL;
	assert(!texts->open_count);
	while (!list_empty(&texts->kept))
		text_free(texts, list_first(&texts->kept, struct text, kept));
	map_each(node, &texts->nodes, cursor)
		free(node);
	map_deinit(&texts->nodes);
	free(texts);
	return NULL;
}

static void forget_idle_nodes(struct texts *texts)
{
	struct map left = {};
	struct text_node *node;

	map_each(node, &texts->nodes, in_hand)
		if (!list_empty(&node->texts) && map_put(&left, node->ino, node) < 0) {
			map_deinit(&left);
			return;
		}
	map_each(node, &texts->nodes, idle)
		if (list_empty(&node->texts))
			free(node);
	map_deinit(&texts->nodes);
	texts->nodes = left;
}

static struct text_node *get_node(struct texts *texts, uint64_t ino)
{
	struct text_node *node = map_get(&texts->nodes, ino);

	if (node)
		return node;
	if (texts->nodes.count >= NODES_MOST)
		forget_idle_nodes(texts);
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->ino = ino;
	list_init(&node->texts);
	if (map_put(&texts->nodes, ino, node) < 0) {
		free(node);
		return NULL;
	}
	return node;
}

static uint64_t hash_of(const struct buf *data)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < data->length; i++)
		hash = (hash ^ (unsigned char)data->data[i]) * UINT64_C(0x100000001b3);
	return hash | 1; /* 0 = never rendered */
}

static int render(struct texts *texts, struct text *text, const struct subject *subject)
{
	struct text_node *node = text->node;
	uint64_t hash;
	int r;

	buf_clear(&text->data);
	r = subject->row->show(subject, &text->data);
	if (r < 0)
		return r;
	if (text->data.failed)
		return fail(-ENOMEM, "rendering %s",
		        subject->row->name ? subject->row->name : "a value");
	hash = hash_of(&text->data);
	if (node->hash && node->hash != hash)
		node->changed_us = clock_wall_us(texts->fs->clock);
	node->hash = hash;
	text->changed_us = node->changed_us;
	text->rendered_us = clock_monotonic_us(texts->fs->clock);
	text->caller = subject->caller;
	return 0;
}

static int make(struct texts *texts, uint64_t ino, const struct subject *subject, struct text **out)
{
	struct text_node *node = get_node(texts, ino);
	struct text *text = node ? calloc(1, sizeof(*text)) : NULL;
	int r;

	if (!text)
		return fail(-ENOMEM, "rendering a text");
	text->node = node;
	list_init(&text->kept);
	list_prepend(&node->texts, &text->link);
	r = render(texts, text, subject);
	if (r < 0) {
		text_free(texts, text);
		return r;
	}
	*out = text;
	return 0;
}

/* Compares thread ids first; looks into /proc only for the same user, and not without end. */
static bool same_process(const struct caller *a, const struct caller *b, int *comparisons)
{
	if (a->uid != b->uid || !a->pid || !b->pid)
		return false;
	if (a->pid == b->pid)
		return true;
	return (*comparisons)-- > 0 && peer_same_process(a->pid, b->pid);
}

static struct text *find(
        struct text_node *node, const struct caller *caller, bool open, int *comparisons)
{
	struct text *text;

	list_each(text, &node->texts, link)
		if (text->open == open && same_process(&text->caller, caller, comparisons))
			return text;
	return NULL;
}

static void drop_old(struct texts *texts)
{
	int64_t now = clock_monotonic_us(texts->fs->clock);
	struct text *oldest;

	while ((oldest = list_first(&texts->kept, struct text, kept)) &&
	        (texts->kept_count > KEPT_MOST || now - oldest->rendered_us > KEPT_US))
		text_free(texts, oldest);
}

/*
 * A process that changed something has to see its change, and a shell that of its children. So after a
 * change by the same user a text is only kept for as long as tar takes from its stat to its open.
 */
static bool is_fresh(
        struct texts *texts, const struct text *text, const struct caller *caller, int64_t age_us)
{
	unsigned i;

	for (i = 0; i < CHANGES; i++) {
		const struct change *change = &texts->changes[i];

		if (change->time_us < text->rendered_us || change->caller.uid != caller->uid)
			continue;
		if (change->caller.pid == caller->pid)
			return false;
		age_us = KEPT_BUSY_US;
	}
	return clock_monotonic_us(texts->fs->clock) - text->rendered_us <= age_us;
}

int texts_look(struct texts *texts, uint64_t ino, const struct subject *subject, struct text **out)
{
	struct text_node *node = map_get(&texts->nodes, ino);
	int comparisons = COMPARISONS, r;
	struct text *text;

	if (node && (*out = find(node, &subject->caller, true, &comparisons)))
		return 0;
	text = node ? find(node, &subject->caller, false, &comparisons) : NULL;
	if (text && is_fresh(texts, text, &subject->caller, KEPT_LOOK_US)) {
		*out = text;
		return 0;
	}
	if (text)
		text_free(texts, text);
	r = make(texts, ino, subject, out);
	if (r < 0)
		return r;
	list_append(&texts->kept, &(*out)->kept);
	texts->kept_count++;
	drop_old(texts);
	return 0;
}

int texts_open(struct texts *texts, uint64_t ino, const struct subject *subject, struct text **out)
{
	struct text_node *node;
	int comparisons = COMPARISONS, r = 0;
	struct text *text;

	drop_old(texts);
	node = map_get(&texts->nodes, ino);
	text = node ? find(node, &subject->caller, false, &comparisons) : NULL;
	if (text && !is_fresh(texts, text, &subject->caller, KEPT_US)) {
		text_free(texts, text);
		text = NULL;
	}
	if (text) {
		list_unlink(&text->kept);
		texts->kept_count--;
	} else {
		r = make(texts, ino, subject, &text);
	}
	if (r < 0)
		return r;
	text->open = true;
	texts->open_count++;
	*out = text;
	return 0;
}

void texts_close(struct texts *texts, struct text *text)
{
	assert(text->open);
	texts->open_count--;
	text_free(texts, text);
}

int texts_renew(struct texts *texts, struct text *text, const struct subject *subject)
{
	struct caller opener = text->caller;
	int r = render(texts, text, subject);

	text->caller = opener;
	return r;
}

void texts_note_change(struct texts *texts, const struct caller *caller)
{
	texts->changes[texts->changes_next++ % CHANGES] =
	        (struct change){*caller, clock_monotonic_us(texts->fs->clock)};
}

void texts_forget(struct texts *texts, uint64_t ino)
{
	struct text_node *node = map_get(&texts->nodes, ino);
	struct text *text, *following;

	if (!node)
		return;
	list_each_safe(text, following, &node->texts, link)
		if (!text->open)
			text_free(texts, text);
}

void texts_forget_time(struct texts *texts, uint64_t ino)
{
	struct text_node *node = map_get(&texts->nodes, ino);
	struct text *text;

	if (!node)
		return;
	node->changed_us = 0;
	list_each(text, &node->texts, link)
		text->changed_us = 0;
}
