/* SPDX-License-Identifier: Apache-2.0 */
#include "run/guardian_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void order_deinit(struct order *order)
{
	free(order->layers);
	free(order->argv);
	free(order->environment);
	free(order->zygote);
}

const char **order_take_strings(const char **place, const char *end, size_t count)
{
	const char **strings = calloc(count + 1, sizeof(*strings));

	for (size_t i = 0; strings && i < count; i++) {
		strings[i] = message_next_string(place, end);
		if (!strings[i]) {
			free(strings);
			return NULL;
		}
	}
	return strings;
}

int order_parse(struct order *order, const char *body, size_t length)
{
	const char *place = body + sizeof(order->numbers), *end = body + length;

	memset(order, 0, sizeof(*order));
	if (length < sizeof(order->numbers))
		return -EBADMSG;
	memcpy(&order->numbers, body, sizeof(order->numbers));
	order->name = message_next_string(&place, end);
	order->code = message_next_string(&place, end);
	order->runtime = message_next_string(&place, end);
	order->directory = message_next_string(&place, end);
	if (order->numbers.layers)
		order->layers = order_take_strings(&place, end, order->numbers.layers);
	order->argv = order_take_strings(&place, end, order->numbers.arguments);
	order->environment = order_take_strings(&place, end, order->numbers.variables);
	order->zygote = order_take_strings(&place, end, order->numbers.zygote);
	if (!order->directory || !order->layers != !order->numbers.layers)
		return -EBADMSG;
	return order->argv && order->environment && order->zygote ? 0 : -EBADMSG;
}
