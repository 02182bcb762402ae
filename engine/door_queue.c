/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous calls that come through the door. */
#include <errno.h>

#include "engine/door_call.h"

void door_enqueue(struct door_call *call)
{
	door_call_end(call, -ENOSYS, "this daemon has no queue for asynchronous calls");
}
