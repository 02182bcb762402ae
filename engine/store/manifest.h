/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A directory as bytes. Entries are in the order of their names' bytes and lie in *pages* of
 * about 32, each a blob; over them stand pages of references, as many levels as it takes to come
 * to one, whose id names the directory. Where a page ends depends on the names in it, not on how
 * the directory came to be: the same directory always has the same id, and a change costs a page
 * of each level. Nothing here knows blobs but their ids: this is the codec of one page.
 *
 *	page       'M' version level records...
 *	entry      name mode kind uid gid seconds nanoseconds group, then by kind:
 *	             file: size [id]  directory: files directories bytes id  symlink: length target
 *	reference  name count id       the last name below, how many entries there are below
 *	name       how many bytes it shares with the one before, how many follow, these
 *	root       'R' version entry   the root directory's own attributes; names a snapshot
 *
 * Numbers are LEB128, the shortest form only; seconds are zigzag. All of it is checked when it is
 * read: -EBADMSG.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "store/blob.h"

enum {
	MANIFEST_NAME_MAX = 255,
	MANIFEST_TARGET_MAX = 4095,
	MANIFEST_LEVELS_MAX = 12,
	MANIFEST_PAGE_MAX = 128 * 1024 /* a page ends soon behind half of it */
};

enum manifest_kind { MANIFEST_FILE = 1, MANIFEST_DIRECTORY, MANIFEST_SYMLINK, MANIFEST_FIFO };

struct manifest_entry {
	const char *name; /* zero-terminated, borrowed */
	enum manifest_kind kind;
	mode_t mode; /* 07777 */
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
	uint64_t group;       /* not 0: the same for all names of one file */
	uint64_t size;        /* of a file, or of a symlink's target */
	struct blob_id id;    /* of a directory, or of a file's content when its size is not 0 */
	const char *target;   /* of a symlink; borrowed, not terminated */
	uint64_t files;       /* below a directory: all but directories */
	uint64_t directories; /* below it */
	uint64_t bytes;       /* of the files below it */
};

struct manifest_reference {
	const char *name;
	uint64_t count;
	struct blob_id id;
};

mode_t manifest_mode(const struct manifest_entry *entry); /* with the bits of its type */
bool manifest_equal(const struct manifest_entry *a, const struct manifest_entry *b);

/* --- writing --- */
void manifest_page_begin(struct buf *page, unsigned level);
/* `previous`: the name before in this page, "" for the first. */
void manifest_put_entry(struct buf *page, const char *previous, const struct manifest_entry *entry);
void manifest_put_reference(
        struct buf *page, const char *previous, const struct manifest_reference *reference);
void manifest_put_root(struct buf *page, const struct manifest_entry *entry); /* without name */
/* Whether the page, of so many records and bytes, ends behind this name. */
bool manifest_page_ends(const char *name, unsigned level, unsigned records, size_t bytes);

/* --- reading --- */
struct manifest_cursor {
	const unsigned char *at, *end;
	unsigned level;
	size_t name_length;
	char name[MANIFEST_NAME_MAX + 1];
};
/* 0 or -EBADMSG. The data is borrowed. */
int manifest_begin(struct manifest_cursor *cursor, const void *data, size_t length);
/* 1; 0 at the end; -EBADMSG. Borrows from cursor and data until the next call. */
int manifest_next_entry(struct manifest_cursor *cursor, struct manifest_entry *entry);
int manifest_next_reference(struct manifest_cursor *cursor, struct manifest_reference *reference);
int manifest_read_root(const void *data, size_t length, struct manifest_entry *entry);
