/* What the server asks the function: an answer to the body of a request, in a buffer of `size` bytes. */
#include <stddef.h>

size_t answer(const char *body, size_t length, char *out, size_t size);
