/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/access.h"

#include <errno.h>

#include "engine/engine.h"
#include "fs/node.h"

int access_attr(const struct caller *caller, const struct stat *attr, unsigned wanted)
{
	mode_t mode = attr->st_mode;

	if (caller->uid == 0)
		return 0;
	if (caller->uid == attr->st_uid)
		mode >>= 6;
	else if (caller_in_group(caller, attr->st_gid))
		mode >>= 3;
	return wanted & ~mode ? -EACCES : 0;
}

int access_row(const struct subject *subject, const struct access_place *place, unsigned wanted)
{
	uint64_t ino = (uint64_t)place->row << NODE_OBJECT_BITS | place->object;
	const struct node_attributes *stored =
	        attributes_get(engine_attributes(subject->engine), ino);
	struct stat attr = {.st_mode = place->mode, .st_uid = place->uid, .st_gid = place->gid};

	if (stored && stored->set & ATTRIBUTE_MODE)
		attr.st_mode = stored->mode;
	if (stored && stored->set & ATTRIBUTE_UID)
		attr.st_uid = stored->uid;
	if (stored && stored->set & ATTRIBUTE_GID)
		attr.st_gid = stored->gid;
	return access_attr(&subject->caller, &attr, wanted);
}
