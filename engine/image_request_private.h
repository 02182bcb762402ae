/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the files of a request share: its way (image_request.c), and the processes on it (image_process.c). */
#include "engine/images_private.h"

enum request_state {
	REQUEST_WAITING,   /* for its turn */
	REQUEST_PULLING,   /* pulling or asking the registry */
	REQUEST_UNPACKING, /* in a process of its own */
	REQUEST_FOLLOWING, /* another one unpacks the same */
	REQUEST_ENDING,    /* its process is to be reported as ended */
};

struct image_request {
	struct list link; /* images.waiting, or .working */
	struct images *images;
	image_done_fn done; /* NULL: it was cancelled */
	void *userdata;
	enum request_state state;
	int source;      /* the code's image, or the pulled archive; -1: to be pulled */
	char *reference; /* "": of the code */
	char *puller;    /* UID GID GROUP... */
	uid_t uid;       /* who it is unpacked as */
	gid_t gid;
	struct fetch *fetch;
	struct fetch_progress progress;
	struct image_entry *found; /* by what the process said, which was ended for it */
	bool follow;               /* the same */
	uint64_t number;           /* of the directory */
	int directory;
	char pulled[IMAGE_DIGITS];
};

/* 0, or -errno: then nothing runs. */
int image_pull_start(struct image_request *request);
int image_unpack_start(struct image_request *request);

/* Anew, or for the first time. */
void image_request_begin(struct image_request *request);

/* The one place where a request ends; `why` may lie in it. */
void image_request_finish(
        struct image_request *request, int status, struct image_entry *entry, const char *why);

/* What a process said. */
void image_request_fail(struct image_request *request, int error, const char *sentence);

/* Whoever waits gets its turn, on a turn of the loop of its own. */
void image_requests_start_soon(struct images *images);
