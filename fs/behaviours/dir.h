/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What stands under a name in a directory of rows: for dir.c and its kind. */
#include "fs/behaviour.h"

/* The child of request->node: fixed, an object, or a scratch file. 0 or -ENOENT. */
int dir_find(struct request *request, const char *name, struct node *child);

/* The item row under which a new object of this type (S_IFDIR, S_IFREG) and name is made, or NULL. */
const struct row *dir_maker(const struct row *directory, mode_t type, const char *name);

/* Whether a writable value stands in it, or may: then editors may put scratch files there. */
bool dir_holds_values(const struct row *directory);

/* Makes an object that is a link. */
int dir_make_link(struct request *request, const struct row *maker, const char *name,
        const char *target, struct node *child);

/* Makes an object; `mode` is kept when it is not the row's. */
int dir_make(struct request *request, const struct row *maker, const char *name, mode_t mode,
        struct node *child);

/* The same where the maker takes its time. As behaviours return; 0 fills the entry. */
int dir_make_later(struct request *request, const struct row *maker, const char *name, mode_t mode,
        struct fuse_entry_param *entry);

int dir_unlink(struct request *request, const char *name);
int dir_rmdir(struct request *request, const char *name);

/* Removes what users can remove; for what belongs to the platform: 0, without effect. */
int dir_remove(struct request *request, const struct node *child);

/* An entry came or went: shows as the directory's mtime. */
void dir_note_change(struct request *request);
void dir_note_change_of(struct fs *fs, uint64_t ino); /* of another one than the request's */

/* The kernel keeps a removed directory as dead while anybody stands in it: what is not gone after all
 * comes back as another generation. 0 or -ENOMEM. */
int dir_raise_generation(struct fs *fs, uint64_t ino);

/* Where the objects of a row go from one directory to another. As behaviours return. */
int dir_move(struct request *request, const struct node *source, const struct node *to_directory,
        const char *to_name);

int dir_rename(struct request *request, const char *name, const struct node *to_directory,
        const char *to_name, unsigned flags);
