/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * One open file on `invoke`: what was written of the next request, the call that runs, and what came of
 * its response; with the reads, or the flush, that wait for more. Everything of one open is private to
 * it. A conversation lives until its file is closed and the call it must see to its end has ended,
 * whatever comes last.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "fs/behaviours/answers.h"
#include "run/invocation.h"

struct fs;
struct handle;
struct request;
struct subject;

struct conversation {
	struct fs *fs;
	struct handle *handle; /* NULL once closed */
	bool write_only;
	struct buf request; /* what was written since the last call began */
	bool written;
	bool overflowed; /* more than INVOCATION_REQUEST_MAX: the request is lost, the writer was told */
	struct invocation *invocation; /* runs; NULL before and after */
	struct buf response;           /* of the last call begun; the error's body is its end */
	bool begun;                    /* there was a call: reads see it */
	bool ended;
	int error;               /* 0 or the errno in the place of the end */
	struct buf why;          /* its sentence */
	off_t base;              /* the file offset that is the response's zero */
	size_t seen;             /* the furthest byte of the response a read was given */
	struct list readers;     /* struct reader */
	struct request *flusher; /* the close or fsync that waits for the end, or NULL */
	bool kin_known;
	struct kin writer;                 /* for those who read the answer later */
	uint64_t function, version, alias; /* what is called: ids; 0: none */
	uint64_t object;                   /* of the `invoke` */
};

struct conversation *conversation_new(
        struct fs *fs, struct handle *handle, const struct subject *subject);

/* The file was closed: the call is canceled if only its opener could have read the answer. */
void conversation_close(struct conversation *conversation);

/* 0, -EFBIG, -ENOMEM. */
int conversation_write(struct conversation *conversation, const char *data, size_t length);

/* Sends what was written. 0, or -errno with a sentence in `why`: then there is no call. */
int conversation_begin(struct conversation *conversation, struct buf *why);

/* Answers the read now or parks it. As behaviours return. */
int conversation_read(
        struct conversation *conversation, struct request *request, size_t size, off_t offset);

/* Parks the flush until the call has ended. */
int conversation_await(struct conversation *conversation, struct request *request);

bool conversation_readable(const struct conversation *conversation);
