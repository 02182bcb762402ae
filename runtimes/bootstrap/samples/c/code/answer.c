/* The function itself. Change it and save: it is built again. */
#include "answer.h"

#include <stdio.h>

size_t answer(const char *body, size_t length, char *out, size_t size)
{
	int n = snprintf(out, size, "{\"from\":\"c\",\"event\":%.*s}", (int)length, body);

	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}
