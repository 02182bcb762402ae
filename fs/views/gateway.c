/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/gateway.h"

#include "engine/engine.h"

int gateway_show_address(const struct subject *subject, struct buf *out)
{
	engine_show_gateway_address(subject->engine, out);
	return 0;
}

int gateway_show_status(const struct subject *subject, struct buf *out)
{
	engine_show_gateway_status(subject->engine, out);
	return 0;
}
