/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the daemon and its guardian say to each other: messages of one build to itself, over a
 * SOCK_SEQPACKET pair. A message is a header, numbers and strings, and at most three descriptors. Both
 * ends are non-blocking; what does not fit now waits in an outbox, in order.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"

enum message_type {
	MESSAGE_HELLO = 1, /* guardian: I am there; struct message_hello, limits */
	MESSAGE_START,     /* daemon: struct message_start, strings, three descriptors */
	MESSAGE_KILL,      /* daemon */
	MESSAGE_STARTED, /* guardian: struct message_started, the group's name; may have descriptors */
	MESSAGE_ENDED,     /* guardian: struct process_end */
	MESSAGE_LOG,       /* guardian: a sentence for the daemon's log */
	MESSAGE_RUN,       /* daemon: struct message_run, groups, strings, three descriptors */
	MESSAGE_TERMINATE, /* daemon: SIGTERM to the runtime */
};

struct message {
	uint32_t type;
	uint32_t unused;
	uint64_t process;
};

struct message_hello {
	bool overlays; /* instances can have layers */
};

/* Behind it: name, code path, runtime path, working directory, the layers, the arguments, the environment, the zygote's. */
struct message_start {
	uint64_t function_id;
	int64_t memory_bytes;
	uid_t uid;
	gid_t gid;
	int cpu_millicores;
	int max_processes;
	bool host_network;
	bool image; /* the code path is that of an image's root */
	uid_t inside_uid;
	gid_t inside_gid;
	bool writable;
	bool outbound;
	bool parks; /* a process of it that knows no function yet will do */
	int sockets;
	uint32_t layers;
	uint32_t arguments;
	uint32_t variables;
	uint32_t zygote;
};

/*
 * With descriptors it is a process that waited for its function: they are the daemon's ends of its channel (to
 * write, to read) and of its output, and what was given with the order is of no use.
 */
struct message_started {
	pid_t pid;   /* of the runtime's first process */
	bool waited; /* in a sandbox that was made ahead */
	             /* behind it: the name of its group */
};

/* Behind it: the groups, as gid_t; the name, the arguments, the environment. */
struct message_run {
	int64_t memory_bytes;
	uid_t uid;
	gid_t gid;
	int max_processes;
	bool errors; /* the third descriptor becomes 2, not 3 */
	uint32_t groups;
	uint32_t arguments;
	uint32_t variables;
};

#define MESSAGE_DESCRIPTORS 3
#define MESSAGE_SIZE_MAX    (192u << 10)

struct outbox {
	struct list waiting;
};

void message_begin(struct buf *buf, enum message_type type, uint64_t process);
void message_string(struct buf *buf, const char *text);

/* The next string of `*place` before `end`, or NULL when there is none; moves `*place` behind it. */
const char *message_next_string(const char **place, const char *end);

/* Both ends call it once on their socket. */
void message_prepare_socket(int socket);

/*
 * Receives one message into `into` (of MESSAGE_SIZE_MAX bytes). Its length, 0 when the peer is gone, or
 * -EAGAIN. Descriptors that could not be received are -1.
 */
ssize_t message_receive(int socket, char *into, int descriptors[MESSAGE_DESCRIPTORS]);

void outbox_init(struct outbox *outbox);
void outbox_deinit(struct outbox *outbox); /* drops what waits */

/*
 * Sends or keeps a message; descriptors (NULL = none) are duplicated when it is kept. 0, -E2BIG, -EMFILE,
 * -ENOMEM; or -EPIPE when the peer is gone, which whoever receives will hear too.
 */
int outbox_send(
        struct outbox *outbox, int socket, const struct buf *message, const int *descriptors);

/* Sends what waits: 0 when nothing is left, -EAGAIN when the socket is full, -EPIPE. */
int outbox_flush(struct outbox *outbox, int socket);
