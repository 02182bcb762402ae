/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What writing and reading a bundle agree on. */
#include <archive.h>
#include <archive_entry.h>

#include "bundle.h"

#define BUNDLE_HEAD     "fnfs-export"
#define BUNDLE_FORMAT   "format 1\n"
#define BUNDLE_END      "end"
#define BUNDLE_END_SIZE 80

void bundle_format_end(
        char text[BUNDLE_END_SIZE], const unsigned char fingerprint[TREE_FINGERPRINT_SIZE]);

/* What an entry's path says of it. */
struct bundle_place {
	enum {
		PLACE_NONE, /* such a path is in no bundle */
		PLACE_HEAD,
		PLACE_END,
		PLACE_TEXT,    /* below some config/: `rest` */
		PLACE_CODE,    /* in a tree: `rest`, "" its root */
		PLACE_ALIAS,   /* a file of an alias: `rest` */
		PLACE_TRIGGER, /* likewise */
	} kind;
	char name[256];   /* of the version, alias or trigger; "": of the function itself */
	const char *rest; /* borrowed from the path */
};

void bundle_place(const char *path, struct bundle_place *place);

/* From the file's beginning. NULL after saying why not. */
struct archive *bundle_open(int fd);

struct bundle_part *bundle_part(struct bundle *bundle, const char *name); /* NULL: none yet */
