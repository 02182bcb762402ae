/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Gives a sandbox that was made without it its code and its name: a copy of the mount, which is attached nowhere
 * yet, is moved into the mount namespace of the sandbox. Only a child of the guardian enters that.
 */
#include <stdbool.h>
#include <sys/types.h>

struct sandbox_attachment {
	pid_t inside;              /* a process of the sandbox: its init */
	const char *code;          /* of the host */
	const char *const *layers; /* over it (struct sandbox_view), or NULL */
	const char *hostname;
	bool is_root; /* who we are; an ordinary user takes the mount in a namespace made for that */
};

/* Waits for it, well below a millisecond. 0 or -errno. */
int sandbox_attach(const struct sandbox_attachment *attachment);
