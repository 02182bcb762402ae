/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The system calls that steps are made of: one row each, in the table of its family, with the letters
 * of its arguments (see word.h) and the function that makes the call. The function returns what the
 * call returned, leaves errno as the call left it, and may tell more in the answer's text. A row
 * runs inside an actor, with what that actor holds in its hands.
 *
 * Some calls are small programs ("read a directory while removing what it lists"): what they return
 * does not depend on the order in which a file system lists names.
 */
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "step.h"

#define HANDS_FILES 6
#define HANDS_MAPS  3

#define ANSWER_TEXT 16384

struct mapping {
	char *address;
	size_t length;
	off_t offset;
	int file; /* a descriptor of its own, for asking the size */
};

/* Where the mount may differ from a local disk, as its documentation says. */
struct licence {
	bool device;   /* making a device node is EPERM */
	bool tmpfile;  /* O_TMPFILE is EOPNOTSUPP */
	bool xattr;    /* extended attributes are EOPNOTSUPP */
	bool collapse; /* fallocate knows neither COLLAPSE nor INSERT */
	bool late;     /* times of stores in mappings change at msync, those of fifos never */
	bool seek;     /* no file is too long; what is open for writing has no holes */
	bool setgid; /* chown that changes nothing may be had where set-gid is without execution */
};

/* What an actor holds. */
struct hands {
	int files[HANDS_FILES]; /* -1: empty */
	struct mapping maps[HANDS_MAPS];
	struct licence licence;
	bool reference; /* this is the local disk: imitate what the licence allows the mount */
	bool begun;     /* the step may block */
	const char *base;
};

struct answer {
	long returned;
	int error;
	bool skipped; /* nothing was called: the slot was taken or empty */
	size_t length;
	char text[ANSWER_TEXT];
};

typedef long (*call_fn)(
        struct hands *hands, const struct argument *arguments, struct answer *answer);

struct call {
	const char *name;
	const char *letters;
	call_fn run;
	int file; /* the argument that names the descriptor to describe afterwards, from 1; 0: none */
};

extern const struct call calls_on_names[];
extern const struct call calls_on_directories[];
extern const struct call calls_on_attributes[];
extern const struct call calls_on_files[];
extern const struct call calls_on_spans[];
extern const struct call calls_on_locks[];
extern const struct call calls_on_maps[];
extern const struct call calls_on_processes[];

const struct call *call_find(const char *name);

/* Makes the call of a step; fills in the answer. */
void call_make(struct hands *hands, const struct step *step, struct answer *answer);

/* Appends to the text of the answer. */
void tell(struct answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends names, sorted, with `between` after each. */
void tell_sorted(struct answer *answer, char **names, size_t count);

/* Nothing was called. Returns -1. */
long skip(struct answer *answer);

/* The descriptor in a slot, or -1. */
int hand(const struct hands *hands, long slot);

/*
 * Where a path word points to. `[2]a` is relative to the descriptor in slot 2; `@255` stands for a
 * name of 255 letters, `%4095:a` for `a` behind so many `./` and `/` that the path has 4095 bytes.
 */
struct place {
	int directory;
	char path[PATH_MAX + 512];
};

void place_of(struct place *place, const struct hands *hands, const char *word);

/* A digest of bytes (FNV-1a). */
unsigned digest(const void *data, size_t length);
