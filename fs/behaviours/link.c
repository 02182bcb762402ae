/* SPDX-License-Identifier: Apache-2.0 */
/* A symbolic link the platform keeps: its target is rendered each time. */
#include <errno.h>

#include "base/cleanup.h"
#include "fs/behaviour.h"

static int link_refine(struct request *request, const struct subject *subject, struct stat *attr)
{
	CLEANUP(buf_deinit) struct buf target = BUF_INIT;
	int r = subject->row->show(subject, &target);

	attr->st_size = (off_t)target.length;
	return r;
}

static int link_readlink(struct request *request)
{
	CLEANUP(buf_deinit) struct buf target = BUF_INIT;
	struct subject subject;
	int r = node_subject(request->fs, &request->node, &request->caller, &subject);

	if (r == 0)
		r = subject.row->show(&subject, &target);
	if (r == 0 && (target.failed || !target.length))
		r = target.failed ? -ENOMEM : -ENOENT;
	return r < 0 ? r : request_target(request, target.data);
}

const struct behaviour link_behaviour = {
        .name = "link",
        .refine = link_refine,
        .readlink = link_readlink,
};
