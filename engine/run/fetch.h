/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Getting an archive and unpacking it, by fnfs-fetch (engine/fetch/), a program of its own with the rights
 * of the user who asked: what it reads is what that user could read. The guardian starts it. Its answers
 * come on the loop; `ended` comes once, after which the fetch is gone.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct launcher;
struct fetch;

enum fetch_kind {
	FETCH_ARCHIVE, /* get it and unpack it */
	FETCH_IMAGE,   /* unpack `archive`, which is one, or a directory */
	FETCH_PULL,    /* get an image: `location` is docker://..., the directory gets `archive` */
};

/* What is to be got. All is borrowed until fetch_start() returns. */
struct fetch_spec {
	enum fetch_kind kind;
	const char *program;  /* absolute path of fnfs-fetch */
	const char *location; /* an absolute path, or a URL; NULL: `archive` is it */
	const char *sha256;   /* 64 hexadecimal digits, or NULL */
	int archive;          /* a file nobody else can write, with `location` NULL */
	int directory;        /* empty; it is given to the user, who unpacks into it */
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* base/caller.h */
	size_t group_count;
	int64_t archive_bytes; /* bounds; 0 = fnfs-fetch's own */
	int64_t bytes;
	int64_t files;
	int64_t stall_s; /* how long a server may be silent */
};

enum { FETCH_SHA256 = 65, FETCH_SENTENCE = 512 };

struct fetch_progress {
	bool unpacking;
	int64_t bytes, total, speed; /* of the archive; total 0 = unknown; bytes per second */
	int64_t files, unpacked;     /* so far */
	int layer, layers;           /* of an image; 0: none yet */
	char digest[FETCH_SHA256];   /* of an image, or ""; told before the work begins */
};

struct fetch_end {
	int error; /* 0 or -errno; -ECANCELED after fetch_cancel() */
	char sentence[FETCH_SENTENCE];
	int64_t files, bytes;
	char sha256[FETCH_SHA256]; /* of the archive */
};

struct fetch_events {
	void (*progress)(void *userdata, const struct fetch_progress *progress); /* may be NULL */
	void (*ended)(void *userdata, const struct fetch_end *end);
};

/* 0 or -errno, and then `ended` never runs; -EPERM: an ordinary user's daemon acts for nobody else. */
int fetch_start(struct fetch **out, uv_loop_t *loop, struct launcher *launcher,
        const struct fetch_spec *spec, const struct fetch_events *events, void *userdata);
void fetch_cancel(struct fetch *fetch); /* `ended` still comes */
