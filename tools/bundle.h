/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A function in one file: a tar archive (pax, zstd), which tar(1) can list and unpack, too.
 *
 *	fnfs-export                     what it is: lines of `key value`
 *	versions/1.0.0/config/timeout   a setting: the text as it stands in the mount
 *	versions/1.0.0/config/env/KEY
 *	versions/1.0.0/config/dependencies/NAME   a symbolic link to dependencies/PACKAGE/versions/N
 *	versions/1.0.0/code/...         the tree
 *	...                             further versions, in the order they were published
 *	aliases/prod/routes
 *	aliases/prod/description
 *	triggers/nightly/target         and all that is set of it, its source last
 *	config/...                      of the function itself
 *	code/...
 *	end                             the fingerprint of all before it
 *
 * Read, it is looked at from its first byte to its last before anybody acts on it: what was cut
 * off, altered or never was such an archive is refused then. Small texts are kept in memory; the
 * trees are unpacked from the file in a second pass.
 */
#include <stdbool.h>

#include "base/list.h"
#include "tree.h"

struct bundle_text { /* a setting, a variable, a dependency */
	struct list link;
	char *path; /* below config/: `timeout`, `env/KEY` ... */
	char *text;
	bool is_link; /* the text is its target */
};

struct bundle_part { /* a version, the function itself, or a trigger, which has no code */
	struct list link;
	char *name; /* NULL: the function */
	struct list texts;
	bool has_code;
	unsigned char code[TREE_FINGERPRINT_SIZE];
	bool made; /* of a trigger: by this import */
};

struct bundle_alias {
	struct list link;
	char *name;
	char *routes;
	char *description;
	bool early; /* made by this import before all its versions were there */
};

struct bundle {
	int fd; /* of the file, seekable; borrowed */
	char *name;
	struct list versions; /* struct bundle_part, in the order of publishing */
	struct bundle_part function;
	struct list aliases;  /* struct bundle_alias */
	struct list triggers; /* struct bundle_part */
};

/* --- writing: in the order of the list above --- */

struct bundle_writer;

/* All return 0, or a COMMAND_* after saying what is wrong. */
int bundle_writer_new(struct bundle_writer **out, int fd, const char *name);
int bundle_write_text(struct bundle_writer *writer, const char *path, const char *text);
int bundle_write_secret(struct bundle_writer *writer, const char *path, const char *text);
int bundle_write_link(struct bundle_writer *writer, const char *path, const char *target);
int bundle_write_tree(struct bundle_writer *writer, const char *path, int directory);
int bundle_write_end(struct bundle_writer *writer);
struct bundle_writer *bundle_writer_free(struct bundle_writer *writer);

/* --- reading --- */

/* Looks at the whole of it. 0, or a COMMAND_* after saying what is wrong. Deinit in any case. */
int bundle_read(struct bundle *bundle, int fd);
void bundle_deinit(struct bundle *bundle);

/*
 * Unpacks the trees, in their order. `prepare` answers for each part where to: a descriptor of an
 * empty directory, which is borrowed, -1 to pass it over, or less after saying why not. `unpacked`
 * is told when it is there. `go_on` says whether somebody wants it to end. The working directory
 * is another one afterwards.
 */
struct bundle_unpacking {
	int (*prepare)(void *userdata, const struct bundle_part *part);
	int (*unpacked)(void *userdata, const struct bundle_part *part);
	bool (*go_on)(void);
	void *userdata;
};

int bundle_unpack(const struct bundle *bundle, const struct bundle_unpacking *unpacking);
